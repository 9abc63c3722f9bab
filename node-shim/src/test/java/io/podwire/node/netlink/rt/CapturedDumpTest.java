package io.podwire.node.netlink.rt;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.netlink.wire.NlMessage;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** A real kernel's answers, in resources/netlink/dumps-6.18.txt, decode to what ip(8) said of them. */
class CapturedDumpTest {
    @Test
    void links() {
        BridgePort port = new BridgePort(true, false, false, false, false, false);
        assertThat(decoded("links", LinkCodec::read))
                .as("links")
                .containsExactly(
                        link(1, "lo", "", "00:00:00:00:00:00", 65536, 0, new LinkKind.Other(""), null, 0),
                        link(2, "pw0", "", "02:00:00:00:ff:01", 1450, 0, new LinkKind.Bridge(), null, 0),
                        link(
                                3,
                                "pwabc",
                                "container 1 eth0",
                                "02:00:00:00:00:05",
                                1450,
                                2,
                                new LinkKind.Veth(),
                                port,
                                2),
                        link(
                                4,
                                "pwvx",
                                "",
                                "02:00:00:00:fe:01",
                                1400,
                                0,
                                new LinkKind.Vxlan(
                                        4242,
                                        Optional.of(ip("10.9.0.1")),
                                        4789,
                                        false,
                                        new VxlanOuter(OptionalInt.of(2), 0, 0, true)),
                                null,
                                0));
    }

    @Test
    void addresses() {
        assertThat(decoded("addresses", AddressCodec::read))
                .as("addresses")
                .containsExactly(
                        new InterfaceAddress(1, ip("127.0.0.1"), 8, Scope.HOST),
                        new InterfaceAddress(2, ip("169.254.1.1"), 32, Scope.LINK),
                        new InterfaceAddress(2, ip("10.9.0.1"), 24, Scope.GLOBAL),
                        new InterfaceAddress(1, ip("::1"), 128, Scope.HOST),
                        new InterfaceAddress(2, ip("fd00:9::1"), 64, Scope.GLOBAL));
    }

    @Test
    void routes() {
        Route tunnel = new Route(
                IpPrefix.parse("10.2.0.0/26"),
                Optional.of(ip("10.9.0.7")),
                OptionalInt.of(4),
                RouteScope.GLOBAL,
                true,
                RouteProtocol.PODWIRE,
                Optional.of(ip("10.9.0.1")),
                OptionalInt.of(1400));
        assertThat(decoded("routes4", RouteCodec::read))
                .as("IPv4 routes")
                .containsExactly(
                        route("0.0.0.0/0", "10.9.0.254", 2, RouteScope.GLOBAL, RouteProtocol.BOOT, ""),
                        route("10.1.0.5/32", "", 2, RouteScope.LINK, RouteProtocol.PODWIRE, ""),
                        tunnel,
                        Route.blackhole(IpPrefix.parse("10.3.0.0/24")),
                        route("10.9.0.0/24", "", 2, RouteScope.LINK, RouteProtocol.KERNEL, "10.9.0.1"));
        assertThat(decoded("routes6", RouteCodec::read))
                .as("IPv6 routes")
                .containsExactly(
                        route("fd00:2::/64", "fd00:9::7", 2, RouteScope.GLOBAL, RouteProtocol.PODWIRE, ""),
                        Route.blackhole(IpPrefix.parse("fd00:3::/64")),
                        route("fd00:9::/64", "", 2, RouteScope.GLOBAL, RouteProtocol.KERNEL, "")
                                .withMetric(256));
    }

    @Test
    void neighbours() {
        assertThat(decoded("neigh", NeighbourCodec::read))
                .as("neighbours, without the multicast one")
                .containsExactly(
                        new Neighbour(2, ip("10.1.0.5"), mac("02:00:00:00:aa:05"), true),
                        new Neighbour(2, ip("10.9.0.9"), mac("02:00:00:00:aa:09"), false));
    }

    @Test
    void forwardingEntries() {
        assertThat(decoded("fdb", NeighbourCodec::readFdb))
                .as("forwarding entries")
                .containsExactly(
                        new FdbEntry(2, mac("33:33:00:00:00:01"), Optional.empty(), FdbOwner.SELF, FdbState.PERMANENT),
                        new FdbEntry(
                                2, mac("02:00:00:00:ff:01"), Optional.empty(), FdbOwner.MASTER, FdbState.PERMANENT),
                        FdbEntry.ofPort(3, mac("02:00:00:00:aa:05")),
                        new FdbEntry(
                                3, mac("02:00:00:00:00:05"), Optional.empty(), FdbOwner.MASTER, FdbState.PERMANENT),
                        FdbEntry.ofVxlan(4, mac("02:00:00:00:bb:07"), ip("192.0.2.7")));
    }

    private static Link link(
            int index,
            String name,
            String alias,
            String mac,
            int mtu,
            int master,
            LinkKind kind,
            BridgePort port,
            int peer) {
        OptionalInt wantMaster = master == 0 ? OptionalInt.empty() : OptionalInt.of(master);
        OptionalInt wantPeer = peer == 0 ? OptionalInt.empty() : OptionalInt.of(peer);
        return new Link(
                index,
                name,
                alias,
                Optional.of(mac(mac)),
                mtu,
                true,
                false,
                false,
                wantMaster,
                kind,
                Optional.ofNullable(port),
                wantPeer,
                peer == 0 ? OptionalInt.empty() : OptionalInt.of(0));
    }

    private static Route route(
            String destination, String gateway, int ifindex, RouteScope scope, int protocol, String source) {
        return new Route(
                IpPrefix.parse(destination),
                gateway.isEmpty() ? Optional.empty() : Optional.of(ip(gateway)),
                OptionalInt.of(ifindex),
                scope,
                false,
                protocol,
                source.isEmpty() ? Optional.empty() : Optional.of(ip(source)),
                OptionalInt.empty());
    }

    private static IpAddress ip(String text) {
        return IpAddress.parse(text);
    }

    private static MacAddress mac(String text) {
        return MacAddress.parse(text);
    }

    private static <T> List<T> decoded(String section, Function<NlMessage, Optional<T>> decoder) {
        return Captured.decoded("dumps-6.18.txt", section, decoder);
    }
}
