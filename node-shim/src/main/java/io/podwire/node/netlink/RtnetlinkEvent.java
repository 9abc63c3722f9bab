package io.podwire.node.netlink;

import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NeighbourKey;
import io.podwire.node.netlink.rt.Route;

/** What {@link RtnetlinkMonitor} tells. What changed is there now, whether it was before or not. */
public sealed interface RtnetlinkEvent {
    /**
     * A link was made or changed. The kernel says nothing of an alias or port flags that change while the link is
     * down: netdev_state_change() in net/core/dev.c.
     */
    record LinkChanged(Link link) implements RtnetlinkEvent {}

    /** The link of this index is gone, and with it, without a word of them, its IPv4 routes. */
    record LinkGone(int index) implements RtnetlinkEvent {}

    /** The bridge port of this index has these flags now; {@link LinkChanged} may say so too, or not. */
    record PortChanged(int index, BridgePort port) implements RtnetlinkEvent {}

    /** An address was added or changed. */
    record AddressChanged(InterfaceAddress address) implements RtnetlinkEvent {}

    /** An address was deleted, and with it, without a word of them, IPv4 routes that prefer it as their source. */
    record AddressGone(InterfaceAddress address) implements RtnetlinkEvent {}

    /** A route of any table was added or changed; those that {@code Rtnetlink.routes} does not list are not told. */
    record RouteChanged(Route route) implements RtnetlinkEvent {}

    /** A route was deleted; not told of IPv4 routes of a link that went down or away. */
    record RouteGone(Route route) implements RtnetlinkEvent {}

    /** A neighbour's link-layer address is known now. */
    record NeighbourChanged(Neighbour neighbour) implements RtnetlinkEvent {}

    /** A neighbour's link-layer address is not known, or not any more. */
    record NeighbourGone(NeighbourKey neighbour) implements RtnetlinkEvent {}

    /** A forwarding entry was added or changed. */
    record FdbChanged(FdbEntry entry) implements RtnetlinkEvent {}

    /** A forwarding entry was deleted. */
    record FdbGone(FdbEntry entry) implements RtnetlinkEvent {}

    /** Anything may have changed: look at everything. All that changes from now on is told again. */
    record Lost() implements RtnetlinkEvent {}
}
