package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * How many addresses in use each namespace has, by what nodes reported: kept up to date report by report, for each
 * ADD of a node asks for it. Guarded by the monitor of the table that owns it.
 */
final class NamespaceCounts {
    /** Is counted elsewhere. */
    private final Predicate<IpAddress> elsewhere;

    private final Map<NodeName, Map<String, Integer>> byNode = new HashMap<>();
    private final Map<String, Integer> all = new HashMap<>();

    NamespaceCounts(Predicate<IpAddress> elsewhere) {
        this.elsewhere = elsewhere;
    }

    /** A node has these now. */
    void put(NodeName node, List<Binding> bindings) {
        remove(node);
        Map<String, Integer> counts = new HashMap<>();
        for (Binding binding : bindings) {
            String namespace = binding.holder().namespace();
            if (binding.state() == Binding.State.IN_USE && !namespace.isEmpty() && !elsewhere.test(binding.address())) {
                counts.merge(namespace, 1, Integer::sum);
            }
        }
        byNode.put(node, counts);
        counts.forEach((namespace, count) -> all.merge(namespace, count, Integer::sum));
    }

    /** A node has none any more. */
    void remove(NodeName node) {
        Map<String, Integer> before = byNode.remove(node);
        if (before != null) {
            before.forEach((namespace, count) ->
                    all.computeIfPresent(namespace, (_, sum) -> sum.equals(count) ? null : sum - count));
        }
    }

    int of(String namespace) {
        return all.getOrDefault(namespace, 0);
    }

    Map<String, Integer> all() {
        return Map.copyOf(all);
    }
}
