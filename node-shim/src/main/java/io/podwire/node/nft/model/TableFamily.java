package io.podwire.node.nft.model;

/** Families of nft tables that we use. */
public enum TableFamily {
    /** Frames on bridges. */
    BRIDGE("bridge"),
    /** IPv4 and IPv6 packets. */
    INET("inet");

    private final String keyword;

    TableFamily(String keyword) {
        this.keyword = keyword;
    }

    /** Its nft(8) keyword. */
    public String keyword() {
        return keyword;
    }
}
