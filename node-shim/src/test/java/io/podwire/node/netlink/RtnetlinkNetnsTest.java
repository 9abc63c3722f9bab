package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.FdbOwner;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteProtocol;
import io.podwire.node.netlink.rt.RouteScope;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.netlink.rt.VxlanOuter;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What {@link Rtnetlink} makes and reads in a real kernel, beside what ip(8) says. */
@Tag("netns")
@Timeout(60)
class RtnetlinkNetnsTest {
    private static final MacAddress POD_MAC = MacAddress.parse("02:00:00:00:00:05");
    private static final IpAddress POD = IpAddress.parse("10.1.0.5");
    private static final IpAddress GATEWAY = IpAddress.parse("169.254.1.1");
    private static final BridgePort POD_PORT = new BridgePort(true, false, false, false, false, false);

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private Space host;
    private Rtnetlink netlink;

    @BeforeEach
    void openHost() {
        host = sandbox.add();
        netlink = Rtnetlink.open(host.netns());
    }

    @AfterEach
    void removeSandbox() {
        netlink.close();
        sandbox.close();
    }

    @Test
    void aPodIsWiredAsIpSeesIt() {
        Space pod = sandbox.add();
        int bridge = addBridge("pw0");
        int port = netlink.addLink(podVeth(pod, bridge));
        netlink.setBridgePort(port, POD_PORT);
        netlink.disableIpv6LinkLocal(port);
        netlink.replaceFdb(FdbEntry.ofPort(port, POD_MAC));
        netlink.replaceRoute(Route.onLink(IpPrefix.ofHost(POD), bridge));
        netlink.replaceNeighbour(new Neighbour(bridge, POD, POD_MAC, true));
        int eth0;
        try (Rtnetlink inside = Rtnetlink.open(pod.netns())) {
            Link link = inside.link("eth0").orElseThrow();
            eth0 = link.index();
            assertThat(netlink.link(port).orElseThrow().peerIndex())
                    .as("the peer's index")
                    .hasValue(eth0);
            assertThat(link.peerIndex()).as("and back").hasValue(port);
            inside.disableIpv6LinkLocal(eth0);
            inside.setUp(eth0);
            inside.replaceAddress(new InterfaceAddress(eth0, POD, 32, Scope.GLOBAL));
            inside.replaceRoute(Route.onLink(IpPrefix.ofHost(GATEWAY), eth0));
            inside.replaceRoute(Route.via(IpPrefix.parse("0.0.0.0/0"), GATEWAY, eth0));
            inside.replaceNeighbour(new Neighbour(eth0, GATEWAY, MacAddress.locallyAdministered(1), true));
        }
        assertHostSide();
        assertPodSide(pod);
    }

    private void assertHostSide() {
        JsonNode link = host.ipJson("link", "show", "dev", "pwpod").get(0);
        assertThat(link.path("master").asText()).as("master").isEqualTo("pw0");
        assertThat(link.path("ifalias").asText()).as("alias").isEqualTo("container 1 eth0");
        assertThat(link.path("mtu").asInt()).as("mtu").isEqualTo(1450);
        assertThat(link.path("flags").toString()).as("flags").contains("\"UP\"", "\"LOWER_UP\"");
        JsonNode port = link.path("linkinfo").path("info_slave_data");
        assertThat(port.path("isolated").asBoolean()).as("isolated").isTrue();
        assertThat(port.path("learning").asBoolean(true)).as("learning").isFalse();
        assertThat(port.path("flood").asBoolean(true)).as("flood").isFalse();
        assertThat(port.path("mcast_flood").asBoolean(true)).as("mcast_flood").isFalse();
        assertThat(port.path("bcast_flood").asBoolean(true)).as("bcast_flood").isFalse();
        assertThat(host.run("bridge", "fdb", "show", "dev", "pwpod"))
                .as("forwarding entries")
                .contains(POD_MAC + " master pw0 static");
        assertThat(host.ip("route", "show", "proto", "112")).as("route").startsWith("10.1.0.5 dev pw0 scope link");
        assertThat(host.ip("neigh", "show", "nud", "permanent"))
                .as("neighbour")
                .startsWith("10.1.0.5 dev pw0 lladdr " + POD_MAC + " PERMANENT");
    }

