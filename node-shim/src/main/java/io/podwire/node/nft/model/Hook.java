package io.podwire.node.nft.model;

/** Where the kernel enters a base chain. */
public enum Hook {
    /** All that comes in. */
    PREROUTING("prerouting"),
    /** To this node. */
    INPUT("input"),
    /** Through this node. */
    FORWARD("forward"),
    /** From this node. */
    OUTPUT("output"),
    /** All that goes out. */
    POSTROUTING("postrouting");

    private final String keyword;

    Hook(String keyword) {
        this.keyword = keyword;
    }

    /** Its nft(8) keyword. */
    public String keyword() {
        return keyword;
    }
}
