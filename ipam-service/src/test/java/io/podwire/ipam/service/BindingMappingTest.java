package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.google.protobuf.Timestamp;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.ipam.binding.AddressEntry;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BindingState;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class BindingMappingTest {
    private static final Binding FULL = Binding.newBuilder()
            .setAddress("fd00::1")
            .setContainerId("c1")
            .setIfname("eth0")
            .setPod(PodRef.newBuilder().setNamespace("ns").setName("web").setUid("u"))
            .setNetwork("podwire")
            .setSince(Timestamp.newBuilder().setSeconds(5).setNanos(7))
            .setState(BindingState.BINDING_STATE_IN_USE)
            .build();

    @Test
    void everyFieldIsRead() {
        var binding = BindingMapping.binding(FULL);
        assertThat(binding)
                .isEqualTo(new io.podwire.ipam.binding.Binding(
                        IpAddress.parse("fd00::1"),
                        io.podwire.ipam.binding.Binding.State.IN_USE,
                        new io.podwire.ipam.binding.Binding.Holder("c1", "eth0", "ns", "web", "u", "podwire"),
                        java.time.Instant.ofEpochSecond(5, 7)));
    }

    @Test
    void badFieldsAreNamed() {
        refused(FULL.toBuilder().clearState(), "state: of fd00::1 must be 1 (IN_USE) or 2 (COOLING), got 0");
        refused(FULL.toBuilder().setAddress("10.1.0.0/24"), "address: '10.1.0.0/24' is not an IP address");
        refused(FULL.toBuilder().setIfname("sixteen-letters-"), "ifname: at most 15 characters, got 16");
        refused(FULL.toBuilder().setContainerId("x".repeat(257)), "container_id: at most 256 characters, got 257");
        refused(
                FULL.toBuilder().setSince(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE)),
                "since: Instant exceeds minimum or maximum instant");
    }

    private static void refused(Binding.Builder message, String why) {
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> BindingMapping.binding(message.build()))
                .withMessage(why);
    }

    @Test
    void tokensNameTheirPlaces() {
        AddressEntry.Place place = new AddressEntry.Place(IpAddress.parse("fd00::1"), "n1");
        assertThat(BindingMapping.after(BindingMapping.token(place))).isEqualTo(Optional.of(place));
        assertThat(BindingMapping.after("")).isEmpty();
    }
}