    private static void assertPodSide(Space pod) {
        JsonNode link = pod.ipJson("addr", "show", "dev", "eth0").get(0);
        assertThat(link.path("address").asText()).as("mac").isEqualTo(POD_MAC.toString());
        assertThat(link.path("mtu").asInt()).as("mtu of the other end").isEqualTo(1450);
        assertThat(link.path("operstate").asText()).as("state").isEqualTo("UP");
        assertThat(link.path("addr_info")).as("addresses: no IPv6 link-local").hasSize(1);
        assertThat(link.path("addr_info").get(0).path("local").asText())
                .as("address")
                .isEqualTo("10.1.0.5");
        assertThat(link.path("addr_info").get(0).path("prefixlen").asInt())
                .as("length")
                .isEqualTo(32);
        assertThat(pod.ip("route", "show"))
                .as("routes")
                .contains("default via 169.254.1.1 dev eth0 proto 112 onlink")
                .contains("169.254.1.1 dev eth0 proto 112 scope link");
        assertThat(pod.ip("neigh", "show")).as("neighbour").contains("169.254.1.1 dev eth0 lladdr 02:00:00:00:00:01");
    }

    @Test
    void everythingMadeIsReadBackAndDeletingTwiceIsFalse() {
        int bridge = addBridge("pw0");
        InterfaceAddress address = new InterfaceAddress(bridge, IpAddress.parse("10.9.0.1"), 24, Scope.GLOBAL);
        InterfaceAddress address6 = new InterfaceAddress(bridge, IpAddress.parse("fd00:9::1"), 64, Scope.GLOBAL);
        Route route = Route.via(IpPrefix.parse("10.2.0.0/26"), IpAddress.parse("10.9.0.7"), bridge);
        Route route6 = new Route(
                IpPrefix.parse("fd00:2::/64"),
                Optional.of(IpAddress.parse("fd00:9::7")),
                OptionalInt.of(bridge),
                route.scope(),
                false,
                RouteProtocol.PODWIRE,
                Optional.empty(),
                OptionalInt.of(1400));
        Route blackhole = Route.blackhole(IpPrefix.parse("10.3.0.0/24"));
        Route blackhole6 = Route.blackhole(IpPrefix.parse("fd00:3::/64"));
        Neighbour neighbour = new Neighbour(bridge, POD, POD_MAC, true);
        Neighbour neighbour6 = new Neighbour(bridge, IpAddress.parse("fd00:9::5"), POD_MAC, true);
        for (int i = 0; i < 2; i++) { // the second time changes nothing
            netlink.replaceAddress(address);
            netlink.replaceAddress(address6);
            List.of(route, route6, blackhole, blackhole6).forEach(netlink::replaceRoute);
            List.of(neighbour, neighbour6).forEach(netlink::replaceNeighbour);
        }
        assertThat(netlink.addresses()).as("addresses").contains(address, address6);
        assertThat(netlink.routes(IpFamily.V4)).as("IPv4 routes").contains(route, blackhole);
        assertThat(netlink.routes(IpFamily.V6)).as("IPv6 routes").contains(route6, blackhole6);
        assertThat(netlink.neighbours(IpFamily.V4)).as("IPv4 neighbours").containsExactly(neighbour);
        assertThat(netlink.neighbours(IpFamily.V6)).as("IPv6 neighbours").containsExactly(neighbour6);
        for (boolean there : new boolean[] {true, false}) {
            for (Route each : List.of(route, route6, blackhole, blackhole6)) {
                assertThat(netlink.deleteRoute(each)).as("delete %s", each).isEqualTo(there);
            }
            for (Neighbour each : List.of(neighbour, neighbour6)) {
                assertThat(netlink.deleteNeighbour(each)).as("delete %s", each).isEqualTo(there);
            }
            for (InterfaceAddress each : List.of(address, address6)) {
                assertThat(netlink.deleteAddress(each)).as("delete %s", each).isEqualTo(there);
            }
        }
        assertThat(netlink.deleteLink(bridge)).as("delete the link").isTrue();
        assertThat(netlink.deleteLink(bridge)).as("delete the link again").isFalse();
        assertThat(netlink.link(bridge)).as("the link by index").isEmpty();
        assertThat(netlink.link("pw0")).as("the link by name").isEmpty();
        assertThat(netlink.deleteAddress(address)).as("address of a gone link").isFalse();
        assertThat(netlink.deleteRoute(route)).as("route by a gone link").isFalse();
        assertThat(netlink.deleteNeighbour(neighbour))
                .as("neighbour on a gone link")
                .isFalse();
        assertThat(netlink.deleteFdb(FdbEntry.ofPort(bridge, POD_MAC)))
                .as("entry of a gone link")
                .isFalse();
        assertThatThrownBy(() -> netlink.setUp(bridge))
                .as("up a gone link")
                .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                .extracting(NetlinkException::errno)
                .isEqualTo(Errno.ENODEV);
    }

