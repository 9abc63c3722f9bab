package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.netlink.RtnetlinkEvent.AddressChanged;
import io.podwire.node.netlink.RtnetlinkEvent.AddressGone;
import io.podwire.node.netlink.RtnetlinkEvent.FdbChanged;
import io.podwire.node.netlink.RtnetlinkEvent.FdbGone;
import io.podwire.node.netlink.RtnetlinkEvent.LinkChanged;
import io.podwire.node.netlink.RtnetlinkEvent.LinkGone;
import io.podwire.node.netlink.RtnetlinkEvent.Lost;
import io.podwire.node.netlink.RtnetlinkEvent.NeighbourChanged;
import io.podwire.node.netlink.RtnetlinkEvent.NeighbourGone;
import io.podwire.node.netlink.RtnetlinkEvent.PortChanged;
import io.podwire.node.netlink.RtnetlinkEvent.RouteChanged;
import io.podwire.node.netlink.RtnetlinkEvent.RouteGone;
import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NeighbourKey;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.netlink.rt.VxlanOuter;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What {@link RtnetlinkMonitor} hears from a real kernel of what ip(8) and {@link Rtnetlink} do. */
@Tag("netns")
@Timeout(60)
class RtnetlinkMonitorNetnsTest {
    private static final MacAddress MAC = MacAddress.parse("02:00:00:00:aa:05");
    private static final IpPrefix FOUR = IpPrefix.parse("10.2.0.0/26");
    private static final IpPrefix SIX = IpPrefix.parse("fd00:2::/64");

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final Heard<RtnetlinkEvent> heard = new Heard<>();
    private Space host;
    private Rtnetlink netlink;
    private int bridge;
    private int port;

    @BeforeEach
    void open() {
        host = sandbox.add();
        netlink = Rtnetlink.open(host.netns());
        bridge = add("pw0", new NewLinkKind.Bridge());
        port = add("a0", new NewLinkKind.Veth("a1", Optional.empty(), OptionalInt.empty(), -1));
        netlink.setMaster(port, bridge);
        netlink.disableIpv6LinkLocal(bridge);
        netlink.setUp(bridge);
    }

    @AfterEach
    void removeSandbox() {
        heard.release();
        netlink.close();
        sandbox.close();
    }

    private int add(String name, NewLinkKind kind) {
        return netlink.addLink(new NewLink(
                name, kind, Optional.empty(), OptionalInt.empty(), OptionalInt.empty(), false, Optional.empty()));
    }

    private RtnetlinkMonitor monitor() {
        return RtnetlinkMonitor.open(host.netns(), heard);
    }

    @Test
    void linksComeChangeAndGo() throws Exception {
        try (RtnetlinkMonitor _ = monitor()) {
            host.ip("link", "add", "b0", "type", "bridge");
            int index = netlink.link("b0").orElseThrow().index();
            heard.until(
                    "b0",
                    event -> event instanceof LinkChanged(var link)
                            && link.name().equals("b0"));
            host.ip("link", "set", "b0", "up");
            host.ip("link", "set", "b0", "alias", "some text");
            heard.until(
                    "its alias",
                    event -> event instanceof LinkChanged(var link)
                            && link.index() == index
                            && link.alias().equals("some text"));
            host.ip("link", "del", "b0");
            heard.until(new LinkGone(index));
        }
    }

    @Test
    void addressesComeAndGo() throws Exception {
        InterfaceAddress four = new InterfaceAddress(bridge, IpAddress.parse("10.9.0.1"), 24, Scope.GLOBAL);
        InterfaceAddress six = new InterfaceAddress(bridge, IpAddress.parse("fd00:9::1"), 64, Scope.GLOBAL);
        try (RtnetlinkMonitor _ = monitor()) {
            host.ip("addr", "add", "10.9.0.1/24", "dev", "pw0");
            heard.until(new AddressChanged(four));
            host.ip("addr", "add", "fd00:9::1/64", "dev", "pw0", "nodad", "noprefixroute");
            heard.until(new AddressChanged(six.withoutPrefixRoute()));
            netlink.deleteAddress(four);
            heard.until(new AddressGone(four));
            netlink.deleteAddress(six);
            heard.until(new AddressGone(six.withoutPrefixRoute()));
        }
    }

    @Test
    void routesComeChangeAndGo() throws Exception {
        try (RtnetlinkMonitor _ = monitor()) {
            for (Route route : List.of(
                    Route.onLink(FOUR, bridge).inTable(112),
                    Route.onLink(SIX, bridge),
                    Route.blackhole(FOUR),
                    Route.unreachable(SIX).withMetric(7))) {
                netlink.replaceRoute(route);
                heard.until(new RouteChanged(route));
                netlink.deleteRoute(route);
                heard.until(new RouteGone(route));
            }
        }
    }

    @Test
    void neighboursComeChangeAndGo() throws Exception {
        try (RtnetlinkMonitor _ = monitor()) {
            for (String address : List.of("10.1.0.5", "fd00:1::5")) {
                Neighbour neighbour = new Neighbour(bridge, IpAddress.parse(address), MAC, true);
                netlink.replaceNeighbour(neighbour);
                heard.until(new NeighbourChanged(neighbour));
                host.ip("neigh", "change", address, "dev", "pw0", "lladdr", "02:00:00:00:aa:06", "nud", "permanent");
                heard.until(new NeighbourChanged(
                        new Neighbour(bridge, neighbour.address(), MacAddress.parse("02:00:00:00:aa:06"), true)));
                host.ip("neigh", "del", address, "dev", "pw0");
                heard.until(new NeighbourGone(new NeighbourKey(bridge, neighbour.address())));
            }
        }
    }

