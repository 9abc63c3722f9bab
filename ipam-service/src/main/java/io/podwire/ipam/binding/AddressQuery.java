package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import java.util.Optional;
import java.util.Set;

/**
 * Which addresses are asked for; every part must fit.
 *
 * @param states what they are, at least one
 * @param pool of this pool; empty: of any and of none
 * @param node reported by this node, or of its blocks
 * @param namespace of pods of this namespace; empty: of all
 * @param pod of pods of this name; empty: of all
 * @param prefix in this prefix
 * @param exact this address alone
 */
public record AddressQuery(
        Set<AddressState> states,
        String pool,
        Optional<NodeName> node,
        String namespace,
        String pod,
        Optional<IpPrefix> prefix,
        Optional<IpAddress> exact) {
    /** Copies. */
    public AddressQuery {
        states = Set.copyOf(states);
    }

    /** True when only addresses of pods are asked for. */
    boolean ofPods() {
        return !namespace.isEmpty() || !pod.isEmpty();
    }

    boolean fits(Binding binding) {
        return states.contains(AddressState.of(binding.state()))
                && (namespace.isEmpty() || namespace.equals(binding.holder().namespace()))
                && (pod.isEmpty() || pod.equals(binding.holder().pod()))
                && fits(binding.address());
    }

    boolean fits(IpAddress address) {
        return (exact.isEmpty() || exact.get().equals(address))
                && (prefix.isEmpty() || prefix.get().contains(address));
    }

    boolean fits(NodeName reporter) {
        return node.isEmpty() || node.get().equals(reporter);
    }

    /** False when no address of the range can fit. */
    boolean touches(IpPrefix range) {
        return (exact.isEmpty() || range.contains(exact.get()))
                && (prefix.isEmpty() || prefix.get().overlaps(range));
    }
}
