package io.podwire.ipam.core;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.math.BigInteger;
import java.util.regex.Pattern;

/**
 * A range of addresses, split in blocks of one size.
 *
 * @param name an RFC 1123 label
 * @param cidr all its addresses, IPv4 or IPv6
 * @param blockLength prefix length of a block, from the pool's own to 32 (IPv6: 128); a block has at
 *     most 2^16 addresses, as its node keeps each of them in memory
 */
public record Pool(String name, IpPrefix cidr, int blockLength) {
    private static final Pattern LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final int MAX_HOST_BITS = 16;
    private static final int DEFAULT_HOST_BITS = 6;

    /** Checks name and sizes. */
    public Pool {
        checkName(name);
        int longest = cidr.family().bits();
        int shortest = Math.max(cidr.length(), longest - MAX_HOST_BITS);
        if (blockLength < shortest || blockLength > longest) {
            throw new IllegalArgumentException("block length of pool " + name + " (" + cidr + ") must be " + shortest
                    + " to " + longest + ", got " + blockLength);
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
        return BigInteger.ONE.shiftLeft(blockLength - cidr.length());
    }

    /** name=cidr/blockLength, as the --pool option takes it. */
    @Override
    public String toString() {
        return name + "=" + cidr + "/" + blockLength;
    }
}
