package io.podwire.common.net;

import com.google.common.net.InetAddresses;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * An IPv4 or IPv6 address, without scope id. Ordered IPv4 first, then by unsigned value.
 *
 * @param family IPv4 or IPv6
 * @param high the upper 64 bits of an IPv6 address; 0 for IPv4
 * @param low the lower 64 bits of an IPv6 address, or an IPv4 address in its lower 32 bits
 */
public record IpAddress(IpFamily family, long high, long low) implements Comparable<IpAddress> {
    private static final long V4_MASK = 0xFFFF_FFFFL;

    /** Checks that an IPv4 address fits in 32 bits. */
    public IpAddress {
        if (family == IpFamily.V4 && (high != 0 || (low & ~V4_MASK) != 0)) {
            throw new IllegalArgumentException("an IPv4 address has 32 bits, got high=" + high + " low=" + low);
        }
    }

    /**
     * Reads the text of one address; never asks DNS.
     *
     * @param text dotted quad, or RFC 4291 §2.2 text without scope id
     * @throws IllegalArgumentException when it is not an address
     */
    public static IpAddress parse(String text) {
        // InetAddresses takes other scripts' digits too.
        if (text.indexOf('%') >= 0 || text.chars().anyMatch(c -> c > 0x7f) || !InetAddresses.isInetAddress(text)) {
            throw new IllegalArgumentException("'" + text + "' is not an IP address");
        }
        // InetAddresses turns ::ffff:a.b.c.d into an Inet4Address: such text is IPv4 here too.
        return ofBytes(InetAddresses.forString(text).getAddress());
    }

    /** The IPv4 address of these 32 bits, in network order. */
    public static IpAddress ofV4(int bits) {
        return new IpAddress(IpFamily.V4, 0, bits & V4_MASK);
    }

    /**
     * The address of these bytes in network order.
     *
     * @throws IllegalArgumentException when there are neither 4 nor 16
     */
    public static IpAddress ofBytes(byte[] bytes) {
        return switch (bytes.length) {
            case 4 -> ofV4(ByteBuffer.wrap(bytes).getInt());
            case 16 -> {
                ByteBuffer buffer = ByteBuffer.wrap(bytes);
                yield new IpAddress(IpFamily.V6, buffer.getLong(), buffer.getLong());
            }
            default ->
                throw new IllegalArgumentException("an IP address has 4 or 16 bytes, got " + Arrays.toString(bytes));
        };
    }

    /** Its bytes in network order: 4 or 16. */
    public byte[] bytes() {
        return switch (family) {
            case V4 -> ByteBuffer.allocate(4).putInt((int) low).array();
            case V6 -> ByteBuffer.allocate(16).putLong(high).putLong(low).array();
        };
    }

    /**
     * The address {@code offset} further on.
     *
     * @param offset how far, 0 or more
     * @throws IllegalArgumentException when that is past the family's last address
     */
    public IpAddress plus(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("offset must be 0 or more, got " + offset);
        }
        long nextLow = low + offset;
        boolean carry = Long.compareUnsigned(nextLow, low) < 0;
        boolean overflow = family == IpFamily.V4 ? carry || (nextLow & ~V4_MASK) != 0 : carry && high == -1;
        if (overflow) {
            throw new IllegalArgumentException(this + " + " + offset + " is past the last address");
        }
        return new IpAddress(family, carry ? high + 1 : high, nextLow);
    }

    /** Its value as an unsigned number. */
    public BigInteger toBigInteger() {
        return new BigInteger(1, bytes());
    }

    /** The same address for java.net. */
    public InetAddress toInetAddress() {
        try {
            return InetAddress.getByAddress(bytes());
        } catch (UnknownHostException e) {
            throw new AssertionError("4 or 16 bytes are always an address", e);
        }
    }

    /** Spelled out, as that of {@link IpPrefix}. */
    @Override
    public int hashCode() {
        long mixed = (high * 31 + low + family.bits()) * 0x9E37_79B9_7F4A_7C15L;
        return (int) (mixed >>> 32);
    }

    @Override
    public boolean equals(Object other) {
        return other == this
                || (other instanceof IpAddress that && low == that.low && high == that.high && family == that.family);
    }

    @Override
    public int compareTo(IpAddress other) {
        if (family != other.family) {
            return family.compareTo(other.family);
        }
        int byHigh = Long.compareUnsigned(high, other.high);
        return byHigh != 0 ? byHigh : Long.compareUnsigned(low, other.low);
    }

    /** Dotted quad, or RFC 5952 text. */
    @Override
    public String toString() {
        return InetAddresses.toAddrString(toInetAddress());
    }
}
