package io.podwire.node.nft.model;

/** What a base chain is for (nft(8), "chains"). */
public enum ChainType {
    /** Passes or drops packets. */
    FILTER("filter"),
    /** Translates flows: sees the first packet of each. */
    NAT("nat");

    private final String keyword;

    ChainType(String keyword) {
        this.keyword = keyword;
    }

    /** Its nft(8) keyword. */
    public String keyword() {
        return keyword;
    }
}
