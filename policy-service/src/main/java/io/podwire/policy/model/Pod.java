package io.podwire.policy.model;

import com.google.common.collect.ImmutableSortedSet;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A pod object, reduced to what policy depends on.
 *
 * @param key its name
 * @param uid identity of the object as a container runtime knows it; empty when unknown
 * @param labels its labels
 * @param node name of its node; empty while it has none
 * @param addresses addresses of its status
 * @param hostNetwork true: it uses its node's addresses, and NetworkPolicy does not see it
 * @param terminated true: its phase is Succeeded or Failed, and its addresses are no longer its own
 * @param namedPorts named ports of its containers
 */
public record Pod(
        PodKey key,
        String uid,
        Map<String, String> labels,
        String node,
        Set<IpAddress> addresses,
        boolean hostNetwork,
        boolean terminated,
        List<NamedPort> namedPorts) {

    /** Checks the node's name and copies the collections. */
    public Pod {
        if (!node.isEmpty()) {
            var _ = new NodeName(node);
        }
        labels = Map.copyOf(labels);
        addresses = ImmutableSortedSet.copyOf(addresses);
        namedPorts = List.copyOf(namedPorts);
    }
}
