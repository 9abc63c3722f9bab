package io.podwire.node.netlink.nft;

import io.podwire.node.netlink.wire.NlWriter;

/**
 * Deletes all rules of a chain (NFT_MSG_DELRULE without a handle).
 *
 * @param family NFPROTO_... of the table
 * @param table the chain's table
 * @param chain its name
 */
public record FlushChain(int family, String table, String chain) implements NftMessage {
    private static final int DELETE_RULE = NFTABLES | 8;

    @Override
    public int type() {
        return DELETE_RULE;
    }

    @Override
    public int flags() {
        return 0;
    }

    @Override
    public void write(NlWriter out) {
        NewRule.writeChain(out, family, table, chain);
    }
}
