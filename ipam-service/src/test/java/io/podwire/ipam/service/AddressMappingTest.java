package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.ServiceOwner;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressOwner;
import io.podwire.proto.ipam.v1.ServiceRef;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class AddressMappingTest {
    private static final ServiceOwner WEB = new ServiceOwner("shop", "web", "4b7c", IpFamily.V4);

    @Test
    void aServiceIsToldAsWhatItIs() {
        SingleAddress single = new SingleAddress(
                "lb", IpAddress.parse("10.2.0.1"), new AddressUse.InUse(WEB.owner(), Optional.empty()), Instant.EPOCH);
        Address message = AddressMapping.toProto(single, 26);
        assertThat(message.getService())
                .isEqualTo(ServiceRef.newBuilder()
                        .setNamespace("shop")
                        .setName("web")
                        .setUid("4b7c")
                        .build());
        assertThat(message.hasPod()).isFalse();
        assertThat(message.getOwnerId()).isEqualTo("service/shop/web/4b7c/ipv4");
        assertThat(message.getBlock()).isEqualTo("10.2.0.0/26");
    }

    @Test
    void nobodyCallsItselfAService() {
        assertThatThrownBy(() -> AddressMapping.owner(
                        AddressOwner.newBuilder().setId(WEB.id()).build()))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT))
                .hasMessageContaining("'service/shop/web/4b7c/ipv4' is Service shop/web (uid 4b7c), which gets its"
                        + " addresses without being asked for; choose another id");
        assertThat(AddressMapping.owner(
                                AddressOwner.newBuilder().setId("service/7").build())
                        .id())
                .isEqualTo("service/7");
    }
}
