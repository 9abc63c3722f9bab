package io.podwire.node.netlink.nft;

/**
 * A verdict in a map.
 *
 * @param code NF_... of linux/netfilter.h or NFT_... of linux/netfilter/nf_tables.h
 * @param chain where a jump or goto leads; empty for others
 */
public record SetVerdict(int code, String chain) {
    /** NF_DROP. */
    public static final int DROP = 0;
    /** NF_ACCEPT. */
    public static final int ACCEPT = 1;
    /** NFT_CONTINUE: on to the next rule. */
    public static final int CONTINUE = -1;
    /** NFT_JUMP. */
    public static final int JUMP = -3;
    /** NFT_GOTO. */
    public static final int GOTO = -4;
    /** NFT_RETURN. */
    public static final int RETURN = -5;
}
