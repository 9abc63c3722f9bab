package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;

/**
 * A neighbour's link-layer address, known (ip-neighbour(8)).
 *
 * @param ifindex the device
 * @param address the neighbour
 * @param mac its link-layer address
 * @param permanent NUD_PERMANENT: set by an administrator and never aged; otherwise found by ARP or ND
 */
public record Neighbour(int ifindex, IpAddress address, MacAddress mac, boolean permanent) {}
