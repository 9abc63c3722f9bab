package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.Comparator;
import java.util.Optional;

/**
 * A port of the node that leads to a port of a pod.
 *
 * @param protocol of both
 * @param hostPort on the node, 1 to 65535
 * @param containerPort in the pod, 1 to 65535
 * @param hostIp the node's address it is on; 0.0.0.0 or ::: on every one of that family; empty: on every one
 */
public record HostPort(IpProtocol protocol, int hostPort, int containerPort, Optional<IpAddress> hostIp)
        implements Comparable<HostPort> {
    private static final Comparator<HostPort> ORDER = Comparator.comparing(HostPort::protocol)
            .thenComparingInt(HostPort::hostPort)
            .thenComparing(port -> port.hostIp().map(IpAddress::toString).orElse(""))
            .thenComparingInt(HostPort::containerPort);

    /** Checks the ports. */
    public HostPort {
        check("host", hostPort);
        check("container", containerPort);
    }

    private static void check(String which, int port) {
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException(which + " port must be 1 to 65535, got " + port);
        }
    }

    /** True when it is on addresses of this family. */
    public boolean has(IpFamily family) {
        return hostIp.isEmpty() || hostIp.get().family() == family;
    }

    /** The one address of the node it is on; empty when it is on every one of its family. */
    public Optional<IpAddress> onlyOn() {
        return hostIp.filter(ip -> ip.high() != 0 || ip.low() != 0);
    }

    /** True when a packet to the node could mean either. */
    public boolean overlaps(HostPort other) {
        return protocol == other.protocol
                && hostPort == other.hostPort
                && (hostIp.isEmpty()
                        || other.hostIp.isEmpty()
                        || hostIp.get().family() == other.hostIp.get().family())
                && (onlyOn().isEmpty() || other.onlyOn().isEmpty() || onlyOn().equals(other.onlyOn()));
    }

    @Override
    public int compareTo(HostPort other) {
        return ORDER.compare(this, other);
    }

    /** "tcp 127.0.0.1:8080 to 80". */
    @Override
    public String toString() {
        String host = hostIp.map(ip -> ip.family() == IpFamily.V6 ? "[" + ip + "]" : ip.toString())
                .orElse("*");
        return protocol.keyword() + " " + host + ":" + hostPort + " to " + containerPort;
    }
}
