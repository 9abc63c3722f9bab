package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.ProxyNeighbour;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RoutePreference;
import io.podwire.node.netlink.rt.RouteProtocol;
import io.podwire.node.netlink.rt.RouteType;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Addresses, routes and neighbours of both families with all that can be said of them, beside ip(8). */
@Tag("netns")
@Timeout(60)
class DualStackNetnsTest {
    private static final IpPrefix DESTINATION = IpPrefix.parse("fd00:2::/64");
    private static final IpAddress GATEWAY = IpAddress.parse("fe80::1");
    private static final MacAddress MAC = MacAddress.parse("02:00:00:00:00:05");

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space host;
    private Rtnetlink netlink;
    private int bridge;

    @BeforeEach
    void openHost() {
        host = sandbox.add();
        netlink = Rtnetlink.open(host.netns());
        bridge = netlink.addLink(new NewLink(
                "pw0",
                new NewLinkKind.Bridge(),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                false,
                Optional.empty()));
        netlink.disableIpv6LinkLocal(bridge);
        netlink.setUp(bridge);
    }

    @AfterEach
    void removeSandbox() {
        netlink.close();
        sandbox.close();
    }

    @Test
    void addressesAreUsableAtOnceWithAndWithoutTheKernelsRoute() {
        InterfaceAddress plain = address("fd00:9::1", 64, Scope.GLOBAL);
        InterfaceAddress bare = address("fd00:8::1", 64, Scope.GLOBAL).withoutPrefixRoute();
        InterfaceAddress gateway = address("fe80::1", 128, Scope.GLOBAL).withoutPrefixRoute();
        InterfaceAddress plain4 = address("10.9.0.1", 24, Scope.GLOBAL);
        InterfaceAddress bare4 = address("10.8.0.1", 24, Scope.LINK).withoutPrefixRoute();
        List<InterfaceAddress> all = List.of(plain, bare, gateway, plain4, bare4);
        for (int i = 0; i < 2; i++) { // the second time changes nothing
            all.forEach(netlink::replaceAddress);
            assertThat(netlink.addresses()).as("addresses").containsAll(all);
        }
        assertThat(netlink.routes(IpFamily.V6))
                .as("the kernel's IPv6 routes")
                .extracting(route -> route.destination().toString())
                .contains("fd00:9::/64")
                .doesNotContain("fd00:8::/64", "fe80::1/128");
        assertThat(netlink.routes(IpFamily.V4))
                .as("the kernel's IPv4 routes")
                .extracting(route -> route.destination().toString())
                .containsExactly("10.9.0.0/24");
        for (JsonNode info : host.ipJson("addr", "show", "dev", "pw0").get(0).path("addr_info")) {
            assertThat(info.path("tentative").asBoolean())
                    .as("tentative: %s", info)
                    .isFalse();
            assertThat(info.path("noprefixroute").asBoolean())
                    .as("noprefixroute: %s", info)
                    .isEqualTo(List.of("fd00:8::1", "fe80::1", "10.8.0.1")
                            .contains(info.path("local").asText()));
        }
    }

    @Test
    void anIpv6AddressTakesOnWhatItIsReplacedWithAndAnIpv4AddressKeepsIt() {
        InterfaceAddress six = address("fd00:9::1", 64, Scope.GLOBAL);
        InterfaceAddress four = address("10.9.0.1", 24, Scope.GLOBAL);
        List.of(six, four).forEach(netlink::replaceAddress);
        List.of(six.withoutPrefixRoute(), four.withoutPrefixRoute()).forEach(netlink::replaceAddress);
        assertThat(netlink.addresses()).as("addresses").contains(six.withoutPrefixRoute(), four);
        assertThat(netlink.routes(IpFamily.V6))
                .as("routes")
                .noneMatch(route -> route.destination().equals(IpPrefix.parse("fd00:9::/64")));
    }

    @Test
    void routesSayAllThatTheyWereMadeWith() {
        // IPv4 takes no gateway, onlink or not, in a namespace without any address.
        netlink.replaceAddress(address("10.9.0.1", 32, Scope.GLOBAL));
        Route six = Route.via(DESTINATION, GATEWAY, bridge)
                .withMetric(77)
                .withPreference(RoutePreference.HIGH)
                .withLimits(OptionalInt.of(1400), OptionalInt.of(1300));
        Route worse = Route.via(DESTINATION, GATEWAY, bridge).withPreference(RoutePreference.LOW);
        Route four = Route.via(IpPrefix.parse("10.2.0.0/26"), IpAddress.parse("169.254.1.1"), bridge)
                .withMetric(77)
                .withLimits(OptionalInt.of(1400), OptionalInt.of(1340));
        Route worse4 = Route.onLink(IpPrefix.parse("10.2.0.0/26"), bridge).withMetric(0xFFFF_FFFFL);
        List<Route> all = List.of(six, worse, four, worse4);
        for (int i = 0; i < 2; i++) { // the second time changes nothing
            all.forEach(netlink::replaceRoute);
            assertThat(netlink.routes(IpFamily.V6)).as("IPv6 routes").contains(six, worse);
            assertThat(netlink.routes(IpFamily.V4)).as("IPv4 routes").containsExactly(four, worse4);
        }
        assertThat(host.ip("-6", "route", "show", "proto", "112"))
                .as("as ip sees IPv6")
                .contains("fd00:2::/64 via fe80::1 dev pw0 metric 77 onlink mtu 1400 advmss 1300 pref high")
                .contains("fd00:2::/64 via fe80::1 dev pw0 metric 1024 onlink pref low");
        assertThat(host.ip("-4", "route", "show", "proto", "112"))
                .as("as ip sees IPv4")
                .contains("10.2.0.0/26 via 169.254.1.1 dev pw0 metric 77 onlink mtu 1400 advmss 1340")
                .contains("10.2.0.0/26 dev pw0 scope link metric 4294967295");
        assertThat(netlink.addRoute(six)).as("add what is there").isFalse();
        assertThat(netlink.addRoute(six.withMetric(78)))
                .as("add another metric")
                .isTrue();
        for (boolean there : new boolean[] {true, false}) {
            for (Route each : all) {
                assertThat(netlink.deleteRoute(each)).as("delete %s", each).isEqualTo(there);
            }
        }
    }

