package io.podwire.route.rib;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;

/** How a node is reached by who does not share its underlay subnet. */
public sealed interface Overlay {
    /** Not at all. */
    record None() implements Overlay {}

    /**
     * By VXLAN (RFC 7348).
     *
     * @param mac unicast address of the node's VXLAN device
     * @param address of that device, inside one of the node's prefixes
     */
    record Vxlan(MacAddress mac, IpAddress address) implements Overlay {
        /** Checks that the MAC address is one that a device can have. */
        public Vxlan {
            // The group bit is the lowest of the first octet, IEEE 802 §8.2.
            if (mac.bits() == 0 || (mac.bits() >>> 40 & 1) != 0) {
                throw new IllegalArgumentException("a device's MAC address must be unicast and not zero, got " + mac);
            }
        }
    }
}
