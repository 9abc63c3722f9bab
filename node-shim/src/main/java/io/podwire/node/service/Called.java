package io.podwire.node.service;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.plan.IpProtocol;
import java.util.Optional;
import java.util.Set;

/**
 * Where flows may go that called a place: any other that conntrack still knows is from before a change, and goes on for as
 * long as its client sends (kubernetes/kubernetes#48370).
 *
 * @param family of the flows
 * @param address that was called; empty: a port of the node
 * @param protocol of the port; of TCP, connections that nobody has answered are meant
 * @param port that was called
 * @param allowed where such flows may go; nowhere: nobody serves there any more
 */
public record Called(
        IpFamily family, Optional<IpAddress> address, IpProtocol protocol, int port, Set<Endpoint> allowed) {
    /**
     * Who answers.
     *
     * @param address its address
     * @param port its port
     */
    public record Endpoint(IpAddress address, int port) {}

    /** Copies. */
    public Called {
        allowed = Set.copyOf(allowed);
    }
}