    @Test
    void routesThatRefuse() {
        List<Route> four = List.of(
                Route.blackhole(IpPrefix.parse("10.3.0.0/24")), Route.unreachable(IpPrefix.parse("10.4.0.0/24")));
        List<Route> six = List.of(
                Route.blackhole(IpPrefix.parse("fd00:3::/64")),
                Route.unreachable(IpPrefix.parse("fd00:4::/64")).withMetric(9));
        four.forEach(netlink::replaceRoute);
        six.forEach(netlink::replaceRoute);
        assertThat(netlink.routes(IpFamily.V4)).as("IPv4 routes").containsExactlyElementsOf(four);
        assertThat(netlink.routes(IpFamily.V6)).as("IPv6 routes").containsAll(six);
        assertThat(host.ip("-4", "route", "show"))
                .as("as ip sees IPv4")
                .contains("blackhole 10.3.0.0/24 proto 112", "unreachable 10.4.0.0/24 proto 112");
        assertThat(host.ip("-6", "route", "show"))
                .as("as ip sees IPv6")
                .contains("blackhole fd00:3::/64", "unreachable fd00:4::/64");
        four.forEach(route ->
                assertThat(netlink.deleteRoute(route)).as("delete %s", route).isTrue());
        six.forEach(route ->
                assertThat(netlink.deleteRoute(route)).as("delete %s", route).isTrue());
        assertThat(netlink.routes(IpFamily.V4)).as("IPv4 routes").isEmpty();
    }

    @Test
    void deletingARouteThatRefusesLeavesTheOneThatForwards() {
        Route forwarding = Route.via(DESTINATION, GATEWAY, bridge);
        netlink.replaceRoute(forwarding);
        assertThat(netlink.deleteRoute(Route.blackhole(DESTINATION)))
                .as("a blackhole that is not there")
                .isFalse();
        assertThat(netlink.routes(IpFamily.V6)).as("routes").contains(forwarding);
        netlink.replaceRoute(Route.blackhole(DESTINATION));
        assertThat(netlink.routes(IpFamily.V6))
                .as("one replaces the other")
                .contains(Route.blackhole(DESTINATION))
                .doesNotContain(forwarding);
        netlink.replaceRoute(forwarding);
        assertThat(netlink.routes(IpFamily.V6))
                .as("and back")
                .contains(forwarding)
                .doesNotContain(Route.blackhole(DESTINATION));
    }

    @Test
    void tablesAreTheirOwn() {
        for (IpFamily family : IpFamily.values()) {
            IpPrefix destination = IpPrefix.parse(family == IpFamily.V4 ? "10.2.0.0/26" : "fd00:2::/64");
            Route main = Route.onLink(destination, bridge);
            Route small = main.inTable(112);
            Route large = main.inTable(4_000_000_000L).withMetric(5);
            assertThat(netlink.routes(family, 112)).as("no such table").isEmpty();
            assertThat(netlink.routes(family, 4_000_000_000L))
                    .as("no such table")
                    .isEmpty();
            List.of(main, small, large).forEach(netlink::replaceRoute);
            assertThat(netlink.routes(family))
                    .as("main")
                    .filteredOn(route -> route.protocol() == RouteProtocol.PODWIRE)
                    .containsExactly(main);
            assertThat(netlink.routes(family, 112)).as("112").containsExactly(small);
            assertThat(netlink.routes(family, 4_000_000_000L)).as("4000000000").containsExactly(large);
            assertThat(netlink.deleteRoute(large)).as("delete").isTrue();
            assertThat(netlink.deleteRoute(large)).as("delete again").isFalse();
            assertThat(netlink.routes(family, 112)).as("112").containsExactly(small);
        }
    }

