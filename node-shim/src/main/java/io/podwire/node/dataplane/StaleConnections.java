package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.ct.Connection;
import io.podwire.node.netlink.ct.ConnectionFilter;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.plan.HostPort;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the kernel forget connections that rules no longer translate as they did. A UDP client that goes on sending
 * keeps its old connection alive, and with it the old translation: to a pod that is gone, or to none.
 *
 * <p>Safe for several threads. Pods that are gone wait in a set that one task at a time empties on the executor, so that
 * many DELs share a look at the kernel's table. A look walks all of its buckets, used or not: 5 ms of a processor's time
 * for 262,144 of them, which the kernel has from 4 GiB of memory on.
 */
public final class StaleConnections {
    private static final Logger log = LoggerFactory.getLogger(StaleConnections.class);

    private final Conntrack conntrack;
    private final RtnetlinkPool sockets;
    private final Executor executor;
    /** Guarded by itself. */
    private final Set<IpAddress> gone = new HashSet<>();

    /**
     * Of one network namespace.
     *
     * @param executor for what nobody waits for; the later it runs a task, the more pods share it
     */
    public StaleConnections(Conntrack conntrack, RtnetlinkPool sockets, Executor executor) {
        this.conntrack = conntrack;
        this.sockets = sockets;
        this.executor = executor;
    }

    /** Forgets, soon, all connections from and to addresses of pods whose links and rules are gone. A failure is logged. */
    public void forget(Collection<IpAddress> addresses) {
        if (addresses.isEmpty()) {
            return;
        }
        boolean first;
        synchronized (gone) {
            first = gone.isEmpty();
            gone.addAll(addresses);
        }
        if (first) {
            executor.execute(this::sweep);
        }
    }

    private void sweep() {
        Set<IpAddress> now;
        synchronized (gone) {
            now = Set.copyOf(gone);
            gone.clear();
        }
        for (IpFamily family : IpFamily.values()) {
            Set<IpAddress> ofFamily =
                    now.stream().filter(address -> address.family() == family).collect(Collectors.toSet());
            if (!ofFamily.isEmpty()) {
                try {
                    conntrack
                            .connections(family, connection -> isOf(connection, ofFamily))
                            .forEach(conntrack::delete);
                } catch (NetlinkException e) {
                    log.warn(
                            "cannot forget connections of {}: until they end by themselves, packets of them may go astray",
                            ofFamily,
                            e);
                }
            }
        }
    }

    /** The pod opened it, or answers it, whatever it is translated to. */
    private static boolean isOf(Connection connection, Set<IpAddress> pods) {
        return pods.contains(connection.original().source())
                || pods.contains(connection.reply().source());
    }

    /**
     * Forgets connections to the node's side of host ports that lead elsewhere than to the pod which has the ports now
     * and whose rules are in the kernel. A failure is logged.
     */
    public void takeOver(Iterable<HostPort> ports, PodAddresses pod) {
        try {
            Set<IpAddress> own = sockets.call(host -> host.addresses()).stream()
                    .map(InterfaceAddress::address)
                    .collect(Collectors.toSet());
            for (HostPort port : ports) {
                pod.families().stream()
                        .filter(port::has)
                        .map(family ->
                                new ConnectionFilter(family, port.protocol().number(), port.hostPort()))
                        .flatMap(filter -> conntrack.connections(filter).stream())
                        .filter(connection -> isTo(port, own, connection))
                        .filter(connection ->
                                !pod.list().contains(connection.reply().source()))
                        .forEach(conntrack::delete);
            }
        } catch (NetlinkException e) {
            log.warn(
                    "cannot forget older connections to host ports {} of {}: until they end by themselves, packets of"
                            + " them do not reach it",
                    ports,
                    pod,
                    e);
        }
    }

    private static boolean isTo(HostPort port, Set<IpAddress> own, Connection connection) {
        IpAddress to = connection.original().destination();
        return port.onlyOn().map(to::equals).orElseGet(() -> own.contains(to));
    }
}
