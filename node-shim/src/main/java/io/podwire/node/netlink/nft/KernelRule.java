package io.podwire.node.netlink.nft;

import java.util.List;

/**
 * A rule as the kernel has it.
 *
 * @param table name of its table
 * @param chain name of its chain
 * @param handle its number, which no other rule of the table ever gets
 * @param comment empty when it has none
 * @param expressions what it does, in order
 */
public record KernelRule(String table, String chain, long handle, String comment, List<Expression> expressions) {
    /** Copies. */
    public KernelRule {
        expressions = List.copyOf(expressions);
    }
}