    @Test
    void anIpv6RouteKeepsItsMtuWhenItsDevicesFallsBelow() {
        Route route = Route.onLink(DESTINATION, bridge).withLimits(OptionalInt.of(1400), OptionalInt.empty());
        netlink.replaceRoute(route);
        netlink.setMtu(bridge, 1300);
        netlink.setMtu(bridge, 1500);
        Route found = netlink.routes(IpFamily.V6).stream()
                .filter(r -> r.destination().equals(DESTINATION))
                .findFirst()
                .orElseThrow();
        assertThat(found.mtu()).as("path MTU after 1300 and 1500").isEqualTo(route.mtu());
    }

    @Test
    void neighboursThatAreRouters() {
        Neighbour router = new Neighbour(bridge, GATEWAY, MAC, true, true);
        Neighbour host6 = new Neighbour(bridge, IpAddress.parse("fd00:9::5"), MAC, true);
        Neighbour host4 = new Neighbour(bridge, IpAddress.parse("10.1.0.5"), MAC, true, true);
        for (int i = 0; i < 2; i++) {
            List.of(router, host6, host4).forEach(netlink::replaceNeighbour);
            assertThat(netlink.neighbours(IpFamily.V6)).as("IPv6").containsExactlyInAnyOrder(router, host6);
            assertThat(netlink.neighbours(IpFamily.V4)).as("IPv4").containsExactly(host4);
        }
        assertThat(host.ip("-6", "neigh", "show", "dev", "pw0"))
                .as("as ip sees them")
                .contains("fe80::1 lladdr 02:00:00:00:00:05 router PERMANENT")
                .contains("fd00:9::5 lladdr 02:00:00:00:00:05 PERMANENT");
        netlink.replaceNeighbour(new Neighbour(bridge, GATEWAY, MAC, true));
        assertThat(netlink.neighbours(IpFamily.V6)).as("no router any more").noneMatch(Neighbour::router);
        assertThat(netlink.deleteNeighbour(router)).as("delete").isTrue();
        assertThat(netlink.deleteNeighbour(router)).as("delete again").isFalse();
    }

    @Test
    void theNodeAnswersForOthers() {
        ProxyNeighbour four = new ProxyNeighbour(bridge, IpAddress.parse("10.1.0.5"));
        ProxyNeighbour six = new ProxyNeighbour(bridge, IpAddress.parse("fd00:9::5"));
        host.ip("neigh", "add", "proxy", "10.1.0.9", "dev", "lo");
        for (int i = 0; i < 2; i++) {
            List.of(four, six).forEach(netlink::replaceProxyNeighbour);
            assertThat(netlink.proxyNeighbours(IpFamily.V4))
                    .as("IPv4, ip's own too")
                    .containsExactlyInAnyOrder(four, new ProxyNeighbour(1, IpAddress.parse("10.1.0.9")));
            assertThat(netlink.proxyNeighbours(IpFamily.V6)).as("IPv6").containsExactly(six);
        }
        assertThat(netlink.neighbours(IpFamily.V4)).as("they are no neighbours").isEmpty();
        assertThat(host.ip("-4", "neigh", "show", "proxy")).as("as ip sees it").contains("10.1.0.5 dev pw0 proxy");
        assertThat(host.ip("-6", "neigh", "show", "proxy")).as("as ip sees it").contains("fd00:9::5 dev pw0 proxy");
        for (ProxyNeighbour proxy : List.of(four, six)) {
            assertThat(netlink.deleteProxyNeighbour(proxy))
                    .as("delete %s", proxy)
                    .isTrue();
            assertThat(netlink.deleteProxyNeighbour(proxy))
                    .as("delete %s again", proxy)
                    .isFalse();
        }
        netlink.deleteLink(bridge);
        assertThat(netlink.deleteProxyNeighbour(six)).as("of a gone link").isFalse();
    }

    @Test
    void aPodsIpv6RoutesAsPodwireMakesThem() {
        netlink.replaceAddress(address("fd00:9::5", 128, Scope.GLOBAL).withoutPrefixRoute());
        netlink.replaceRoute(Route.onLink(IpPrefix.ofHost(GATEWAY), bridge));
        netlink.replaceRoute(Route.via(IpPrefix.parse("::/0"), GATEWAY, bridge));
        assertThat(netlink.routes(IpFamily.V6))
                .as("routes")
                .filteredOn(route -> route.type() == RouteType.UNICAST)
                .contains(Route.onLink(IpPrefix.ofHost(GATEWAY), bridge))
                .contains(Route.via(IpPrefix.parse("::/0"), GATEWAY, bridge));
        JsonNode link = host.ipJson("link", "show", "dev", "pw0").get(0);
        assertThat(link.path("inet6_addr_gen_mode").asText())
                .as("how it makes addresses")
                .isEqualTo("none");
        assertThatThrownBy(() -> netlink.replaceRoute(Route.via(IpPrefix.parse("::/0"), GATEWAY, 4711)))
                .as("a device that is not there")
                .isInstanceOf(NetlinkException.class)
                .hasMessageContaining("ENODEV");
    }

    private InterfaceAddress address(String text, int length, Scope scope) {
        return new InterfaceAddress(bridge, IpAddress.parse(text), length, scope);
    }
}
