package io.podwire.ipam.core;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.math.BigInteger;
import java.time.Duration;
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
 * @param namespaces which namespaces' pods it is for; with any label, it gives blocks to those claims alone
 *     that name it
 * @param purpose what its addresses are for; only a pool for pods gives blocks to nodes
 * @param coolDown how long its released addresses are given to nobody
 * @param source who made it, and alone changes it
 * @param drainingFrom blocks that were owned when it began to drain, 0 or more; 0 in other states
 * @param drainPace how fast its pods are evicted while it drains
 */
public record Pool(
        String name,
        IpPrefix cidr,
        int blockLength,
        PoolState state,
        List<IpPrefix> reserved,
        NodeSelector nodes,
        NamespaceSelector namespaces,
        PoolPurpose purpose,
        CoolDown coolDown,
        PoolSource source,
        int drainingFrom,
        DrainPace drainPace) {
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
        if (drainingFrom < 0 || (drainingFrom > 0 && state != PoolState.DRAINING)) {
            throw new IllegalArgumentException("pool " + name + " is " + state + ", and drains from " + drainingFrom
                    + " owned blocks: 0 or more while it is DRAINING, else 0");
        }
    }

    /** A pool whose pods are never evicted. */
    public Pool(
            String name,
            IpPrefix cidr,
            int blockLength,
            PoolState state,
            List<IpPrefix> reserved,
            NodeSelector nodes,
            NamespaceSelector namespaces,
            PoolPurpose purpose,
            CoolDown coolDown,
            PoolSource source,
            int drainingFrom) {
        this(
                name,
                cidr,
                blockLength,
                state,
                reserved,
                nodes,
                namespaces,
                purpose,
                coolDown,
                source,
                drainingFrom,
                DrainPace.NEVER);
    }

    /** A pool for pods that gives all of its blocks to any node, made by a call. */
    public Pool(String name, IpPrefix cidr, int blockLength) {
        this(
                name,
                cidr,
                blockLength,
                PoolState.ACTIVE,
                List.of(),
                NodeSelector.EVERY_NODE,
                NamespaceSelector.EVERY_NAMESPACE,
                PoolPurpose.PODS,
                CoolDown.OF_NODE,
                PoolSource.GRPC,
                0);
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

    /** True when the other says the same, whoever made it and however far it has drained. */
    public boolean sameContent(Pool other) {
        return drainedFrom(0).with(List.of(new PoolEdit.Source(other.source))).equals(other.drainedFrom(0));
    }

    /** The same pool, which began to drain from that many owned blocks. */
    Pool drainedFrom(int owned) {
        return new Pool(
                name,
                cidr,
                blockLength,
                state,
                reserved,
                nodes,
                namespaces,
                purpose,
                coolDown,
                source,
                owned,
                drainPace);
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
        NamespaceSelector nextNamespaces = namespaces;
        PoolPurpose nextPurpose = purpose;
        CoolDown nextCoolDown = coolDown;
        PoolSource nextSource = source;
        DrainPace nextPace = drainPace;
        for (PoolEdit edit : edits) {
            switch (edit) {
                case PoolEdit.Cidr(IpPrefix value) -> nextCidr = value;
                case PoolEdit.BlockLength(int value) -> nextLength = value;
                case PoolEdit.State(PoolState value) -> nextState = value;
                case PoolEdit.Reserved(List<IpPrefix> value) -> nextReserved = value;
                case PoolEdit.Nodes(NodeSelector value) -> nextNodes = value;
                case PoolEdit.Namespaces(NamespaceSelector value) -> nextNamespaces = value;
                case PoolEdit.Purpose(PoolPurpose value) -> nextPurpose = value;
                case PoolEdit.Cooling(CoolDown value) -> nextCoolDown = value;
                case PoolEdit.Source(PoolSource value) -> nextSource = value;
                case PoolEdit.Pace(DrainPace value) -> nextPace = value;
            }
        }
        return new Pool(
                name,
                nextCidr,
                nextLength,
                nextState,
                nextReserved,
                nextNodes,
                nextNamespaces,
                nextPurpose,
                nextCoolDown,
                nextSource,
                nextState == PoolState.DRAINING ? drainingFrom : 0,
                nextPace);
    }

    /** All of it in one line, as far as it is not a pool's usual. */
    public String describe() {
        return this
                + (state == PoolState.ACTIVE ? "" : ", " + state)
                + (reserved.isEmpty() ? "" : ", reserved " + reserved)
                + (nodes.labels().isEmpty() ? "" : ", for nodes with " + nodes)
                + (namespaces.labels().isEmpty() ? "" : ", for namespaces with " + namespaces)
                + (purpose == PoolPurpose.PODS ? "" : ", purpose " + purpose)
                + switch (coolDown) {
                    case CoolDown.OfNode _ -> "";
                    case CoolDown.Of(Duration length) -> ", cool-down " + length.toSeconds() + " s";
                }
                + (drainPace.equals(DrainPace.NEVER) ? "" : ", drain pace " + drainPace)
                + (source.equals(PoolSource.GRPC) ? "" : ", of " + source);
    }

    /** name=cidr/blockLength, as the --pool option takes it. */
    @Override
    public String toString() {
        return name + "=" + cidr + "/" + blockLength;
    }
}
