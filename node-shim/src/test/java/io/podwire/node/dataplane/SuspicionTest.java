package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.dataplane.DriftWatch.Part;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.RtnetlinkEvent;
import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NeighbourKey;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.testing.Attachments;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class SuspicionTest {
    private static final int UNDERLAY = 2;
    private static final int TUNNEL = 3;
    private static final int BRIDGE = 7;
    private static final int PORT = 8;
    private static final int OTHER = 99;
    private static final int MTU = 1450;

    private static final Attachment POD = Attachments.of("c1", "10.1.0.5");
    private static final IpAddress ADDRESS = POD.addresses().first();
    private static final IpPrefix REMOTE = IpPrefix.parse("10.1.2.0/26");
    private static final DriftWatch.Wanted WANTED =
            new DriftWatch.Wanted(List.of(POD), BRIDGE, MTU, UNDERLAY, TUNNEL, Set.of(REMOTE));
    private static final BridgePort OPEN = new BridgePort(false, true, true, true, true, false);

    private static Set<Part> of(RtnetlinkEvent event) {
        return Suspicion.of(List.of(event), WANTED, Map.of(PORT, POD.hostIfname()));
    }

    private static Link link(int index, String name, String alias, MacAddress mac, boolean up, int master) {
        boolean bridge = name.equals(PodNames.BRIDGE);
        return new Link(
                index,
                name,
                alias,
                Optional.of(mac),
                MTU,
                up,
                false,
                false,
                master == 0 ? OptionalInt.empty() : OptionalInt.of(master),
                bridge ? new LinkKind.Bridge() : new LinkKind.Veth(),
                master == 0 ? Optional.empty() : Optional.of(HostSide.PORT),
                OptionalInt.empty(),
                OptionalInt.empty());
    }

    private static Link port(boolean up, int master) {
        return link(PORT, POD.hostIfname(), PodNames.alias(POD.key()), MacAddress.locallyAdministered(1), up, master);
    }

    @Test
    void whatAnAddDoesIsNoReasonToLook() {
        assertThat(List.of(
                        new RtnetlinkEvent.LinkChanged(port(true, BRIDGE)),
                        new RtnetlinkEvent.PortChanged(PORT, HostSide.PORT),
                        new RtnetlinkEvent.RouteChanged(HostSide.route(POD, ADDRESS, BRIDGE)),
                        new RtnetlinkEvent.NeighbourChanged(HostSide.neighbour(POD, ADDRESS, BRIDGE)),
                        new RtnetlinkEvent.FdbChanged(HostSide.fdb(POD, PORT)),
                        new RtnetlinkEvent.LinkChanged(
                                link(BRIDGE, PodNames.BRIDGE, "", PodNames.BRIDGE_MAC, true, 0))))
                .allSatisfy(event -> assertThat(of(event)).as("%s", event).isEmpty());
    }

    @Test
    void whatADelDoesIsNoReasonToLookOnceTheAttachmentIsGone() {
        DriftWatch.Wanted without = new DriftWatch.Wanted(List.of(), BRIDGE, MTU, UNDERLAY, TUNNEL, Set.of(REMOTE));
        List<RtnetlinkEvent> events = List.of(
                new RtnetlinkEvent.RouteGone(HostSide.route(POD, ADDRESS, BRIDGE)),
                new RtnetlinkEvent.NeighbourGone(new NeighbourKey(BRIDGE, ADDRESS)),
                new RtnetlinkEvent.FdbGone(HostSide.fdb(POD, PORT)),
                new RtnetlinkEvent.PortChanged(PORT, OPEN),
                new RtnetlinkEvent.LinkGone(PORT));
        assertThat(Suspicion.of(events, without, Map.of(PORT, POD.hostIfname())))
                .isEmpty();
        assertThat(Suspicion.of(events, WANTED, Map.of(PORT, POD.hostIfname())))
                .as("before")
                .containsExactly(Part.PODS);
    }

    @Test
    void whatOthersDoToAPodIsAReasonToLookAtPods() {
        MacAddress mac = MacAddress.locallyAdministered(9);
        assertThat(List.of(
                        new RtnetlinkEvent.LinkChanged(port(false, BRIDGE)),
                        new RtnetlinkEvent.LinkChanged(port(true, 0)),
                        new RtnetlinkEvent.LinkChanged(port(true, OTHER)),
                        new RtnetlinkEvent.PortChanged(PORT, OPEN),
                        new RtnetlinkEvent.RouteGone(HostSide.route(POD, ADDRESS, BRIDGE)),
                        new RtnetlinkEvent.RouteChanged(HostSide.route(POD, ADDRESS, OTHER)),
                        new RtnetlinkEvent.NeighbourGone(new NeighbourKey(BRIDGE, ADDRESS)),
                        new RtnetlinkEvent.NeighbourChanged(new Neighbour(BRIDGE, ADDRESS, mac, true)),
                        new RtnetlinkEvent.FdbGone(HostSide.fdb(POD, PORT)),
                        new RtnetlinkEvent.FdbChanged(HostSide.fdb(POD, OTHER))))
                .allSatisfy(event -> assertThat(of(event)).as("%s", event).containsExactly(Part.PODS));
    }

    @Test
    void portFlagsOfALinkNobodyKnowsAreLookedAt() {
        assertThat(Suspicion.of(List.of(new RtnetlinkEvent.PortChanged(OTHER, OPEN)), WANTED, Map.of()))
                .as("it may be a pod's, made before this began")
                .containsExactly(Part.PODS);
        assertThat(Suspicion.of(List.of(new RtnetlinkEvent.PortChanged(OTHER, OPEN)), WANTED, Map.of(OTHER, "veth0")))
                .as("another program's")
                .isEmpty();
    }

    @Test
    void whatHappensToTheBridgeConcernsItsPodsToo() {
        assertThat(List.of(
                        new RtnetlinkEvent.LinkGone(BRIDGE),
                        new RtnetlinkEvent.AddressGone(new InterfaceAddress(BRIDGE, PodNames.GATEWAY, 32, Scope.LINK)),
                        new RtnetlinkEvent.LinkChanged(
                                link(BRIDGE, PodNames.BRIDGE, "", PodNames.BRIDGE_MAC, false, 0)),
                        new RtnetlinkEvent.LinkChanged(
                                link(BRIDGE, PodNames.BRIDGE, "", MacAddress.locallyAdministered(9), true, 0)),
                        new RtnetlinkEvent.LinkChanged(link(OTHER, PodNames.BRIDGE, "", PodNames.BRIDGE_MAC, true, 0))))
                .allSatisfy(event ->
                        assertThat(of(event)).as("%s", event).containsExactlyInAnyOrder(Part.BRIDGE, Part.PODS));
    }

    @Test
    void whatHappensBetweenNodesConcernsRoutes() {
        IpAddress via = IpAddress.parse("192.0.2.2");
        MacAddress mac = MacAddress.locallyAdministered(9);
        assertThat(List.of(
                        new RtnetlinkEvent.LinkGone(TUNNEL),
                        new RtnetlinkEvent.RouteGone(Route.via(REMOTE, via, UNDERLAY)),
                        new RtnetlinkEvent.RouteChanged(Route.onLink(REMOTE, OTHER)),
                        new RtnetlinkEvent.NeighbourGone(new NeighbourKey(TUNNEL, via)),
                        new RtnetlinkEvent.FdbGone(FdbEntry.ofVxlan(TUNNEL, mac, via)),
                        new RtnetlinkEvent.AddressChanged(new InterfaceAddress(TUNNEL, ADDRESS, 32, Scope.GLOBAL)),
                        new RtnetlinkEvent.AddressChanged(new InterfaceAddress(OTHER, via, 24, Scope.GLOBAL)),
                        new RtnetlinkEvent.AddressGone(new InterfaceAddress(UNDERLAY, via, 24, Scope.GLOBAL))))
                .allSatisfy(event -> assertThat(of(event)).as("%s", event).containsExactly(Part.ROUTES));
    }

    @Test
    void whatOthersDoWithTheirOwnIsNoReasonToLook() {
        IpAddress via = IpAddress.parse("192.0.2.2");
        MacAddress mac = MacAddress.locallyAdministered(9);
        assertThat(List.of(
                        new RtnetlinkEvent.LinkGone(OTHER),
                        new RtnetlinkEvent.AddressChanged(new InterfaceAddress(PORT, via, 32, Scope.LINK)),
                        new RtnetlinkEvent.RouteGone(Route.via(IpPrefix.parse("198.51.100.0/24"), via, UNDERLAY)),
                        new RtnetlinkEvent.NeighbourChanged(new Neighbour(UNDERLAY, via, mac, false)),
                        new RtnetlinkEvent.FdbChanged(FdbEntry.ofPort(OTHER, mac)),
                        new RtnetlinkEvent.AddressGone(new InterfaceAddress(OTHER, via, 24, Scope.GLOBAL))))
                .allSatisfy(event -> assertThat(of(event)).as("%s", event).isEmpty());
    }

    @Test
    void afterALossEverythingIsSuspect() {
        assertThat(of(new RtnetlinkEvent.Lost())).containsExactly(Part.values());
    }

    @Test
    void ofEachObjectTheLastEventCounts() {
        PendingEvents pending = new PendingEvents();
        assertThat(pending.add(new RtnetlinkEvent.LinkChanged(port(false, BRIDGE))))
                .as("the first")
                .isTrue();
        assertThat(pending.add(new RtnetlinkEvent.LinkChanged(port(true, BRIDGE))))
                .as("another")
                .isFalse();
        assertThat(pending.take()).containsExactly(new RtnetlinkEvent.LinkChanged(port(true, BRIDGE)));
        assertThat(pending.add(new RtnetlinkEvent.LinkGone(PORT)))
                .as("the first again")
                .isTrue();
    }

    @Test
    void tooManyEventsAreALoss() {
        PendingEvents pending = new PendingEvents();
        for (int index = 1; index <= 10_001; index++) {
            pending.add(new RtnetlinkEvent.LinkGone(index));
        }
        assertThat(pending.take()).containsExactly(new RtnetlinkEvent.Lost());
    }
}
