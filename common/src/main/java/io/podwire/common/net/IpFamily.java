package io.podwire.common.net;

/** The two families of IP addresses. */
public enum IpFamily {
    /** IPv4, RFC 791. */
    V4(32),
    /** IPv6, RFC 8200. */
    V6(128);

    private final int bits;

    IpFamily(int bits) {
        this.bits = bits;
    }

    /** Length of an address in bits: 32 or 128. */
    public int bits() {
        return bits;
    }
}
