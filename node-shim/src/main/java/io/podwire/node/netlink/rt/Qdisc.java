package io.podwire.node.netlink.rt;

/**
 * A queueing discipline of a device: the one at its root, or the one for what comes in; not those below others.
 *
 * @param ifindex the device
 * @param kind what it is
 */
public record Qdisc(int ifindex, QdiscKind kind) {}
