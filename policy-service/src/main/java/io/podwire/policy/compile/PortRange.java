package io.podwire.policy.compile;

import io.podwire.policy.model.Protocol;

/**
 * Ports of one protocol.
 *
 * @param protocol the protocol
 * @param first 0 to 65535; 0 with last 65535: every port
 * @param last first to 65535
 */
public record PortRange(Protocol protocol, int first, int last) {
    /** True when it covers that port. */
    public boolean covers(Protocol other, int port) {
        return protocol == other && first <= port && port <= last;
    }
}
