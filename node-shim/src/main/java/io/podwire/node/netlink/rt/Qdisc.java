package io.podwire.node.netlink.rt;

/**
 * A queueing discipline of a device: the one at its root, or the one for what comes in; not those below others.
 *
 * @param ifindex the device
 * @param kind what it is
 */
public record Qdisc(int ifindex, QdiscKind kind) {
    private static final QdiscKind CLSACT = new QdiscKind.Other("clsact");
    /** A device without a queue of its own: what leaves it is not held up. */
    private static final QdiscKind NOQUEUE = new QdiscKind.Other("noqueue");

    /** True for a place for filters on what comes in, or leaves. */
    public boolean takesFilters() {
        return kind instanceof QdiscKind.Ingress || kind.equals(CLSACT);
    }

    /** True where no packet waits, and none is led elsewhere by a filter here. */
    public boolean isNone() {
        return kind.equals(NOQUEUE);
    }
}