    @Test
    void forwardingEntriesComeAndGo() throws Exception {
        FdbEntry entry = FdbEntry.ofPort(port, MAC);
        try (RtnetlinkMonitor _ = monitor()) {
            netlink.replaceFdb(entry);
            heard.until(new FdbChanged(entry));
            host.run("bridge", "fdb", "del", MAC.toString(), "dev", "a0", "master");
            heard.until(new FdbGone(entry));
            int vxlan = add(
                    "vx0",
                    new NewLinkKind.Vxlan(
                            7,
                            IpAddress.parse("192.0.2.1"),
                            4789,
                            false,
                            new VxlanOuter(OptionalInt.empty(), 0, 0, true)));
            FdbEntry far = FdbEntry.ofVxlan(vxlan, MAC, IpAddress.parse("192.0.2.7"));
            netlink.replaceFdb(far);
            heard.until(new FdbChanged(far));
            netlink.deleteLink(vxlan);
            heard.until(new FdbGone(far));
        }
    }

    @Test
    void portsChangeWhoeverChangesThem() throws Exception {
        BridgePort ours = new BridgePort(true, false, false, false, false, false);
        netlink.setUp(port);
        try (RtnetlinkMonitor _ = monitor()) {
            netlink.setBridgePort(port, ours);
            heard.until(
                    "the port, by a link",
                    event -> event instanceof LinkChanged(var link)
                            && link.index() == port
                            && link.bridgePort().equals(Optional.of(ours)));
            host.run("bridge", "link", "set", "dev", "a0", "isolated", "off");
            heard.until(new PortChanged(port, new BridgePort(false, false, false, false, false, false)));
        }
    }

    /** Why a consumer looks at its routes when a link or an address goes. */
    @Test
    void theKernelSaysNothingOfTheIpv4RoutesOfALinkThatGoesDown() throws Exception {
        Route six = Route.onLink(SIX, bridge);
        netlink.replaceRoute(Route.onLink(FOUR, bridge));
        netlink.replaceRoute(six);
        try (RtnetlinkMonitor _ = monitor()) {
            host.ip("link", "set", "pw0", "down");
            Route marker = Route.blackhole(IpPrefix.parse("fd00:3::/64"));
            netlink.replaceRoute(marker);
            List<RtnetlinkEvent> events = heard.until(new RouteChanged(marker));
            assertThat(netlink.routes(IpFamily.V4)).as("IPv4 routes").isEmpty();
            assertThat(events)
                    .as("events")
                    .anyMatch(event -> event instanceof LinkChanged(var link) && link.index() == bridge && !link.up())
                    .contains(new RouteGone(six))
                    .noneMatch(event -> event instanceof RouteGone(var route)
                            && route.destination().equals(FOUR));
        }
    }

    @Test
    void anOverrunIsOneLossAndThenAllIsToldAgain() throws Exception {
        Route first = Route.onLink(FOUR, bridge);
        Route last = Route.onLink(SIX, bridge);
        heard.hold();
        try (RtnetlinkMonitor _ = RtnetlinkMonitor.open(host.netns(), 16 << 10, heard)) {
            netlink.replaceRoute(first);
            heard.awaitHeld();
            for (int i = 0; i < 1000; i++) {
                netlink.replaceRoute(
                        Route.onLink(IpPrefix.ofHost(IpAddress.parse("10.1.0.0").plus(i)), bridge));
            }
            heard.release();
            assertThat(heard.until(new Lost()))
                    .as("until the loss")
                    .containsExactly(new RouteChanged(first), new Lost());
            netlink.replaceRoute(last);
            assertThat(heard.until(new RouteChanged(last))).as("afterwards").containsExactly(new RouteChanged(last));
        }
    }

    @Test
    void afterCloseNothingIsHeard() {
        RtnetlinkMonitor monitor = monitor();
        monitor.close();
        monitor.close();
        netlink.replaceRoute(Route.onLink(FOUR, bridge));
        assertThat(heard.rest()).as("heard").isEmpty();
    }

    @Test
    void closeDoesNotWaitForAFloodToEnd() throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
            try (Rtnetlink other = Rtnetlink.open(host.netns())) {
                while (!over.get()) {
                    other.replaceRoute(Route.onLink(FOUR, bridge));
                    other.deleteRoute(Route.onLink(FOUR, bridge));
                }
            }
        });
        RtnetlinkMonitor monitor = monitor();
        heard.until("a route", RouteChanged.class::isInstance);
        monitor.close();
        heard.rest();
        netlink.replaceRoute(Route.onLink(SIX, bridge));
        assertThat(heard.rest()).as("heard").isEmpty();
        over.set(true);
        flood.get(10, TimeUnit.SECONDS);
    }

    @Test
    void aListenerMayCloseItsMonitor() throws Exception {
        CompletableFuture<RtnetlinkMonitor> itself = new CompletableFuture<>();
        CompletableFuture<String> closed = new CompletableFuture<>();
        itself.complete(RtnetlinkMonitor.open(host.netns(), _ -> {
            itself.join().close();
            closed.complete(Thread.currentThread().getName());
        }));
        netlink.replaceRoute(Route.onLink(FOUR, bridge));
        assertThat(closed.get(10, TimeUnit.SECONDS)).as("by").isEqualTo("rtnetlink-monitor");
    }
}
