package io.podwire.policy.model;

import com.google.common.collect.ImmutableSortedSet;
import io.podwire.common.net.IpAddress;
import java.util.Map;
import java.util.Set;

/**
 * A node object, reduced to what policy depends on.
 *
 * @param name its name, not empty
 * @param labels its labels
 * @param addresses the addresses of its status, of every type that is one
 */
public record ClusterNode(String name, Map<String, String> labels, Set<IpAddress> addresses) {
    /** Checks the name and copies the collections. */
    public ClusterNode {
        if (name.isEmpty()) {
            throw new IllegalArgumentException("a node needs a name");
        }
        labels = Map.copyOf(labels);
        addresses = ImmutableSortedSet.copyOf(addresses);
    }
}
