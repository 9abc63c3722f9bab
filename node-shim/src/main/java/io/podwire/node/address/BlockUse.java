package io.podwire.node.address;

import io.podwire.common.net.IpPrefix;

/**
 * What a block's addresses are. The three counts together are the addresses of the block that the node uses.
 *
 * @param block its addresses
 * @param pool the pool it is of; empty: one without a name
 * @param free addresses that nobody has and that do not cool down
 * @param used addresses that an owner has
 * @param cooling addresses that were released and that nobody gets yet
 * @param gives true when a new owner may get one of the free ones
 */
public record BlockUse(IpPrefix block, String pool, int free, int used, int cooling, boolean gives) {
    /** True when it could be given back: no address is in use or cools down. */
    public boolean unused() {
        return used == 0 && cooling == 0;
    }
}
