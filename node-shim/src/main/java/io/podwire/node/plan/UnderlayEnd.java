package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;

/**
 * A node's place on the underlay.
 *
 * @param address of the node
 * @param length prefix length of its subnet, 0 to 32 or 128
 */
public record UnderlayEnd(IpAddress address, int length) {
    /** Checks the length. */
    public UnderlayEnd {
        if (length < 0 || length > address.family().bits()) {
            throw new IllegalArgumentException("underlay length of " + address + " must be 0 to "
                    + address.family().bits() + ", got " + length);
        }
    }

    /** Its subnet: who has an address in it is on the same link. */
    public IpPrefix subnet() {
        return IpPrefix.containing(address, length);
    }
}
