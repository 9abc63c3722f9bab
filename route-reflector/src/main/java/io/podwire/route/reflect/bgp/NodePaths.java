package io.podwire.route.reflect.bgp;

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
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * The paths that end at nodes of ours.
 *
 * @param held of what nodes hold themselves, by prefix; no two prefixes overlap
 * @param told of aggregates and services, by prefix: one of each node that can take their packets
 */
public record NodePaths(NavigableMap<IpPrefix, List<BgpPath>> held, NavigableMap<IpPrefix, List<BgpPath>> told) {
    /** None. */
    public static final NodePaths NONE = new NodePaths(new TreeMap<>(), new TreeMap<>());

    /** Copies. */
    public NodePaths {
        held = Collections.unmodifiableNavigableMap(new TreeMap<>(held));
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
        NavigableMap<IpPrefix, List<BgpPath>> told = new TreeMap<>();
        for (IpPrefix aggregate : origination.aggregates()) {
            put(told, aggregate, paths(reachable(table, holdsPartOf(aggregate)), aggregate, leaving));
        }
        for (IpPrefix services : origination.services()) {
            put(told, services, paths(reachable(table, _ -> true), services, leaving));
        }
        // What a node holds whole is its own.
        told.keySet().removeAll(held.keySet());
        return new NodePaths(held, told);
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
