package io.podwire.node.netlink.ct;

import io.podwire.common.net.IpAddress;

/**
 * One direction of a connection.
 *
 * @param protocol IANA number of a protocol with ports
 * @param source address of the sender
 * @param destination address of the receiver, of the same family
 * @param sourcePort 0 to 65535
 * @param destinationPort 0 to 65535
 */
public record FlowTuple(int protocol, IpAddress source, IpAddress destination, int sourcePort, int destinationPort) {
    /** Checks the families. */
    public FlowTuple {
        if (source.family() != destination.family()) {
            throw new IllegalArgumentException(source + " and " + destination + " are of two families");
        }
    }
}
