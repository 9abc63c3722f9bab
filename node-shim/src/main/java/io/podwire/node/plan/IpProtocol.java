package io.podwire.node.plan;

import java.util.Arrays;
import java.util.Optional;

/** Protocols with ports that a NetworkPolicy or a port mapping can name. */
public enum IpProtocol {
    /** RFC 9293. */
    TCP(6, "tcp"),
    /** RFC 768. */
    UDP(17, "udp"),
    /** RFC 9260. */
    SCTP(132, "sctp");

    private final int number;
    private final String keyword;

    IpProtocol(int number, String keyword) {
        this.number = number;
        this.keyword = keyword;
    }

    /** The protocol of this name, whatever its case; empty when it is none of these. */
    public static Optional<IpProtocol> of(String name) {
        return Arrays.stream(values())
                .filter(p -> p.keyword.equalsIgnoreCase(name))
                .findFirst();
    }

    /** Its IANA protocol number. */
    public int number() {
        return number;
    }

    /** Its name, in lower case. */
    public String keyword() {
        return keyword;
    }
}
