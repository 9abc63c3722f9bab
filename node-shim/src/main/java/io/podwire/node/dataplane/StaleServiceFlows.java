package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.ct.Connection;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.service.Called;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the kernel forget flows that called a Service and go elsewhere than to an endpoint that it has now: to one that is
 * gone, or to nobody, because the Service came after them. Of TCP only those that nobody has answered: with them a
 * client's next SYN would go where the first one went, and the next client's that has its port. Others end by
 * themselves, those to endpoints that are gone may finish. One thread uses it.
 */
public final class StaleServiceFlows {
    private static final Logger log = LoggerFactory.getLogger(StaleServiceFlows.class);

    private final Conntrack conntrack;
    private final RtnetlinkPool sockets;

    private record Place(Optional<IpAddress> address, int protocol, int port) {}

    /** Of one network namespace. */
    public StaleServiceFlows(Conntrack conntrack, RtnetlinkPool sockets) {
        this.conntrack = conntrack;
        this.sockets = sockets;
    }

    /** Looks at what called these places; a failure is logged. */
    public void forget(Collection<Called> places) {
        for (IpFamily family : IpFamily.values()) {
            Map<Place, Set<Called.Endpoint>> called = new HashMap<>();
            places.stream()
                    .filter(place -> place.family() == family)
                    .forEach(place -> called.put(
                            new Place(place.address(), place.protocol().number(), place.port()), place.allowed()));
            if (!called.isEmpty()) {
                try {
                    forget(family, called);
                } catch (NetlinkException e) {
                    log.warn(
                            "cannot forget flows of Services that have changed: until their clients are silent for a"
                                    + " while, packets of them may go astray",
                            e);
                }
            }
        }
    }

    private void forget(IpFamily family, Map<Place, Set<Called.Endpoint>> called) {
        boolean nodePorts =
                called.keySet().stream().anyMatch(place -> place.address().isEmpty());
        Set<IpAddress> own = nodePorts
                ? sockets.call(host -> host.addresses()).stream()
                        .map(InterfaceAddress::address)
                        .collect(Collectors.toSet())
                : Set.of();
        List<Connection> stale = conntrack.connections(family, connection -> isStale(connection, called, own));
        stale.forEach(conntrack::delete);
        if (!stale.isEmpty()) {
            log.info("{} flows of Services that have changed are forgotten", stale.size());
        }
    }

    private static boolean isStale(Connection connection, Map<Place, Set<Called.Endpoint>> called, Set<IpAddress> own) {
        IpAddress to = connection.original().destination();
        int protocol = connection.original().protocol();
        int port = connection.original().destinationPort();
        Set<Called.Endpoint> allowed = called.get(new Place(Optional.of(to), protocol, port));
        if (allowed == null && own.contains(to)) {
            allowed = called.get(new Place(Optional.empty(), protocol, port));
        }
        return allowed != null
                && !(protocol == IpProtocol.TCP.number() && connection.answered())
                && !allowed.contains(new Called.Endpoint(
                        connection.reply().source(), connection.reply().sourcePort()));
    }
}
