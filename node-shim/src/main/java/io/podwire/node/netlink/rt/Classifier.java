package io.podwire.node.netlink.rt;

/** What picks the packets of a filter. */
public enum Classifier {
    /** By words of the packet, tc-u32(8), here by none; every kernel with traffic control has had it. */
    U32("u32"),
    /** All of them, tc-matchall(8); since Linux 4.8. */
    MATCHALL("matchall");

    private final String kind;

    Classifier(String kind) {
        this.kind = kind;
    }

    String kind() {
        return kind;
    }
}
