package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;

/**
 * Which neighbour.
 *
 * @param ifindex the device
 * @param address the neighbour
 */
public record NeighbourKey(int ifindex, IpAddress address) {}
