package io.podwire.node.netlink.ct;

import io.podwire.common.net.IpFamily;

/**
 * Which connections are meant: those opened to a port, whatever the address. The kernel looks through its table for
 * them from Linux 5.8 on; an older one lists the whole table. (Its filters by IPv6 address, up to 6.18 at least, leave
 * out what they should keep.)
 *
 * @param family of their addresses
 * @param protocol IANA number of a protocol with ports
 * @param port 1 to 65535, before any translation
 */
public record ConnectionFilter(IpFamily family, int protocol, int port) {
    /** True when the connection is meant. */
    public boolean accepts(Connection connection) {
        FlowTuple original = connection.original();
        return original.source().family() == family
                && original.protocol() == protocol
                && original.destinationPort() == port;
    }
}
