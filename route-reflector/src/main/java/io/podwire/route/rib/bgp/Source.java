package io.podwire.route.rib.bgp;

import io.podwire.common.net.NodeName;

/** Where a path is from. */
public sealed interface Source {
    /** A node of ours holds the prefix. */
    record Node(NodeName node) implements Source {}

    /** A neighbour told it. */
    record Learned(Neighbor neighbor) implements Source {}
}
