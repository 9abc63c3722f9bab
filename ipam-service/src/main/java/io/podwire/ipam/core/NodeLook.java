package io.podwire.ipam.core;

import io.podwire.common.net.NodeName;
import java.time.Duration;
import java.util.Set;

/**
 * One look at which nodes there are.
 *
 * @param begun before anything was asked, a monotonic time: a node that is missing was so then or later
 * @param ended after everything was answered: a node that is missing was so then or earlier
 * @param listed every node of the cluster
 * @param connected the nodes that report their bindings to this replica now, in the life they do it in, and those that
 *     have lately tried in vain, because another installation does it under their name
 */
public record NodeLook(Duration begun, Duration ended, Set<NodeName> listed, Set<NodeEpoch> connected) {
    /** Copies. */
    public NodeLook {
        listed = Set.copyOf(listed);
        connected = Set.copyOf(connected);
    }
}
