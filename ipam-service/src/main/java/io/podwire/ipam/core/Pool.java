package io.podwire.ipam.core;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.math.BigInteger;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A range of addresses, split in blocks of one size.
 *
 * @param name an RFC 1123 label
 * @param cidr all its addresses, IPv4 or IPv6
 * @param blockLength prefix length of a block, from the pool's own to 32 (IPv6: 128); a block has at
 *     most 2^16 addresses, as its node keeps each of them in memory
 * @param state whether it gives blocks
 * @param reserved parts of {@code cidr} that nobody gets, by address: as a node hands out all of its
 *     block, a block that shares an address with one of them is given to no node
 * @param nodes which nodes it gives blocks to
 */
public record Pool(
        String name, IpPrefix cidr, int blockLength, PoolState state, List<IpPrefix> reserved, NodeSelector nodes) {
    private static final Pattern LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final int MAX_HOST_BITS = 16;
    private static final int DEFAULT_HOST_BITS = 6;
    private static final int MOST_RESERVED = 256;

    /** Checks name, sizes and reserved ranges; sorts. */
    public Pool {
        checkName(name);
        int longest = cidr.family().bits();
        int shortest = Math.max(cidr.length(), longest - MAX_HOST_BITS);
        if (blockLength < shortest || blockLength > longest) {
            throw new IllegalArgumentException("block length of pool " + name + " (" + cidr + ") must be " + shortest
                    + " to " + longest + ", got " + blockLength);
        }
        reserved = reserved.stream().distinct().sorted().toList();
        if (reserved.size() > MOST_RESERVED) {
            throw new IllegalArgumentException("pool " + name + " has at most " + MOST_RESERVED
                    + " reserved ranges, got " + reserved.size() + "; join some of them");
        }
        for (IpPrefix range : reserved) {
            if (!cidr.contains(range)) {
                throw new IllegalArgumentException(
                        "reserved range " + range + " of pool " + name + " must lie inside " + cidr);
            }
        }
    }

    /** A pool that gives all of its blocks to any node. */
    public Pool(String name, IpPrefix cidr, int blockLength) {
        this(name, cidr, blockLength, PoolState.ACTIVE, List.of(), NodeSelector.EVERY_NODE);
    }

    /**
     * Checks a pool's name.
     *
     * @throws IllegalArgumentException when it is not an RFC 1123 label
     */
    public static void checkName(String name) {
        if (!LABEL.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "'" + name + "' is not a pool name: 1 to 63 lower-case letters, digits and '-'");
        }
    }

    /** Block length where none is asked for: 64 addresses, /26 or /122; all of a pool that is smaller. */
    public static int defaultBlockLength(IpPrefix cidr) {
        return Math.max(cidr.length(), cidr.family().bits() - DEFAULT_HOST_BITS);
    }

    /** Its addresses' family. */
    public IpFamily family() {
        return cidr.family();
    }

    /** Number of blocks, 1 to 2^128. */
    public BigInteger totalBlocks() {
        return blocksIn(cidr);
    }

    /** Number of blocks that share an address with a reserved range. */
    public BigInteger reservedBlocks() {
        BigInteger blocks = BigInteger.ZERO;
        Set<IpPrefix> counted = new HashSet<>();
        for (IpPrefix range : reserved) {
            IpPrefix widened = IpPrefix.containing(range.address(), Math.min(range.length(), blockLength));
            // In order of address, shorter first: what holds a range comes before it.
            if (counted.stream().noneMatch(before -> before.contains(widened))) {
                counted.add(widened);
                blocks = blocks.add(blocksIn(widened));
            }
        }
        return blocks;
    }

    private BigInteger blocksIn(IpPrefix range) {
        return BigInteger.ONE.shiftLeft(blockLength - range.length());
    }

    /** True when the other has the same name, addresses and block length, whatever else differs. */
    public boolean samePlaces(Pool other) {
        return name.equals(other.name) && cidr.equals(other.cidr) && blockLength == other.blockLength;
    }

    /**
     * The pool after these edits.
     *
     * @throws IllegalArgumentException when it would not be a pool
     */
    public Pool with(List<PoolEdit> edits) {
        IpPrefix nextCidr = cidr;
        int nextLength = blockLength;
        PoolState nextState = state;
        List<IpPrefix> nextReserved = reserved;
        NodeSelector nextNodes = nodes;
        for (PoolEdit edit : edits) {
            switch (edit) {
                case PoolEdit.Cidr(IpPrefix value) -> nextCidr = value;
                case PoolEdit.BlockLength(int value) -> nextLength = value;
                case PoolEdit.State(PoolState value) -> nextState = value;
                case PoolEdit.Reserved(List<IpPrefix> value) -> nextReserved = value;
                case PoolEdit.Nodes(NodeSelector value) -> nextNodes = value;
            }
        }
        return new Pool(name, nextCidr, nextLength, nextState, nextReserved, nextNodes);
    }

    /** All of it in one line, as far as it is not a pool's usual. */
    public String describe() {
        return this
                + (state == PoolState.ACTIVE ? "" : ", " + state)
                + (reserved.isEmpty() ? "" : ", reserved " + reserved)
                + (nodes.labels().isEmpty() ? "" : ", for nodes with " + nodes);
    }

    /** name=cidr/blockLength, as the --pool option takes it. */
    @Override
    public String toString() {
        return name + "=" + cidr + "/" + blockLength;
    }
}
