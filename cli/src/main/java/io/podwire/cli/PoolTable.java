package io.podwire.cli;

import com.google.common.base.Ascii;
import io.podwire.common.net.IpPrefix;
import io.podwire.proto.ipam.v1.Pool;
import java.util.List;

/** Pools as a table. */
final class PoolTable {
    private static final int MOST_TOLD = -1;

    private PoolTable() {}

    static Table of(List<Pool> pools) {
        Table table = new Table("NAME", "CIDR", "BLOCK", "STATE", "OWNED", "RESERVED", "TOTAL", "PURPOSE", "SOURCE");
        pools.forEach(pool -> table.row(
                pool.getName(),
                pool.getCidr(),
                "/" + pool.getBlockLength(),
                Ascii.toLowerCase(pool.getState().name().replace("POOL_STATE_", "")),
                owned(pool),
                Integer.toUnsignedString(pool.getReservedBlocks()) + (pool.getReservedBlocks() == MOST_TOLD ? "+" : ""),
                total(pool),
                Ascii.toLowerCase(pool.getPurpose().name().replace("POOL_PURPOSE_", "")),
                pool.getSource()));
        return table;
    }

    /** While it drains, how many are left of those at the start. */
    private static String owned(Pool pool) {
        String owned = Integer.toUnsignedString(pool.getOwnedBlocks());
        return pool.getDrainingFromBlocks() == 0
                ? owned
                : owned + "/" + Integer.toUnsignedString(pool.getDrainingFromBlocks());
    }

    /** The field's largest value stands for more as well: a power of two tells how many. */
    private static String total(Pool pool) {
        return pool.getTotalBlocks() == MOST_TOLD
                ? "2^" + (pool.getBlockLength() - IpPrefix.parse(pool.getCidr()).length())
                : Integer.toUnsignedString(pool.getTotalBlocks());
    }
}
