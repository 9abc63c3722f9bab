package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.math.BigInteger;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/** Finds free blocks and addresses, in a time that depends on how many are taken and not on how many a pool has. */
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

    /**
     * The lowest free block of a pool. What is owned from the pool's first block on without a gap is not looked at, it is
     * counted: a claim costs the same in a large cluster as in a small one.
     *
     * @param owned blocks of the pool, none over another
     */
    static Optional<IpPrefix> lowest(Pool pool, NavigableMap<IpPrefix, ?> owned) {
        return lowest(pool, owned, pool.reserved());
    }

    /** The same where a block in a reserved range is as good as any other. */
    static Optional<IpPrefix> lowestUnowned(Pool pool, NavigableMap<IpPrefix, ?> owned) {
        return lowest(pool, owned, List.of());
    }

    private static Optional<IpPrefix> lowest(Pool pool, NavigableMap<IpPrefix, ?> owned, List<IpPrefix> reserved) {
        // The count says too much where blocks have another length than the pool's; looking at each is right always.
        return counted(pool, owned, reserved)
                .or(() -> lowest(
                        pool,
                        Stream.concat(owned.keySet().stream(), reserved.stream())
                                .sorted()));
    }

    private static Optional<IpPrefix> counted(Pool pool, NavigableMap<IpPrefix, ?> owned, List<IpPrefix> reserved) {
        IpAddress end = pool.cidr().last();
        IpPrefix first = IpPrefix.containing(pool.cidr().address(), pool.blockLength());
        while (true) {
            Optional<IpPrefix> gap = firstGap(first, end, owned, Function.identity());
            if (gap.isEmpty() || isTaken(gap.get(), owned)) {
                return Optional.empty();
            }
            Optional<IpAddress> reservedTo = reserved.stream()
                    .filter(gap.get()::overlaps)
                    .map(IpPrefix::last)
                    .max(Comparator.naturalOrder());
            if (reservedTo.isEmpty()) {
                return gap;
            }
            IpAddress last = Stream.of(reservedTo.get(), gap.get().last())
                    .max(Comparator.naturalOrder())
                    .get();
            if (last.compareTo(end) >= 0) {
                return Optional.empty();
            }
            first = IpPrefix.containing(last.plus(1), pool.blockLength());
        }
    }

    private static boolean isTaken(IpPrefix block, NavigableMap<IpPrefix, ?> owned) {
        return Stream.of(Optional.ofNullable(owned.floorKey(block)), Optional.ofNullable(owned.ceilingKey(block)))
                .flatMap(Optional::stream)
                .anyMatch(block::overlaps);
    }

    /**
     * The lowest free address of a range.
     *
     * @param taken in it
     */
    static Optional<IpAddress> lowestAddress(IpPrefix range, NavigableMap<IpAddress, ?> taken) {
        return firstGap(IpPrefix.ofHost(range.address()), range.last(), taken, IpPrefix::address)
                .map(IpPrefix::address);
    }

    /**
     * The first of the prefixes of one length in a row of which not all before it and itself are taken.
     *
     * @param first where the row begins
     * @param end its last address
     * @param key what it is called in {@code taken}
     */
    private static <K> Optional<IpPrefix> firstGap(
            IpPrefix first, IpAddress end, NavigableMap<K, ?> taken, Function<IpPrefix, K> key) {
        int bits = first.family().bits() - first.length();
        long inRow = end.toBigInteger()
                .subtract(first.address().toBigInteger())
                .shiftRight(bits)
                .add(BigInteger.ONE)
                // Of one more than are taken one is free.
                .min(BigInteger.valueOf(taken.tailMap(key.apply(first), true).size() + 1L))
                .longValueExact();
        long from = 0;
        long to = inRow;
        while (from < to) {
            long middle = (from + to) / 2;
            K last = key.apply(inRow(first, middle, bits));
            if (taken.subMap(key.apply(first), true, last, true).size() > middle) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        return from == inRow ? Optional.empty() : Optional.of(inRow(first, from, bits));
    }

    private static IpPrefix inRow(IpPrefix first, long number, int bits) {
        return new IpPrefix(first.address().plus(number << bits), first.length());
    }
}
