package io.podwire.common.net;

/** The two families of IP addresses. */
public enum IpFamily {
    /** IPv4, RFC 791. */
    V4(32, "IPv4"),
    /** IPv6, RFC 8200. */
    V6(128, "IPv6");

    private final int bits;
    private final String label;

    IpFamily(int bits, String label) {
        this.bits = bits;
        this.label = label;
    }

    /** Length of an address in bits: 32 or 128. */
    public int bits() {
        return bits;
    }

    /** "IPv4" or "IPv6", for people. */
    public String label() {
        return label;
    }
}
