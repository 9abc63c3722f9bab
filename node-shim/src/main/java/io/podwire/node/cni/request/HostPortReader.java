package io.podwire.node.cni.request;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.HostPort;
import io.podwire.node.plan.IpProtocol;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/** Capability portMappings: a list of {hostPort, containerPort, protocol, hostIP}. */
final class HostPortReader {
    private static final String KEY = "portMappings";
    private static final int MAX_PORT = 65_535;
    private static final IpAddress LOOPBACK = IpAddress.parse("127.0.0.1");
    private static final IpPrefix LOOPBACKS = IpPrefix.parse("127.0.0.0/8");
    private static final List<IpPrefix> NO_HOST =
            List.of(IpPrefix.parse("224.0.0.0/3"), IpPrefix.parse("ff00::/8"), IpPrefix.parse("fe80::/10"));

    private HostPortReader() {}

    static List<HostPort> read(CaselessObject capabilities) throws RequestException {
        TreeSet<HostPort> ports = new TreeSet<>();
        int index = 0;
        for (JsonNode element : capabilities.list(KEY)) {
            HostPort port = one(CaselessObject.of(capabilities.at(KEY) + "[" + index++ + "]", element));
            // The same mapping may be listed twice, two pods' containers often share a list.
            Optional<HostPort> other = ports.stream()
                    .filter(known -> known.overlaps(port) && !known.equals(port))
                    .findFirst();
            if (other.isPresent()) {
                throw RequestException.invalid(
                        capabilities.at(KEY), "two of it overlap: " + other.get() + " and " + port);
            }
            ports.add(port);
        }
        return List.copyOf(ports);
    }

    private static HostPort one(CaselessObject mapping) throws RequestException {
        return new HostPort(
                protocol(mapping), port(mapping, "hostPort"), port(mapping, "containerPort"), hostIp(mapping));
    }

    private static IpProtocol protocol(CaselessObject mapping) throws RequestException {
        String text = mapping.text("protocol");
        // Kubernetes' default.
        return IpProtocol.of(text.isEmpty() ? "tcp" : text)
                .orElseThrow(() -> RequestException.invalid(
                        mapping.at("protocol"), "it must be tcp, udp or sctp, got \"" + text + "\""));
    }

    private static int port(CaselessObject mapping, String key) throws RequestException {
        return (int) mapping.number(key, 1, MAX_PORT)
                .orElseThrow(() ->
                        RequestException.invalid(mapping.at(key), "it must be 1 to " + MAX_PORT + ", and is missing"));
    }

    private static Optional<IpAddress> hostIp(CaselessObject mapping) throws RequestException {
        String text = mapping.text("hostIP");
        if (text.isEmpty()) {
            return Optional.empty();
        }
        IpAddress ip;
        try {
            ip = IpAddress.parse(text);
        } catch (IllegalArgumentException e) {
            throw RequestException.invalid(
                    mapping.at("hostIP"), "it must be an address of the node, or nothing for all; " + e.getMessage());
        }
        if (NO_HOST.stream().anyMatch(range -> range.contains(ip))) {
            throw RequestException.invalid(
                    mapping.at("hostIP"),
                    "it must be an address of the node that others can name without an interface, got " + ip);
        }
        if (ip.family() == IpFamily.V4 && LOOPBACKS.contains(ip) && !ip.equals(LOOPBACK)) {
            throw RequestException.unsupported(
                    mapping.at("hostIP"), "of the loopback addresses it may be 127.0.0.1 or ::1, got " + ip);
        }
        return Optional.of(ip);
    }
}
