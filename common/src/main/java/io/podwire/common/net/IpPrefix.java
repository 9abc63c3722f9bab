package io.podwire.common.net;

import java.math.BigInteger;

/**
 * A CIDR prefix (RFC 4632) whose host bits are zero. Ordered by address, shorter prefix first.
 *
 * @param address its first address
 * @param length number of leading bits that count, 0 to 32 or 128
 */
public record IpPrefix(IpAddress address, int length) implements Comparable<IpPrefix> {

    /** Checks the length and that the host bits are zero. */
    public IpPrefix {
        int bits = address.family().bits();
        if (length < 0 || length > bits) {
            throw new IllegalArgumentException(
                    "prefix length of " + address + " must be 0 to " + bits + ", got " + length);
        }
        if (!masked(address, length).equals(address)) {
            throw new IllegalArgumentException(address + "/" + length + " has host bits set; its network is "
                    + masked(address, length) + "/" + length);
        }
    }

    /**
     * Reads CIDR text.
     *
     * @param text address, slash, length; host bits zero
     * @throws IllegalArgumentException when it is not such text
     */
    public static IpPrefix parse(String text) {
        int slash = text.indexOf('/');
        // A sign is a number to parseUnsignedInt, and no prefix length.
        if (slash < 0 || slash + 1 == text.length() || text.length() - slash > 4 || text.charAt(slash + 1) == '+') {
            throw new IllegalArgumentException("'" + text + "' is not a CIDR prefix such as 10.1.0.0/16");
        }
        int length;
        try {
            length = Integer.parseUnsignedInt(text, slash + 1, text.length(), 10);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("'" + text + "' is not a CIDR prefix such as 10.1.0.0/16", e);
        }
        return new IpPrefix(IpAddress.parse(text.substring(0, slash)), length);
    }

    /** The prefix of {@code length} that holds {@code address}. */
    public static IpPrefix containing(IpAddress address, int length) {
        return new IpPrefix(masked(address, length), length);
    }

    /** All addresses of a family: 0.0.0.0/0 or ::/0. */
    public static IpPrefix all(IpFamily family) {
        return new IpPrefix(new IpAddress(family, 0, 0), 0);
    }

    /** The prefix of this one address: /32 or /128. */
    public static IpPrefix ofHost(IpAddress address) {
        return new IpPrefix(address, address.family().bits());
    }

    /** Its family. */
    public IpFamily family() {
        return address.family();
    }

    /** True when the address lies in it. */
    public boolean contains(IpAddress other) {
        int hostBits = family().bits() - length;
        return other.family() == family()
                && ((other.high() ^ address.high()) & highMask(hostBits)) == 0
                && ((other.low() ^ address.low()) & lowMask(hostBits)) == 0;
    }

    /** True when all of the other prefix lies in it. */
    public boolean contains(IpPrefix other) {
        return other.length >= length && contains(other.address);
    }

    /** True when the two share an address. */
    public boolean overlaps(IpPrefix other) {
        return contains(other) || other.contains(this);
    }

    /** Number of addresses. */
    public BigInteger size() {
        return BigInteger.ONE.shiftLeft(family().bits() - length);
    }

    /** Its last address. */
    public IpAddress last() {
        int hostBits = family().bits() - length;
        long lowMask = hostBits >= 64 ? -1L : (1L << hostBits) - 1;
        long highMask = hostBits <= 64 ? 0 : hostBits == 128 ? -1L : (1L << (hostBits - 64)) - 1;
        return switch (family()) {
            case V4 -> new IpAddress(IpFamily.V4, 0, address.low() | lowMask);
            case V6 -> new IpAddress(IpFamily.V6, address.high() | highMask, address.low() | lowMask);
        };
    }

    private static IpAddress masked(IpAddress address, int length) {
        int hostBits = address.family().bits() - length;
        if (hostBits < 0 || length < 0) {
            throw new IllegalArgumentException("prefix length of " + address + " must be 0 to "
                    + address.family().bits() + ", got " + length);
        }
        long high = address.high() & highMask(hostBits);
        long low = address.low() & lowMask(hostBits);
        return high == address.high() && low == address.low() ? address : new IpAddress(address.family(), high, low);
    }

    private static long lowMask(int hostBits) {
        return hostBits >= 64 ? 0 : -1L << hostBits;
    }

    private static long highMask(int hostBits) {
        return hostBits <= 64 ? -1L : hostBits == 128 ? 0 : -1L << (hostBits - 64);
    }

    /** Spelled out: prefixes are keys of the largest maps, and a record's own takes several times as long with C1. */
    @Override
    public int hashCode() {
        return address.hashCode() * 31 + length;
    }

    @Override
    public boolean equals(Object other) {
        return other == this
                || (other instanceof IpPrefix that && length == that.length && address.equals(that.address));
    }

    @Override
    public int compareTo(IpPrefix other) {
        int byAddress = address.compareTo(other.address);
        return byAddress != 0 ? byAddress : Integer.compare(length, other.length);
    }

    /** CIDR text. */
    @Override
    public String toString() {
        return address + "/" + length;
    }
}
