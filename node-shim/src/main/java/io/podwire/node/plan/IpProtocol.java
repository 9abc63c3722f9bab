package io.podwire.node.plan;

/** Protocols with ports that a NetworkPolicy can name. */
public enum IpProtocol {
    /** RFC 9293. */
    TCP(6),
    /** RFC 768. */
    UDP(17),
    /** RFC 9260. */
    SCTP(132);

    private final int number;

    IpProtocol(int number) {
        this.number = number;
    }

    /** Its IANA protocol number. */
    public int number() {
        return number;
    }
}
