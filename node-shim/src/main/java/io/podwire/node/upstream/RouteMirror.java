package io.podwire.node.upstream;

import io.podwire.common.net.NodeName;
import io.podwire.node.plan.RemoteNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;

/**
 * What this node knows of the others' routes by one reflector. No I/O and no clock: time is an argument.
 *
 * <p>Routes are fail static: only an explicit removal, or absence for some time from a reflector that
 * has come back, takes one away. A reflector that was restarted knows little at first, so the first
 * full state of its new epoch adds and changes, and removes nothing yet.
 */
final class RouteMirror {
    private final Duration staleAfter;
    private final LongSupplier order;
    private final Map<NodeName, Heard> nodes = new TreeMap<>();
    private final Map<NodeName, Duration> staleAt = new HashMap<>();
    private String epoch = "";

    /**
     * A node's route.
     *
     * @param order greater than that of all that any reflector had told before it
     */
    record Heard(RemoteNode route, long order) {}

    /**
     * Knows nothing yet.
     *
     * @param staleAfter how long a route stays that a new epoch's reflector has not named
     * @param order numbers what is heard, of all reflectors together
     */
    RouteMirror(Duration staleAfter, LongSupplier order) {
        this.staleAfter = staleAfter;
        this.order = order;
    }

    /**
     * A full state.
     *
     * @return nodes that it withdraws
     */
    List<NodeName> full(String newEpoch, List<RemoteNode> all, Duration now) {
        boolean returned = isReturn(newEpoch);
        epoch = newEpoch;
        Map<NodeName, RemoteNode> named = new HashMap<>();
        all.forEach(r -> named.put(r.node(), r));
        List<NodeName> withdrawn = new ArrayList<>();
        for (NodeName known : List.copyOf(nodes.keySet())) {
            if (named.containsKey(known)) {
                continue;
            }
            if (returned) {
                staleAt.putIfAbsent(known, now.plus(staleAfter));
            } else if (!staleAt.containsKey(known)) {
                nodes.remove(known);
                withdrawn.add(known);
            }
        }
        named.forEach(this::put);
        return withdrawn;
    }

    /** A difference to the state before. */
    void delta(List<RemoteNode> updated, List<NodeName> removed) {
        updated.forEach(r -> put(r.node(), r));
        removed.forEach(this::forget);
    }

    /** Whether a state of this epoch is the first one of another life of the reflector. */
    boolean isReturn(String newEpoch) {
        return !newEpoch.equals(epoch);
    }

    /** Takes what is known by a reflector that is away: stale, unless this one names it. */
    void inherit(Collection<RemoteNode> known, Duration now) {
        known.forEach(route -> {
            if (nodes.putIfAbsent(route.node(), new Heard(route, order.getAsLong())) == null && !epoch.isEmpty()) {
                staleAt.put(route.node(), now.plus(staleAfter));
            }
        });
    }

    /** Forgets a node: it was withdrawn. */
    void forget(NodeName node) {
        nodes.remove(node);
        staleAt.remove(node);
    }

    /**
     * Drops what is stale.
     *
     * @return what was dropped
     */
    List<NodeName> sweep(Duration now) {
        List<NodeName> stale = staleAt.entrySet().stream()
                .filter(e -> e.getValue().compareTo(now) <= 0)
                .map(Map.Entry::getKey)
                .toList();
        stale.forEach(this::forget);
        return stale;
    }

    /** All that is known, by node. */
    Collection<RemoteNode> nodes() {
        return nodes.values().stream().map(Heard::route).toList();
    }

    /** The same with when it was heard. */
    Collection<Heard> heard() {
        return List.copyOf(nodes.values());
    }

    /** Whether a node is known by an earlier life of the reflector, or by another one, alone. */
    boolean isStale(NodeName node) {
        return staleAt.containsKey(node);
    }

    /** What was known before is no news: another reflector may have told a newer one meanwhile. */
    private void put(NodeName name, RemoteNode route) {
        Heard before = nodes.get(name);
        if (before == null || !before.route().equals(route)) {
            nodes.put(name, new Heard(route, order.getAsLong()));
        }
        staleAt.remove(name);
    }
}
