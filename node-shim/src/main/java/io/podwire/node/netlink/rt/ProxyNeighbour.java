package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;

/**
 * An address that the node answers for on a device, ARP or ND, while it is somewhere else (NTF_PROXY).
 * The kernel does so where it forwards and the way to the address leads through another device; for
 * IPv6 only where the device's sysctl {@code proxy_ndp} is 1 too.
 *
 * @param ifindex the device
 * @param address what is asked for there
 */
public record ProxyNeighbour(int ifindex, IpAddress address) {}
