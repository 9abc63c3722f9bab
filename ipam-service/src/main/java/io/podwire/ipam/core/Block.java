package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.Comparator;

/**
 * A block that a node owns. A block nobody owns has no record.
 *
 * @param pool name of its pool
 * @param cidr its addresses
 * @param owner who owns it, in the epoch of the claim
 * @param requestId of the claim that took it
 */
public record Block(String pool, IpPrefix cidr, NodeEpoch owner, String requestId) implements Comparable<Block> {
    private static final Comparator<Block> ORDER =
            Comparator.comparing(Block::pool).thenComparing(Block::cidr);

    /** By pool, then address. */
    @Override
    public int compareTo(Block other) {
        return ORDER.compare(this, other);
    }
}
