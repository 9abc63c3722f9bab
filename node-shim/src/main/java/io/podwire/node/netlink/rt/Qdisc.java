package io.podwire.node.netlink.rt;

/**
 * A queueing discipline of a device: the one at its root, or the one for what comes in; not those below others.
 *
 * @param ifindex the device
 * @param kind what it is
 */
public record Qdisc(int ifindex, QdiscKind kind) {
    /** True for a place for filters on what comes in, or leaves. */
    public boolean takesFilters() {
        return kind instanceof QdiscKind.Ingress || kind.equals(new QdiscKind.Other("clsact"));
    }
}