    @Test
    void aRouteOfAnotherProtocolIsNotDeleted() {
        int bridge = addBridge("pw0");
        host.ip("route", "add", "10.2.0.0/26", "dev", "pw0", "proto", "static");
        Route ours = Route.onLink(IpPrefix.parse("10.2.0.0/26"), bridge);
        assertThat(netlink.deleteRoute(ours)).as("a route that ip made").isFalse();
        assertThat(netlink.routes(IpFamily.V4))
                .as("routes")
                .extracting(Route::protocol)
                .containsExactly(RouteProtocol.STATIC);
    }

    @Test
    void vxlanAndItsForwardingEntries() {
        int bridge = addBridge("under");
        IpAddress local = IpAddress.parse("192.0.2.1");
        VxlanOuter outer = new VxlanOuter(OptionalInt.of(bridge), 50_000, 50_999, true);
        NewLinkKind kind = new NewLinkKind.Vxlan(4242, local, 4789, false, outer);
        MacAddress mac = MacAddress.parse("02:00:00:00:fe:01");
        int vxlan = netlink.addLink(new NewLink(
                "pwvx", kind, Optional.of(mac), OptionalInt.of(1450), OptionalInt.empty(), true, Optional.empty()));
        Link link = netlink.link(vxlan).orElseThrow();
        assertThat(link.kind()).as("kind").isEqualTo(new LinkKind.Vxlan(4242, Optional.of(local), 4789, false, outer));
        assertThat(link.mac()).as("mac").contains(mac);
        assertThat(link.up()).as("up").isTrue();
        JsonNode info = host.ipJson("link", "show", "dev", "pwvx")
                .get(0)
                .path("linkinfo")
                .path("info_data");
        assertThat(info.path("id").asInt()).as("vni").isEqualTo(4242);
        assertThat(info.path("local").asText()).as("local").isEqualTo("192.0.2.1");
        assertThat(info.path("link").asText()).as("underlay").isEqualTo("under");
        assertThat(info.path("port").asInt()).as("port").isEqualTo(4789);
        assertThat(info.path("learning").asBoolean(true)).as("learning").isFalse();
        FdbEntry entry = FdbEntry.ofVxlan(vxlan, POD_MAC, IpAddress.parse("192.0.2.7"));
        FdbEntry moved = FdbEntry.ofVxlan(vxlan, POD_MAC, IpAddress.parse("192.0.2.8"));
        netlink.replaceFdb(entry);
        netlink.replaceFdb(moved);
        assertThat(netlink.fdb())
                .as("entries with a destination")
                .filteredOn(e -> e.vxlanDestination().isPresent())
                .containsExactly(moved);
        assertThat(host.run("bridge", "fdb", "show", "dev", "pwvx"))
                .as("as bridge(8) sees it")
                .contains(POD_MAC + " dst 192.0.2.8 self permanent");
        assertThat(netlink.deleteFdb(moved)).as("delete").isTrue();
        assertThat(netlink.deleteFdb(moved)).as("delete again").isFalse();
    }

