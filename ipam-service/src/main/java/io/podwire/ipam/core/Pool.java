package io.podwire.ipam.core;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.util.regex.Pattern;

/**
 * A range of addresses, split in blocks of one size.
 *
 * @param name an RFC 1123 label
 * @param cidr all its addresses, IPv4
 * @param blockLength prefix length of a block, from the pool's own to 32, and at most 24 more than
 *     the pool's own: a pool has at most 2^24 blocks
 */
public record Pool(String name, IpPrefix cidr, int blockLength) {
    private static final Pattern LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final int MAX_EXTRA_BITS = 24;

    /** Checks name, family and sizes. */
    public Pool {
        checkName(name);
        if (cidr.family() != IpFamily.V4) {
            throw new IllegalArgumentException("pool " + name + " needs an IPv4 prefix, got " + cidr);
        }
        int longest = Math.min(cidr.family().bits(), cidr.length() + MAX_EXTRA_BITS);
        if (blockLength < cidr.length() || blockLength > longest) {
            throw new IllegalArgumentException("block length of pool " + name + " (" + cidr + ") must be "
                    + cidr.length() + " to " + longest + ", got " + blockLength);
        }
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

    /** Number of blocks, 1 to 2^24. */
    public int totalBlocks() {
        return 1 << (blockLength - cidr.length());
    }

    /**
     * One of its blocks.
     *
     * @param index 0 to {@link #totalBlocks} - 1, by address
     */
    public IpPrefix block(int index) {
        long offset = (long) index << (cidr.family().bits() - blockLength);
        return new IpPrefix(cidr.address().plus(offset), blockLength);
    }

    /** name=cidr/blockLength, as the --pool option takes it. */
    @Override
    public String toString() {
        return name + "=" + cidr + "/" + blockLength;
    }
}
