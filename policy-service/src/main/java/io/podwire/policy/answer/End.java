package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.model.PodKey;

/**
 * One end of a connection.
 *
 * @param address its address
 * @param place who has that
 */
public record End(IpAddress address, Place place) {
    /** Who has an address. */
    public sealed interface Place {
        /** A pod that its node has told about, under the key of its endpoint there. */
        record Attached(PodKey pod, NodeName node, String endpoint) implements Place {}

        /** A pod that uses its node's network; its node is empty while it has none. */
        record HostNetwork(PodKey pod, String node) implements Place {}

        /** A pod whose node has not introduced itself; its node is empty while it has none. */
        record Silent(PodKey pod, String node) implements Place {}

        /** No pod. */
        record Outside() implements Place {}
    }
}
