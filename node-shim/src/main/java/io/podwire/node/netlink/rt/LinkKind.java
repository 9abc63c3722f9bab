package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import java.util.Optional;

/** What a device is: IFLA_INFO_KIND and the part of IFLA_INFO_DATA that Podwire knows. */
public sealed interface LinkKind {
    /** One end of a pair, veth(4). */
    record Veth() implements LinkKind {}

    /** A software bridge. */
    record Bridge() implements LinkKind {}

    /**
     * A VXLAN tunnel end (RFC 7348).
     *
     * @param vni network identifier, 0 to 2^24-1
     * @param local source address of its outer packets; empty where the kernel chooses
     * @param port UDP destination port
     * @param learning whether it learns peers from received packets
     * @param outer how it sends
     */
    record Vxlan(int vni, Optional<IpAddress> local, int port, boolean learning, VxlanOuter outer)
            implements LinkKind {}

    /**
     * An address of its own on another device; {@link Link#peerIndex} is that device.
     *
     * @param mode which others on it are reached
     */
    record Macvlan(MacvlanMode mode) implements LinkKind {}

    /**
     * A share of another device's address; {@link Link#peerIndex} is that device.
     *
     * @param mode what tells packets apart
     * @param reach which others on it are reached
     */
    record Ipvlan(IpvlanMode mode, IpvlanReach reach) implements LinkKind {}

    /**
     * The frames of one VLAN on another device; {@link Link#peerIndex} is that device.
     *
     * @param id 1 to 4094; 0 for frames with a priority and no VLAN
     * @param protocol the tag
     */
    record Vlan(int id, VlanProtocol protocol) implements LinkKind {}

    /** A device that frames are redirected through. */
    record Ifb() implements LinkKind {}

    /**
     * Any other, and one of those above whose mode has no constant here.
     *
     * @param name its kind as the kernel names it; empty for a device without one (loopback, hardware)
     */
    record Other(String name) implements LinkKind {}
}