    @Test
    void portsTellTheirFlagsAndMasters() {
        int bridge = addBridge("pw0");
        int veth = netlink.addLink(veth("a0", "a1"));
        assertThat(netlink.link(veth).orElseThrow().bridgePort())
                .as("no port yet")
                .isEmpty();
        netlink.setMaster(veth, bridge);
        for (boolean on : new boolean[] {true, false}) {
            BridgePort port = new BridgePort(on, !on, on, !on, on, !on);
            netlink.setBridgePort(veth, port);
            assertThat(netlink.link(veth).orElseThrow().bridgePort()).as("port").contains(port);
        }
        assertThat(netlink.link(veth).orElseThrow().master()).as("master").hasValue(bridge);
        FdbEntry entry = FdbEntry.ofPort(veth, POD_MAC);
        netlink.replaceFdb(entry);
        assertThat(netlink.fdb())
                .as("entries of the bridge")
                .filteredOn(e -> e.owner() == FdbOwner.MASTER)
                .contains(entry);
        assertThat(netlink.deleteFdb(entry)).as("delete").isTrue();
        assertThat(netlink.deleteFdb(entry)).as("delete again").isFalse();
        netlink.setMaster(veth, 0);
        netlink.setMtu(veth, 1400);
        netlink.setAlias(veth, "some text");
        netlink.setUp(veth);
        netlink.setDown(veth);
        Link link = netlink.link("a0").orElseThrow();
        assertThat(link.master()).as("no master any more").isEmpty();
        assertThat(link.mtu()).as("mtu").isEqualTo(1400);
        assertThat(link.alias()).as("alias").isEqualTo("some text");
        assertThat(link.up()).as("up").isFalse();
        netlink.setAlias(veth, "");
        assertThat(netlink.link("a0").orElseThrow().alias())
                .as("no alias any more")
                .isEmpty();
    }

    @Test
    void takenNamesAreEexistAndLeaveNothing() {
        Space pod = sandbox.add();
        pod.ip("link", "add", "eth0", "type", "bridge");
        int bridge = addBridge("pw0");
        for (NewLink taken : List.of(veth("pw0", "other"), podVeth(pod, bridge))) {
            assertThatThrownBy(() -> netlink.addLink(taken))
                    .as("make %s", taken)
                    .hasMessageContaining(taken.name())
                    .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                    .extracting(NetlinkException::errno)
                    .isEqualTo(Errno.EEXIST);
        }
        assertThat(netlink.links()).as("links").extracting(Link::name).containsExactly("lo", "pw0");
    }

    @Test
    void aRefusalQuotesTheKernel() {
        int bridge = addBridge("pw0");
        Route unreachable = new Route(
                IpPrefix.parse("10.2.0.0/26"),
                Optional.of(IpAddress.parse("10.9.0.7")),
                OptionalInt.of(bridge),
                RouteScope.GLOBAL,
                false,
                RouteProtocol.PODWIRE,
                Optional.empty(),
                OptionalInt.empty());
        assertThatThrownBy(() -> netlink.replaceRoute(unreachable))
                .as("a gateway that no route leads to")
                .hasMessageContaining("10.2.0.0/26")
                .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                .satisfies(e -> assertThat(e.errno()).as("errno").isEqualTo(Errno.ENETUNREACH))
                .extracting(NetlinkException::kernelText)
                .isEqualTo("Nexthop has invalid gateway");
    }

