package io.podwire.route.rib;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;

/** What becomes of an announcement. Only {@link Accepted} changes anything. */
public sealed interface AnnounceResult {
    /**
     * It replaces what the node announced before.
     *
     * @param table the next table
     * @param delta what readers see of it
     * @param services whether the node's addresses of Services are others now, of which readers see nothing
     */
    record Accepted(RouteTable table, RibDelta delta, boolean services) implements AnnounceResult {}

    /** A later start of the same installation is known. */
    record StaleEpoch(NodeEpoch known) implements AnnounceResult {}

    /** Another installation of that name is connected. */
    record NameTaken(NodeEpoch known) implements AnnounceResult {}

    /**
     * Another node holds addresses of a prefix.
     *
     * @param asked the prefix announced
     * @param held the holder's prefix that overlaps it
     * @param holder the other node
     */
    record PrefixTaken(IpPrefix asked, IpPrefix held, NodeName holder) implements AnnounceResult {}
}
