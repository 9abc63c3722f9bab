package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.stream.IntStream;

/** The blocks of small pools, counted one by one: what FreeBlocks is measured against. */
public final class PoolBlocks {
    private PoolBlocks() {}

    /** Block {@code index} of the pool by address, from 0. */
    public static IpPrefix block(Pool pool, int index) {
        int hostBits = pool.family().bits() - pool.blockLength();
        return new IpPrefix(pool.cidr().address().plus((long) index << hostBits), pool.blockLength());
    }

    /** All blocks of the pool by address. */
    public static List<IpPrefix> all(Pool pool) {
        return IntStream.range(0, pool.totalBlocks().intValueExact())
                .mapToObj(i -> block(pool, i))
                .toList();
    }
}
