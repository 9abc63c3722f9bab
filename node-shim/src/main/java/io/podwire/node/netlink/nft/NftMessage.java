package io.podwire.node.netlink.nft;

import io.podwire.node.netlink.wire.NlWriter;

/** One message of a transaction of nf_tables (linux/netfilter/nf_tables.h). */
public interface NftMessage {
    /** NFPROTO_INET, linux/netfilter.h. */
    int INET = 1;
    /** NFPROTO_BRIDGE. */
    int BRIDGE = 7;
    /** NFNL_SUBSYS_NFTABLES << 8, linux/netfilter/nfnetlink.h. */
    int NFTABLES = 10 << 8;

    /** The message's type. */
    int type();

    /** NLM_F_... of it, but for those that every message of a transaction has. */
    int flags();

    /** The message's struct nfgenmsg and attributes. */
    void write(NlWriter out);
}