    @Test
    void longDumpsComeWhole() {
        int bridge = addBridge("pw0");
        Set<String> names = new HashSet<>(Set.of("lo", "pw0"));
        for (int i = 0; i < 105; i++) {
            netlink.addLink(veth("a" + i, "b" + i));
            names.addAll(List.of("a" + i, "b" + i));
        }
        List<Route> routes = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            routes.add(Route.onLink(IpPrefix.ofHost(IpAddress.parse("10.1.0.0").plus(i)), bridge));
        }
        routes.forEach(netlink::replaceRoute);
        assertThat(netlink.links())
                .as("links")
                .extracting(Link::name)
                .hasSize(212)
                .hasSameElementsAs(names);
        assertThat(netlink.routes(IpFamily.V4)).as("routes").containsExactlyInAnyOrderElementsOf(routes);
    }

    @Test
    void changesAtOnceAreMadeInTheirOrder() {
        int bridge = addBridge("pw0");
        Route toPod = Route.onLink(IpPrefix.ofHost(POD), bridge);
        netlink.atOnce(() -> {
            netlink.setUp(bridge);
            netlink.replaceAddress(new InterfaceAddress(bridge, GATEWAY, 32, Scope.LINK));
            netlink.replaceNeighbour(new Neighbour(bridge, POD, POD_MAC, true));
            netlink.replaceRoute(toPod);
        });
        assertThat(netlink.link(bridge).orElseThrow().up()).as("up").isTrue();
        assertThat(netlink.routes(IpFamily.V4))
                .as("a route by a link that had to be up before")
                .contains(toPod);
        assertThat(netlink.neighbours(IpFamily.V4)).contains(new Neighbour(bridge, POD, POD_MAC, true));
        netlink.atOnce(() -> {});
        assertThat(netlink.deleteRoute(toPod)).as("alone again").isTrue();
        assertThat(netlink.deleteRoute(toPod)).as("and what it answers").isFalse();
    }

    @Test
    void ofChangesAtOnceTheFirstRefusalIsTold() {
        int bridge = addBridge("pw0");
        Neighbour neighbour = new Neighbour(bridge, POD, POD_MAC, true);
        assertThatThrownBy(() -> netlink.atOnce(() -> {
                    netlink.setMtu(bridge, 1400);
                    netlink.setMaster(bridge, bridge);
                    netlink.setMtu(12345, 1400);
                    netlink.replaceNeighbour(neighbour);
                }))
                .as("a bridge below itself, and a link that is not there")
                .isInstanceOf(NetlinkException.class)
                .hasMessageContaining("set master " + bridge + " of link " + bridge)
                .hasMessageNotContaining("12345");
        assertThat(netlink.link(bridge).orElseThrow().mtu())
                .as("before the refusal")
                .isEqualTo(1400);
        assertThat(netlink.neighbours(IpFamily.V4)).as("behind it").contains(neighbour);
        netlink.atOnce(() -> netlink.deleteLink(bridge));
        netlink.atOnce(() -> netlink.deleteLink(bridge));
        assertThat(netlink.link("pw0"))
                .as("gone; ENODEV is an outcome, here too")
                .isEmpty();
    }

    @Test
    void aSocketStaysInItsNamespaceWhateverThreadUsesIt() throws Exception {
        Space other = sandbox.add();
        host.ip("link", "add", "here", "type", "bridge");
        other.ip("link", "add", "there", "type", "bridge");
        try (Rtnetlink there = Rtnetlink.open(other.netns());
                ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<String>> names = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                Rtnetlink socket = i % 2 == 0 ? netlink : there;
                names.add(executor.submit(() -> socket.links().get(1).name()));
            }
            for (int i = 0; i < names.size(); i++) {
                assertThat(names.get(i).get())
                        .as("link that thread %s saw", i)
                        .isEqualTo(i % 2 == 0 ? "here" : "there");
            }
        }
    }

    @Test
    void aClosedSocketIsNotUsedAgain() {
        Rtnetlink closed = Rtnetlink.open(host.netns());
        closed.close();
        closed.close();
        assertThatThrownBy(closed::links)
                .as("use after close")
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("list links");
    }

    private int addBridge(String name) {
        return netlink.addLink(new NewLink(
                name,
                new NewLinkKind.Bridge(),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                true,
                Optional.empty()));
    }

    private static NewLink veth(String name, String peer) {
        return new NewLink(
                name,
                new NewLinkKind.Veth(peer, Optional.empty(), OptionalInt.empty(), -1),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                false,
                Optional.empty());
    }

    private static NewLink podVeth(Space pod, int bridge) {
        return new NewLink(
                "pwpod",
                new NewLinkKind.Veth(
                        "eth0",
                        Optional.of(POD_MAC),
                        OptionalInt.empty(),
                        pod.netns().fd()),
                Optional.empty(),
                OptionalInt.of(1450),
                OptionalInt.of(bridge),
                true,
                Optional.of("container 1 eth0"));
    }
}
