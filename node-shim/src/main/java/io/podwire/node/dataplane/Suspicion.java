package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.BRIDGE;
import static io.podwire.node.dataplane.PodNames.VXLAN;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.dataplane.DriftWatch.Part;
import io.podwire.node.dataplane.DriftWatch.Wanted;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.RtnetlinkEvent;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.Route;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Which parts of the node an event gives reason to look at: those of which it says something else than what has to be.
 * What ADDs, DELs and new plans do agrees with that, once they are done, so it gives none. Pure.
 */
final class Suspicion {
    private final Wanted wanted;
    private final Map<Integer, String> names;
    private final Map<String, Attachment> byLink = new HashMap<>();
    private final Map<IpAddress, Attachment> byAddress = new HashMap<>();
    private final Map<MacAddress, Attachment> byMac = new HashMap<>();

    private Suspicion(Wanted wanted, Map<Integer, String> names) {
        this.wanted = wanted;
        this.names = names;
        wanted.attachments().forEach(a -> {
            byLink.put(a.hostIfname(), a);
            byMac.put(a.mac(), a);
            a.addresses().stream().forEach(address -> byAddress.put(address, a));
        });
    }

    /**
     * The parts to look at.
     *
     * @param names of links by index, as far as they are known
     */
    static Set<Part> of(Collection<RtnetlinkEvent> events, Wanted wanted, Map<Integer, String> names) {
        Suspicion suspicion = new Suspicion(wanted, names);
        Set<Part> parts = EnumSet.noneOf(Part.class);
        events.forEach(event -> parts.addAll(suspicion.of(event)));
        return parts;
    }

    private Set<Part> of(RtnetlinkEvent event) {
        return switch (event) {
            case RtnetlinkEvent.Lost _ -> EnumSet.allOf(Part.class);
            case RtnetlinkEvent.LinkChanged(Link link) -> link(link);
            case RtnetlinkEvent.LinkGone(int index) -> ofLink(index);
            case RtnetlinkEvent.PortChanged(int index, var port) ->
                part(
                        Part.PODS,
                        !port.equals(HostSide.PORT) && (!names.containsKey(index) || byLink.containsKey(name(index))));
            // It may be the underlay's new place. Nobody but the node's administrator adds addresses.
            case RtnetlinkEvent.AddressChanged(var address) ->
                part(
                        Part.ROUTES,
                        isOfRoutes(address.ifindex())
                                || !name(address.ifindex()).startsWith(PodNames.PREFIX));
            case RtnetlinkEvent.AddressGone(var address) -> ofLink(address.ifindex());
            case RtnetlinkEvent.RouteChanged(Route route) -> route(route, false);
            case RtnetlinkEvent.RouteGone(Route route) -> route(route, true);
            case RtnetlinkEvent.NeighbourChanged(Neighbour n) ->
                n.ifindex() == wanted.bridge()
                        ? part(Part.PODS, byAddress.containsKey(n.address()) && !isWanted(n))
                        : part(Part.ROUTES, n.ifindex() == wanted.tunnel());
            case RtnetlinkEvent.NeighbourGone(var n) ->
                n.ifindex() == wanted.bridge()
                        ? part(Part.PODS, byAddress.containsKey(n.address()))
                        : part(Part.ROUTES, n.ifindex() == wanted.tunnel());
            case RtnetlinkEvent.FdbChanged(FdbEntry entry) -> fdb(entry, false);
            case RtnetlinkEvent.FdbGone(FdbEntry entry) -> fdb(entry, true);
        };
    }

    private Set<Part> link(Link link) {
        if (link.name().equals(BRIDGE)) {
            boolean right = link.index() == wanted.bridge()
                    && BridgeState.ofLink(link, wanted.mtu()).isEmpty();
            return right ? EnumSet.noneOf(Part.class) : EnumSet.of(Part.BRIDGE, Part.PODS);
        }
        if (link.name().equals(VXLAN) || link.index() == wanted.underlay()) {
            return EnumSet.of(Part.ROUTES);
        }
        Attachment a = byLink.get(link.name());
        return part(
                Part.PODS,
                a != null && !HostSide.ofLink(a, link, wanted.bridge()).isEmpty());
    }

    /** Something of a link is gone: whose part it is. */
    private Set<Part> ofLink(int index) {
        if (index == wanted.bridge()) {
            return EnumSet.of(Part.BRIDGE, Part.PODS);
        }
        return isOfRoutes(index) ? EnumSet.of(Part.ROUTES) : part(Part.PODS, byLink.containsKey(name(index)));
    }

    private Set<Part> route(Route route, boolean gone) {
        IpPrefix to = route.destination();
        Attachment a = to.length() == to.family().bits() ? byAddress.get(to.address()) : null;
        if (a != null) {
            boolean wrong = gone || !route.equals(HostSide.route(a, to.address(), wanted.bridge()));
            return part(Part.PODS, wrong);
        }
        return part(Part.ROUTES, wanted.remote().contains(to));
    }

    private Set<Part> fdb(FdbEntry entry, boolean gone) {
        if (entry.ifindex() == wanted.tunnel()) {
            return EnumSet.of(Part.ROUTES);
        }
        Attachment a = byMac.get(entry.mac());
        boolean wrong = gone
                || (a != null
                        && !(name(entry.ifindex()).equals(a.hostIfname())
                                && entry.equals(HostSide.fdb(a, entry.ifindex()))));
        return part(Part.PODS, a != null && wrong);
    }

    private boolean isWanted(Neighbour n) {
        return n.equals(HostSide.neighbour(byAddress.get(n.address()), n.address(), wanted.bridge()));
    }

    private boolean isOfRoutes(int index) {
        return index == wanted.underlay() || (index == wanted.tunnel() && index != 0);
    }

    private String name(int index) {
        return names.getOrDefault(index, "");
    }

    private static Set<Part> part(Part part, boolean suspicious) {
        return suspicious ? EnumSet.of(part) : EnumSet.noneOf(Part.class);
    }
}
