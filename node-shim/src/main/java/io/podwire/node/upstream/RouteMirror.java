package io.podwire.node.upstream;

import io.podwire.common.net.NodeName;
import io.podwire.node.plan.RemoteNode;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What this node knows of the others' routes. No I/O and no clock: time is an argument.
 *
 * <p>Routes are fail static: only an explicit removal, or absence for 120 s from a reflector that
 * has come back, takes one away. A reflector that was restarted knows little at first, so the first
 * full state of its new epoch adds and changes, and removes nothing yet.
 */
final class RouteMirror {
    /** How long a route stays that a new epoch's reflector has not named. */
    static final Duration STALE_AFTER = Duration.ofMinutes(2);

    private final Map<NodeName, RemoteNode> nodes = new TreeMap<>();
    private final Map<NodeName, Duration> staleAt = new HashMap<>();
    private String epoch = "";

    /** A full state. */
    void full(String newEpoch, List<RemoteNode> all, Duration now) {
        boolean returned = !newEpoch.equals(epoch);
        epoch = newEpoch;
        Map<NodeName, RemoteNode> named = new HashMap<>();
        all.forEach(r -> named.put(r.node(), r));
        for (NodeName known : List.copyOf(nodes.keySet())) {
            if (named.containsKey(known)) {
                continue;
            }
            if (returned) {
                staleAt.putIfAbsent(known, now.plus(STALE_AFTER));
            } else if (!staleAt.containsKey(known)) {
                nodes.remove(known);
            }
        }
        named.forEach(this::put);
    }

    /** A difference to the state before. */
    void delta(List<RemoteNode> updated, List<NodeName> removed) {
        updated.forEach(r -> put(r.node(), r));
        removed.forEach(name -> {
            nodes.remove(name);
            staleAt.remove(name);
        });
    }

    /**
     * Drops what is stale.
     *
     * @return true when something was dropped
     */
    boolean sweep(Duration now) {
        List<NodeName> stale = staleAt.entrySet().stream()
                .filter(e -> e.getValue().compareTo(now) <= 0)
                .map(Map.Entry::getKey)
                .toList();
        stale.forEach(name -> {
            nodes.remove(name);
            staleAt.remove(name);
        });
        return !stale.isEmpty();
    }

    /** All that is known, by node. */
    Collection<RemoteNode> nodes() {
        return List.copyOf(nodes.values());
    }

    private void put(NodeName name, RemoteNode route) {
        nodes.put(name, route);
        staleAt.remove(name);
    }
}
