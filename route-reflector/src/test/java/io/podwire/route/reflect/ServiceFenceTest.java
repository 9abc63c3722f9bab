package io.podwire.route.reflect;

import static io.podwire.route.Routes.epoch;
import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.Refusal.Reason;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServiceFenceTest {
    @ParameterizedTest
    @CsvSource({
        "203.0.113.0,",
        "203.0.113.255,",
        "2001:db8:9::7,",
        "203.0.114.0, NOT_OF_SERVICES",
        "2001:db8:a::7, NOT_OF_SERVICES",
        "10.1.0.1, NOT_OF_SERVICES",
    })
    void onlyWhatLiesInItIsTaken(String address, Reason reason) {
        ServiceFence fence = new ServiceFence(prefixes("203.0.113.0/24", "2001:db8:9::/64"), false);
        assertThat(fence.refusal(epoch("a", 3), IpAddress.parse(address)).map(Refusal::reason))
                .isEqualTo(java.util.Optional.ofNullable(reason));
    }

    @Test
    void aRefusalNamesTheAddressTheNodeAndWhatIsAllowed() {
        ServiceFence fence = new ServiceFence(prefixes("203.0.113.0/24"), false);
        assertThat(fence.refusal(epoch("a", 3), IpAddress.parse("10.1.0.1"))).hasValueSatisfying(refusal -> {
            assertThat(refusal.prefix()).hasToString("10.1.0.1/32");
            assertThat(refusal.why())
                    .isEqualTo("service address 10.1.0.1 of node a (start 3 of installation uid-a) refused: it lies in"
                            + " none of the prefixes that BGP peers are told of services, --bgp-services:"
                            + " [203.0.113.0/24]");
        });
    }

    @Test
    void withoutPrefixesItIsNotUsed() {
        assertThat(new ServiceFence(List.of(), false).isUsed()).isFalse();
        assertThat(new ServiceFence(List.of(), true).isUsed()).isTrue();
        assertThat(new ServiceFence(prefixes("203.0.113.0/24"), false).isUsed()).isTrue();
    }

    @Test
    void poolsComeBesideWhatIsNamedAndTheWiderOneHoldsTheOther() {
        ServiceFence fence = new ServiceFence(prefixes("203.0.113.0/24"), true);
        assertThat(fence.refusal(epoch("a", 1), IpAddress.parse("198.51.100.1")).map(Refusal::reason))
                .as("nothing is known of pools yet")
                .contains(Reason.UNKNOWN);
        assertThat(fence.refusal(epoch("a", 1), IpAddress.parse("203.0.113.1"))).isEmpty();
        assertThat(fence.take(prefixes("198.51.100.0/25", "203.0.113.64/26", "203.0.112.0/22")))
                .isTrue();
        assertThat(fence.prefixes()).isEqualTo(prefixes("198.51.100.0/25", "203.0.112.0/22"));
        assertThat(fence.refusal(epoch("a", 1), IpAddress.parse("198.51.100.1")))
                .isEmpty();
        assertThat(fence.refusal(epoch("a", 1), IpAddress.parse("198.51.100.129"))
                        .map(Refusal::reason))
                .contains(Reason.NOT_OF_SERVICES);
    }

    @Test
    void aListThatLacksMoreThanHalfIsBelievedTheSecondTime() {
        ServiceFence fence = new ServiceFence(List.of(), true);
        List<IpPrefix> two = prefixes("198.51.100.0/25", "203.0.113.0/24");
        assertThat(fence.take(two)).isTrue();
        assertThat(fence.take(List.of())).isFalse();
        assertThat(fence.prefixes()).isEqualTo(two);
        assertThat(fence.take(two)).isTrue();
        assertThat(fence.take(List.of())).as("a second one in a row").isFalse();
        assertThat(fence.take(List.of())).isTrue();
        assertThat(fence.prefixes()).isEmpty();
        assertThat(fence.refusal(epoch("a", 1), IpAddress.parse("203.0.113.1")).map(Refusal::reason))
                .contains(Reason.NOT_OF_SERVICES);
        assertThat(fence.take(two)).isTrue();
        assertThat(fence.take(prefixes("203.0.113.0/24"))).as("half of it").isTrue();
    }

    private static List<IpPrefix> prefixes(String... texts) {
        return Stream.of(texts).map(IpPrefix::parse).sorted().toList();
    }
}
