package io.podwire.node.netlink.ct;

/**
 * A connection that the kernel tracks, as far as it takes to tell which it is.
 *
 * @param original what the side that opened it sends, before any translation
 * @param reply what the other side sends, before that is translated back
 * @param zone conntrack zone; 0: the default one
 * @param answered whether the other side has sent anything yet
 */
public record Connection(FlowTuple original, FlowTuple reply, int zone, boolean answered) {}
