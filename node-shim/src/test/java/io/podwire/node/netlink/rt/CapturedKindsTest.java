package io.podwire.node.netlink.rt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.netlink.wire.NlMessage;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** A real kernel's answers, in resources/netlink/kinds-6.18.txt, decode to what ip(8) said of them. */
class CapturedKindsTest {
    private static final OptionalInt NONE = OptionalInt.empty();

    @Test
    void links() {
        assertThat(decoded("kinds", LinkCodec::read))
                .as("links")
                .containsExactly(
                        link(
                                3,
                                "mv0",
                                2,
                                1500,
                                false,
                                new LinkKind.Macvlan(MacvlanMode.BRIDGE),
                                OptionalInt.of(2),
                                NONE),
                        link(4, "mv1", 3, 1400, false, new LinkKind.Macvlan(MacvlanMode.VEPA), OptionalInt.of(2), NONE),
                        link(5, "ifb7", 5, 1500, false, new LinkKind.Ifb(), NONE, NONE),
                        link(6, "ve0", 6, 1500, true, new LinkKind.Veth(), OptionalInt.of(3), OptionalInt.of(0)),
                        link(7, "mt0", 7, 1500, false, new LinkKind.Other("macvlan"), OptionalInt.of(2), NONE));
        assertThat(decoded("inside", LinkCodec::read))
                .as("a macvlan on a device of another namespace")
                .extracting(Link::kind, Link::peerIndex, Link::peerNetnsId)
                .containsExactly(
                        tuple(new LinkKind.Macvlan(MacvlanMode.PRIVATE), OptionalInt.of(2), OptionalInt.of(0)));
    }

    /** A link that is down; {@code flags} are promiscuous and allmulti. */
    private static Link link(
            int index,
            String name,
            int mac,
            int mtu,
            boolean flags,
            LinkKind kind,
            OptionalInt peer,
            OptionalInt netns) {
        return new Link(
                index,
                name,
                "",
                Optional.of(MacAddress.locallyAdministered(mac)),
                mtu,
                false,
                flags,
                flags,
                NONE,
                kind,
                Optional.empty(),
                peer,
                netns);
    }

    @Test
    void addresses() {
        assertThat(decoded("addresses", AddressCodec::read))
                .as("addresses")
                .containsExactly(
                        new InterfaceAddress(2, ip("10.9.0.1"), 24, Scope.GLOBAL).withoutPrefixRoute(),
                        new InterfaceAddress(2, ip("fd00:9::1"), 64, Scope.GLOBAL).withoutPrefixRoute(),
                        new InterfaceAddress(2, ip("fe80::1"), 128, Scope.LINK));
    }

    @Test
    void routes() {
        assertThat(decoded("routes4", RouteCodec::read))
                .as("IPv4 routes")
                .containsExactly(
                        Route.via(IpPrefix.parse("10.2.0.0/26"), ip("169.254.1.1"), 2)
                                .withMetric(77)
                                .withLimits(OptionalInt.of(1400), OptionalInt.of(1340)),
                        Route.unreachable(IpPrefix.parse("10.4.0.0/24")));
        assertThat(decoded("routes6", RouteCodec::read))
                .as("IPv6 routes, without the local one")
                .startsWith(
                        Route.onLink(IpPrefix.parse("fd00:5::/64"), 2).inTable(1000),
                        Route.via(IpPrefix.parse("fd00:2::/64"), ip("fe80::7"), 2)
                                .withMetric(77)
                                .withPreference(RoutePreference.HIGH)
                                .withLimits(OptionalInt.of(1400), OptionalInt.of(1300)),
                        Route.unreachable(IpPrefix.parse("fd00:4::/64")).withMetric(9))
                .hasSize(4)
                .element(3)
                .extracting(Route::protocol, Route::metric)
                .containsExactly(RouteProtocol.KERNEL, 256L);
    }

    @Test
    void neighbours() {
        MacAddress mac8 = MacAddress.parse("02:00:00:00:aa:08");
        MacAddress mac7 = MacAddress.parse("02:00:00:00:aa:07");
        assertThat(decoded("neigh6", NeighbourCodec::read))
                .as("neighbours")
                .containsExactly(
                        new Neighbour(2, ip("fd00::8"), mac8, true), new Neighbour(2, ip("fe80::7"), mac7, true, true));
        assertThat(decoded("proxies", NeighbourCodec::readProxy))
                .as("proxy entries")
                .containsExactly(new ProxyNeighbour(2, ip("10.1.0.5")), new ProxyNeighbour(2, ip("fd00:1::5")));
    }

    @Test
    void queueingDisciplines() {
        assertThat(decoded("qdiscs", QdiscCodec::read))
                .as("queueing disciplines")
                .containsExactly(
                        new Qdisc(1, new QdiscKind.Other("noqueue")),
                        new Qdisc(5, new QdiscKind.TokenBucketQueue(5_000_000_000L, 32767, 20 << 20)),
                        new Qdisc(6, new QdiscKind.TokenBucketQueue(1_250_000, 409_600, 64_018)),
                        new Qdisc(6, new QdiscKind.Ingress()));
        QdiscKind.TokenBucketQueue fast = new QdiscKind.TokenBucketQueue(5_000_000_000L, 32767, 20 << 20);
        assertThat(new TokenBucket(5_000_000_000L, 10 << 20, 20 << 20).matches(fast))
                .as("rate 40gbit burst 10mb limit 20mb")
                .isTrue();
        assertThat(fast.burst()).as("about 10 MiB").isBetween(10_485_000L, 10_486_000L);
        assertThat(TokenBucket.withLatency(1_250_000, 32 << 10, Duration.ofMillis(25))
                        .matches(new QdiscKind.TokenBucketQueue(1_250_000, 409_600, 64_018)))
                .as("rate 10mbit burst 32kb latency 25ms")
                .isTrue();
    }

    @Test
    void filters() {
        assertThat(decoded("filters", FilterCodec::read))
                .as("Podwire's alone, without hash tables")
                .containsExactly(new Redirect(6, 5));
    }

    private static IpAddress ip(String text) {
        return IpAddress.parse(text);
    }

    private static <T> List<T> decoded(String section, Function<NlMessage, Optional<T>> decoder) {
        return Captured.decoded("kinds-6.18.txt", section, decoder);
    }
}
