package io.podwire.cli;

import com.google.common.base.Ascii;
import io.podwire.common.net.IpPrefix;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolState;
import java.time.Duration;
import java.util.List;

/** Pools as a table. */
final class PoolTable {
    private static final int MOST_TOLD = -1;

    private PoolTable() {}

    static Table of(List<Pool> pools) {
        Table table = new Table(
                "NAME", "CIDR", "BLOCK", "STATE", "OWNED", "RESERVED", "TOTAL", "FULL IN", "PURPOSE", "SOURCE");
        pools.forEach(pool -> table.row(
                pool.getName(),
                pool.getCidr(),
                "/" + pool.getBlockLength(),
                state(pool),
                owned(pool),
                Integer.toUnsignedString(pool.getReservedBlocks()) + (pool.getReservedBlocks() == MOST_TOLD ? "+" : ""),
                total(pool),
                fullIn(pool),
                Ascii.toLowerCase(pool.getPurpose().name().replace("POOL_PURPOSE_", "")),
                pool.getSource()));
        return table;
    }

    /** While it drains, with the addresses that are left and the pace: "draining, 310 addresses left, 10/min". */
    private static String state(Pool pool) {
        String state = Ascii.toLowerCase(pool.getState().name().replace("POOL_STATE_", ""));
        if (pool.getState() != PoolState.POOL_STATE_DRAINING) {
            return state;
        }
        return state
                + (pool.getAddressesLeft() == 0
                        ? ""
                        : ", " + Integer.toUnsignedString(pool.getAddressesLeft()) + " addresses left")
                + (pool.getDrainPace() == 0 ? "" : ", " + Integer.toUnsignedString(pool.getDrainPace()) + "/min");
    }

    /** While it drains, how many are left of those at the start. */
    private static String owned(Pool pool) {
        String owned = Integer.toUnsignedString(pool.getOwnedBlocks());
        return pool.getDrainingFromBlocks() == 0
                ? owned
                : owned + "/" + Integer.toUnsignedString(pool.getDrainingFromBlocks());
    }

    /** Two units at most: it is a forecast. */
    private static String fullIn(Pool pool) {
        if (!pool.hasExhaustedIn()) {
            return "-";
        }
        Duration in = Duration.ofSeconds(pool.getExhaustedIn().getSeconds());
        if (in.isZero()) {
            return "now";
        }
        if (in.toDays() > 0) {
            return in.toDays() + "d" + in.toHoursPart() + "h";
        }
        return in.toHours() > 0 ? in.toHours() + "h" + in.toMinutesPart() + "m" : in.toMinutes() + "m";
    }

    /** The field's largest value stands for more as well: a power of two tells how many. */
    private static String total(Pool pool) {
        return pool.getTotalBlocks() == MOST_TOLD
                ? "2^" + (pool.getBlockLength() - IpPrefix.parse(pool.getCidr()).length())
                : Integer.toUnsignedString(pool.getTotalBlocks());
    }
}
