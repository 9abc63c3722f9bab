package io.podwire.node.plan;

/**
 * Ports of one protocol.
 *
 * @param protocol the protocol
 * @param first 0 to 65535
 * @param last first to 65535; 0 to 65535 is every port
 */
public record PortRange(IpProtocol protocol, int first, int last) {
    /** Checks the order. */
    public PortRange {
        if (first < 0 || last < first || last > 65535) {
            throw new IllegalArgumentException(
                    protocol + " ports " + first + "-" + last + " are not within 0-65535, in order");
        }
    }
}
