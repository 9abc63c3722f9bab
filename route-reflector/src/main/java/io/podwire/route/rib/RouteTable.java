package io.podwire.route.rib;

import io.podwire.common.net.NodeName;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What every node announced.
 *
 * @param entries by node, ordered
 */
public record RouteTable(NavigableMap<NodeName, RibEntry> entries) {
    /** Nothing known. */
    public static final RouteTable EMPTY = new RouteTable(new TreeMap<>());

    /** Copies the entries. */
    public RouteTable {
        entries = Collections.unmodifiableNavigableMap(new TreeMap<>(entries));
    }

    /** What is known of a node. */
    public Optional<RibEntry> entry(NodeName node) {
        return Optional.ofNullable(entries.get(node));
    }

    /** What a node is told when its stream begins: everybody else's routes that have prefixes. */
    public List<NodeRoute> seenBy(NodeName reader) {
        return entries.values().stream()
                .map(RibEntry::route)
                .filter(route ->
                        !route.node().equals(reader) && !route.prefixes().isEmpty())
                .toList();
    }

    /** How these nodes are now, as a change to whatever a reader knew of them. */
    public RibDelta stateOf(Collection<NodeName> nodes) {
        List<NodeRoute> updated = new ArrayList<>();
        List<NodeName> removed = new ArrayList<>();
        for (NodeName node : nodes) {
            RibEntry entry = entries.get(node);
            if (entry == null || entry.route().prefixes().isEmpty()) {
                removed.add(node);
            } else {
                updated.add(entry.route());
            }
        }
        return new RibDelta(updated, removed);
    }

    RouteTable with(RibEntry entry) {
        TreeMap<NodeName, RibEntry> next = new TreeMap<>(entries);
        next.put(entry.node(), entry);
        return new RouteTable(next);
    }
}
