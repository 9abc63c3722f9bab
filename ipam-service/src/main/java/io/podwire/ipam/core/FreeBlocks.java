package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.Iterator;
import java.util.Optional;
import java.util.stream.Stream;

/** Finds free blocks, in a time that depends on how many are taken and not on how many a pool has. */
final class FreeBlocks {
    private FreeBlocks() {}

    /**
     * The lowest block of the pool that shares no address with any of {@code taken}.
     *
     * @param taken prefixes of any length, in order
     */
    static Optional<IpPrefix> lowest(Pool pool, Stream<IpPrefix> taken) {
        return lowest(pool.cidr(), pool.blockLength(), taken);
    }

    /**
     * The lowest part of a range that shares no address with any of {@code taken}.
     *
     * @param length prefix length of the part
     * @param taken prefixes of any length, in order
     */
    static Optional<IpPrefix> lowest(IpPrefix range, int length, Stream<IpPrefix> taken) {
        IpAddress end = range.last();
        IpPrefix candidate = IpPrefix.containing(range.address(), length);
        for (Iterator<IpPrefix> all = taken.iterator(); all.hasNext(); ) {
            IpPrefix next = all.next();
            if (next.address().compareTo(candidate.last()) > 0) {
                return Optional.of(candidate);
            }
            if (next.overlaps(candidate)) {
                IpAddress last = next.contains(candidate) ? next.last() : candidate.last();
                if (last.compareTo(end) >= 0) {
                    return Optional.empty();
                }
                candidate = IpPrefix.containing(last.plus(1), length);
            }
        }
        return Optional.of(candidate);
    }
}
