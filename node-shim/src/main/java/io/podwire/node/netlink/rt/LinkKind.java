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
     */
    record Vxlan(int vni, Optional<IpAddress> local, int port, boolean learning) implements LinkKind {}

    /**
     * Any other.
     *
     * @param name its kind as the kernel names it; empty for a device without one (loopback, hardware)
     */
    record Other(String name) implements LinkKind {}
}
