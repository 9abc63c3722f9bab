package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import java.util.Optional;
import java.util.OptionalInt;

/** What a device shall be. */
public sealed interface NewLinkKind {
    /**
     * A veth pair, its other end made straight into its namespace. The kernel refuses to make that end
     * up (ENOTCONN), and ignores or refuses its IPv6 settings: set both afterwards, inside.
     *
     * @param peerName name of the other end
     * @param peerMac its address; the kernel draws one when empty
     * @param peerMtu its MTU in bytes; the device's own when empty
     * @param peerNetnsFd an open file of the namespace that it is made in; -1 for the device's own
     */
    record Veth(String peerName, Optional<MacAddress> peerMac, OptionalInt peerMtu, int peerNetnsFd)
            implements NewLinkKind {}

    /** A software bridge without spanning tree. */
    record Bridge() implements NewLinkKind {}

    /**
     * A VXLAN tunnel end without a default peer: forwarding entries name the peers.
     *
     * @param vni network identifier, 0 to 2^24-1
     * @param local source address of its outer packets
     * @param port UDP destination port, 4789 by RFC 7348
     * @param learning whether it learns peers from received packets
     * @param outer how it sends
     */
    record Vxlan(int vni, IpAddress local, int port, boolean learning, VxlanOuter outer) implements NewLinkKind {
        /** Checks the ranges. */
        public Vxlan {
            if (vni >>> 24 != 0) {
                throw new IllegalArgumentException("vni must be 0 to 16777215, got " + vni);
            }
            if (port < 1 || port > 0xFFFF) {
                throw new IllegalArgumentException("port must be 1 to 65535, got " + port);
            }
        }
    }

    /**
     * An address of its own on another device.
     *
     * @param below ifindex of that device
     * @param mode which others on it are reached
     */
    record Macvlan(int below, MacvlanMode mode) implements NewLinkKind {}

    /**
     * A share of another device's address; its IP addresses tell its packets from the others'. It has no MAC
     * address of its own: leave that empty.
     *
     * @param below ifindex of that device
     * @param mode what tells packets apart; all ipvlans on a device have the same
     * @param reach which others on it are reached; likewise
     */
    record Ipvlan(int below, IpvlanMode mode, IpvlanReach reach) implements NewLinkKind {}

    /**
     * The frames of one VLAN on another device.
     *
     * @param below ifindex of that device
     * @param id 1 to 4094
     * @param protocol the tag
     */
    record Vlan(int below, int id, VlanProtocol protocol) implements NewLinkKind {
        /** Checks the range. */
        public Vlan {
            if (id < 1 || id > 4094) {
                throw new IllegalArgumentException("VLAN id must be 1 to 4094, got " + id);
            }
        }
    }

    /** A device that frames are redirected through, for its queueing discipline to shape what comes in elsewhere. */
    record Ifb() implements NewLinkKind {}
}
