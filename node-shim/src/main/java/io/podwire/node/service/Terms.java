package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import java.util.List;

/**
 * What nft(8) calls the things of one family.
 *
 * @param family the family
 * @param digit of names
 * @param ip of headers
 */
record Terms(IpFamily family, String digit, String ip) {
    /** What has ports. */
    static final List<String> PROTOCOLS = List.of("tcp", "udp", "sctp");

    /** The port that a packet calls. */
    static final String PORT = "meta l4proto . th dport";
    /** The port that a flow called. nft 1.0.6 knows what such a port is only where the protocol was compared before. */
    static final String ORIGINAL_PORT = "ct protocol . ct original proto-dst";

    private static final Terms V4 = new Terms(IpFamily.V4, "4", "ip");
    private static final Terms V6 = new Terms(IpFamily.V6, "6", "ip6");

    static Terms of(IpFamily family) {
        return switch (family) {
            case V4 -> V4;
            case V6 -> V6;
        };
    }

    /** The address and port that a packet calls. */
    String key() {
        return ip + " daddr . " + PORT;
    }

    /** The address and port that a flow called. */
    String originalKey() {
        return "ct original " + ip + " daddr . " + ORIGINAL_PORT;
    }

    /** The type of an address. */
    String type() {
        return "ipv" + digit + "_addr";
    }
}
