package io.podwire.route.reflect.bgp;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.RibEntry;
import io.podwire.route.rib.RouteTable;
import io.podwire.route.rib.bgp.BgpPath;
import io.podwire.route.rib.bgp.Source;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * The paths that end at nodes of ours. No prefix is in two of the maps.
 *
 * @param held of what nodes hold themselves, by prefix; no two prefixes overlap
 * @param served of single addresses of services, by prefix: one of each node that says it serves it; none lies in what a
 *     node holds
 * @param told of aggregates and services, by prefix: one of each node that can take their packets
 */
public record NodePaths(
        NavigableMap<IpPrefix, List<BgpPath>> held,
        NavigableMap<IpPrefix, List<BgpPath>> served,
        NavigableMap<IpPrefix, List<BgpPath>> told) {
    /** None. */
    public static final NodePaths NONE = new NodePaths(new TreeMap<>(), new TreeMap<>(), new TreeMap<>());

    /** Copies. */
    public NodePaths {
        held = Collections.unmodifiableNavigableMap(new TreeMap<>(held));
        served = Collections.unmodifiableNavigableMap(new TreeMap<>(served));
        told = Collections.unmodifiableNavigableMap(new TreeMap<>(told));
    }

    /**
     * From what nodes announce.
     *
     * @param leaving nodes that are to be used last
     */
    public static NodePaths of(RouteTable table, Origination origination, Set<NodeName> leaving) {
        NavigableMap<IpPrefix, List<BgpPath>> held = new TreeMap<>();
        for (RibEntry entry : table.entries().values()) {
            for (IpPrefix prefix : entry.route().prefixes()) {
                List<BgpPath> path = paths(List.of(entry), prefix, leaving);
                if (!path.isEmpty()) {
                    held.put(prefix, path);
                }
            }
        }
        NavigableMap<IpPrefix, List<BgpPath>> served = new TreeMap<>();
        for (Map.Entry<IpPrefix, List<RibEntry>> service :
                servers(table, held.navigableKeySet()).entrySet()) {
            put(served, service.getKey(), paths(service.getValue(), service.getKey(), leaving));
        }
        NavigableMap<IpPrefix, List<BgpPath>> told = new TreeMap<>();
        for (IpPrefix aggregate : origination.aggregates()) {
            put(told, aggregate, paths(reachable(table, holdsPartOf(aggregate)), aggregate, leaving));
        }
        for (IpPrefix services : origination.services()) {
            put(told, services, paths(reachable(table, _ -> true), services, leaving));
        }
        // What a node holds whole is its own.
        told.keySet().removeAll(held.keySet());
        // Who serves a single address is a better way than who knows the way on.
        told.keySet().removeAll(served.keySet());
        return new NodePaths(held, served, told);
    }

    /** All of them by prefix. */
    public NavigableMap<IpPrefix, List<BgpPath>> all() {
        NavigableMap<IpPrefix, List<BgpPath>> all = new TreeMap<>(told);
        all.putAll(served);
        all.putAll(held);
        return all;
    }

    /**
     * Who serves which address. As with what nodes hold, and unlike with what all know the way to, the end of a stream changes
     * nothing until the node is stale: a node-shim that starts again leaves its kernel's rules and flows as they are.
     */
    private static NavigableMap<IpPrefix, List<RibEntry>> servers(RouteTable table, NavigableSet<IpPrefix> held) {
        NavigableMap<IpPrefix, List<RibEntry>> servers = new TreeMap<>();
        for (RibEntry entry : table.entries().values()) {
            for (IpAddress service : entry.services()) {
                IpPrefix address = IpPrefix.ofHost(service);
                IpPrefix holder = held.floor(address);
                // A pod's address is nobody's to serve.
                if (holder == null || !holder.contains(address)) {
                    servers.computeIfAbsent(address, _ -> new ArrayList<>()).add(entry);
                }
            }
        }
        return servers;
    }

    private static Predicate<NodeRoute> holdsPartOf(IpPrefix aggregate) {
        return route -> route.prefixes().stream().anyMatch(aggregate::contains);
    }

    /** Those whose stream is up; all while none is, as after our own trouble. */
    private static List<RibEntry> reachable(RouteTable table, Predicate<NodeRoute> which) {
        List<RibEntry> all = table.entries().values().stream()
                .filter(entry -> which.test(entry.route()))
                .toList();
        List<RibEntry> connected = all.stream().filter(RibEntry::connected).toList();
        return connected.isEmpty() ? all : connected;
    }

    private static List<BgpPath> paths(Collection<RibEntry> entries, IpPrefix prefix, Set<NodeName> leaving) {
        List<BgpPath> paths = new ArrayList<>();
        for (RibEntry entry : entries) {
            entry.route()
                    .nextHop(prefix.family())
                    .ifPresent(nextHop -> paths.add(new BgpPath(
                            new Source.Node(entry.node()),
                            nextHop,
                            ReflectionRules.ofNode(leaving.contains(entry.node())),
                            false)));
        }
        return paths;
    }

    private static void put(NavigableMap<IpPrefix, List<BgpPath>> into, IpPrefix prefix, List<BgpPath> paths) {
        if (!paths.isEmpty()) {
            into.put(prefix, paths);
        }
    }
}
