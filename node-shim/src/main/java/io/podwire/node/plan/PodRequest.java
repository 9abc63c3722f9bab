package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a configuration, its runtime and the pod's annotations ask for, beyond an interface with any address.
 *
 * @param addresses the pod's own, at most one of each family; none: any
 * @param mac of its interface; empty: any
 * @param pool name of the pool its addresses come from; empty: any
 * @param hostPorts ports of the node that lead to it, in order, no two of which overlap
 * @param shaping how fast its packets may go
 * @param dns for the result; empty: the configuration's own
 * @param sysctls kernel settings inside the pod by path, such as net/core/somaxconn
 * @param mtu of its interface, in bytes; empty: derived from the underlay, and following it
 * @param routes inside it, beside the default route
 * @param reserve true when its addresses are to stay reserved for its replica of a workload
 */
public record PodRequest(
        List<IpAddress> addresses,
        Optional<MacAddress> mac,
        Optional<String> pool,
        List<HostPort> hostPorts,
        Shaping shaping,
        Optional<DnsSettings> dns,
        SortedMap<String, String> sysctls,
        OptionalInt mtu,
        List<ExtraRoute> routes,
        boolean reserve) {
    /** An interface with any address. */
    public static final PodRequest NONE = new PodRequest(
            List.of(),
            Optional.empty(),
            Optional.empty(),
            List.of(),
            Shaping.NONE,
            Optional.empty(),
            new TreeMap<>(),
            OptionalInt.empty(),
            List.of(),
            false);

    /** Copies. */
    public PodRequest {
        addresses = List.copyOf(addresses);
        hostPorts = List.copyOf(hostPorts);
        sysctls = Collections.unmodifiableSortedMap(new TreeMap<>(sysctls));
        routes = List.copyOf(routes);
    }
}
