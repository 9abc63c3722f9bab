package io.podwire.node.netlink.rt;

import java.util.OptionalInt;

/**
 * How a VXLAN device sends its outer packets.
 *
 * @param underlayIndex the device that they leave by; empty leaves it to the routes
 * @param firstSourcePort least UDP source port, 0 to 65535; 0 with {@code lastSourcePort} 0 for all that programs get
 * @param lastSourcePort greatest UDP source port, from {@code firstSourcePort}. One of the range is chosen by a hash of
 *     the inner packet, so that a flow keeps its port and its place on a link of several
 * @param checksum whether their UDP header has a checksum; over IPv6 it always has (RFC 8200 §8.1)
 */
public record VxlanOuter(OptionalInt underlayIndex, int firstSourcePort, int lastSourcePort, boolean checksum) {
    /** Checks the ports. */
    public VxlanOuter {
        if (firstSourcePort < 0 || lastSourcePort < firstSourcePort || lastSourcePort > 0xFFFF) {
            throw new IllegalArgumentException("source ports must be within 0 to 65535, in order, got "
                    + firstSourcePort + " to " + lastSourcePort);
        }
    }
}
