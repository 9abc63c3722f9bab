package io.podwire.node.netlink.rt;

/**
 * A BPF program of Podwire's at a device, tc-bpf(8), whose result says what becomes of the packet (direct-action).
 *
 * @param ifindex the device
 * @param side which packets it sees
 * @param program its descriptor
 * @param name for people who list filters
 */
public record BpfFilter(int ifindex, Side side, int program, String name) {
    /** Which packets of a device. */
    public enum Side {
        /** What comes in. */
        INGRESS(0xFFFFFFF2),
        /** What leaves. */
        EGRESS(0xFFFFFFF3);

        /** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) or TC_H_MIN_EGRESS, linux/pkt_sched.h. */
        private final int parent;

        Side(int parent) {
            this.parent = parent;
        }

        int parent() {
            return parent;
        }
    }
}
