package io.podwire.route.rib;

import io.podwire.common.net.NodeName;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * What changed for those who read the table. Applying it twice is applying it once; removing who is
 * not there is success.
 *
 * @param updated new and changed nodes that have prefixes, whole, ordered by node
 * @param removed nodes without prefixes, or without an entry, ordered
 */
public record RibDelta(List<NodeRoute> updated, List<NodeName> removed) {
    /** Nothing changed. */
    public static final RibDelta NONE = new RibDelta(List.of(), List.of());

    /** Copies and sorts. */
    public RibDelta {
        updated = updated.stream().sorted(Comparator.comparing(NodeRoute::node)).toList();
        removed = removed.stream().sorted().toList();
    }

    /** The nodes it speaks of. */
    public List<NodeName> nodes() {
        return Stream.concat(updated.stream().map(NodeRoute::node), removed.stream())
                .sorted()
                .toList();
    }
}
