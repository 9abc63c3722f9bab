package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;

/**
 * A neighbour's link-layer address, known (ip-neighbour(8)).
 *
 * @param ifindex the device
 * @param address the neighbour
 * @param mac its link-layer address
 * @param permanent NUD_PERMANENT: set by an administrator and never aged; otherwise found by ARP or ND
 * @param router NTF_ROUTER: an IPv6 neighbour that is a router; false for IPv4, which knows no such thing
 */
public record Neighbour(int ifindex, IpAddress address, MacAddress mac, boolean permanent, boolean router) {
    /** Takes {@code router} for IPv6 only. */
    public Neighbour {
        router &= address.family() == IpFamily.V6;
    }

    /** A neighbour that is no router. */
    public Neighbour(int ifindex, IpAddress address, MacAddress mac, boolean permanent) {
        this(ifindex, address, mac, permanent, false);
    }
}
