package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.BRIDGE;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.Route;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** What the node's own side of a pod's wiring has to be, what of it is lacking, and what mends that. Pure. */
final class HostSide {
    /** How a pod's port of the bridge is: pods share no link. */
    static final BridgePort PORT = new BridgePort(true, false, false, false, false, false);

    private HostSide() {}

    /** One change of the kernel. */
    sealed interface Mend {
        /** Sets a link up. */
        record SetUp(int ifindex) implements Mend {}

        /** Sets a link down. */
        record SetDown(int ifindex) implements Mend {}

        /** Makes a link a port of the bridge. */
        record Enslave(int ifindex, int bridge) implements Mend {}

        /** Gives a port of the bridge its flags. */
        record SetPort(int ifindex) implements Mend {}

        /** Puts a route in its place. */
        record PutRoute(Route route) implements Mend {}

        /** Puts a neighbour in its place. */
        record PutNeighbour(Neighbour neighbour) implements Mend {}

        /** Puts a forwarding entry in its place. */
        record PutFdb(FdbEntry entry) implements Mend {}
    }

    /**
     * One thing that is not as it has to be.
     *
     * @param finding what
     * @param mends what puts it right, in order; none where nothing can
     */
    record Lack(Finding finding, List<Mend> mends) {
        /** Copies. */
        Lack {
            mends = List.copyOf(mends);
        }

        private Lack(String object, String name, String problem, Mend... mends) {
            this(new Finding(object, name, problem), List.of(mends));
        }
    }

    /** What is lacking, in the order in which it is mended. */
    static List<Lack> lacks(
            Attachment a,
            Map<String, Link> links,
            Collection<Route> routes,
            Collection<Neighbour> neighbours,
            Collection<FdbEntry> fdb,
            int bridge) {
        Link link = links.get(a.hostIfname());
        if (link == null) {
            return List.of(new Lack("link", a.hostIfname(), "the host end of " + a.key() + " is gone"));
        }
        if (!isOf(link, a)) {
            return List.of(new Lack(
                    "link",
                    a.hostIfname(),
                    "belongs to somebody else (alias '" + link.alias() + "'), not to " + a.key()));
        }
        List<Lack> lacks = new ArrayList<>(ofLink(a, link, bridge));
        for (IpAddress address : a.addresses().list()) {
            Neighbour neighbour = neighbour(a, address, bridge);
            if (!neighbours.contains(neighbour)) {
                lacks.add(new Lack(
                        "neighbour",
                        address.toString(),
                        "no permanent neighbour on " + BRIDGE,
                        new Mend.PutNeighbour(neighbour)));
            }
            Route route = route(a, address, bridge);
            if (!routes.contains(route)) {
                lacks.add(new Lack(
                        "route",
                        IpPrefix.ofHost(address).toString(),
                        "no route to " + BRIDGE,
                        new Mend.PutRoute(route)));
            }
        }
        FdbEntry entry = fdb(a, link.index());
        if (!fdb.contains(entry)) {
            lacks.add(new Lack(
                    "fdb", a.mac().toString(), "no static entry on " + a.hostIfname(), new Mend.PutFdb(entry)));
        }
        return List.copyOf(lacks);
    }

    /** What the link itself lacks. */
    static List<Lack> ofLink(Attachment a, Link link, int bridge) {
        List<Lack> lacks = new ArrayList<>();
        if (!link.master().equals(OptionalInt.of(bridge))) {
            lacks.add(new Lack(
                    "link",
                    link.name(),
                    "is not a port of " + BRIDGE,
                    // Nothing passes it until it is isolated.
                    new Mend.SetDown(link.index()),
                    new Mend.Enslave(link.index(), bridge),
                    new Mend.SetPort(link.index()),
                    new Mend.SetUp(link.index())));
        } else if (!link.bridgePort().equals(Optional.of(PORT))) {
            lacks.add(new Lack(
                    "link",
                    link.name(),
                    "its bridge port has other flags: " + link.bridgePort(),
                    new Mend.SetPort(link.index())));
        }
        if (!link.up()) {
            lacks.add(new Lack(
                    "link", link.name(), "the host end of " + a.key() + " is down", new Mend.SetUp(link.index())));
        }
        return lacks;
    }

    /** True for an attachment's own link; one whose ADD ended before its alias was set has none. */
    static boolean isOf(Link link, Attachment a) {
        return link.kind() instanceof LinkKind.Veth
                && (link.alias().isEmpty() || link.alias().equals(PodNames.alias(a.key())));
    }

    /** The way to a pod's address. One with an MTU of its own is sent no longer packets, though the bridge takes them. */
    static Route route(Attachment a, IpAddress address, int bridge) {
        return Route.onLink(IpPrefix.ofHost(address), bridge)
                .withLimits(a.request().mtu(), OptionalInt.empty());
    }

    /** Who has a pod's address. */
    static Neighbour neighbour(Attachment a, IpAddress address, int bridge) {
        return new Neighbour(bridge, address, a.mac(), true);
    }

    /** The way to a pod's MAC address. */
    static FdbEntry fdb(Attachment a, int port) {
        return FdbEntry.ofPort(port, a.mac());
    }
}
