package io.podwire.node.netlink.nft;

/**
 * A chain that a hook of the kernel enters.
 *
 * @param family NFPROTO_... of its table
 * @param table name of its table
 * @param name its name
 * @param type "filter", "nat" or "route"
 * @param hook NF_INET_...
 * @param priority order among the chains of the hook, lowest first
 * @param accepts true: what comes to its end passes
 */
public record KernelChain(
        int family, String table, String name, String type, int hook, int priority, boolean accepts) {}
