package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.NodeEpoch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What one node has reported.
 *
 * @param epoch the life of the node that reported it
 * @param sequence of its last message, from 1
 * @param connected true while its stream is up
 * @param at when its last message came, a monotonic time
 * @param bindings by address, each address once
 * @param findings of the node's own audit, how many by kind of object; empty: none, or it has not told
 */
public record NodeReport(
        NodeEpoch epoch,
        long sequence,
        boolean connected,
        Duration at,
        List<Binding> bindings,
        Map<String, Integer> findings) {
    /** Copies. */
    public NodeReport {
        bindings = List.copyOf(bindings);
        findings = Map.copyOf(findings);
    }

    /** Of a node whose audit has told nothing. */
    public NodeReport(NodeEpoch epoch, long sequence, boolean connected, Duration at, List<Binding> bindings) {
        this(epoch, sequence, connected, at, bindings, Map.of());
    }

    /** A node's first message. Of two bindings of one address the later counts. */
    static NodeReport full(NodeEpoch epoch, Collection<Binding> bindings, Duration now) {
        TreeMap<IpAddress, Binding> all = new TreeMap<>();
        bindings.forEach(binding -> all.put(binding.address(), binding));
        return new NodeReport(epoch, 1, true, now, new ArrayList<>(all.values()));
    }

    /** After the next message. */
    NodeReport with(Collection<Binding> updated, Collection<IpAddress> removed, Duration now) {
        if (updated.isEmpty() && removed.isEmpty()) {
            return new NodeReport(epoch, sequence + 1, true, now, bindings, findings);
        }
        TreeMap<IpAddress, Binding> all = new TreeMap<>();
        bindings.forEach(binding -> all.put(binding.address(), binding));
        removed.forEach(all::remove);
        updated.forEach(binding -> all.put(binding.address(), binding));
        return new NodeReport(epoch, sequence + 1, true, now, new ArrayList<>(all.values()), findings);
    }

    /** After the end of its stream. */
    NodeReport away() {
        return new NodeReport(epoch, sequence, false, at, bindings, findings);
    }

    /** With what the node's own audit finds. */
    NodeReport finding(Map<String, Integer> counts) {
        return new NodeReport(epoch, sequence, connected, at, bindings, counts);
    }

    /** The node's name. */
    public NodeName node() {
        return epoch.node();
    }

    /** Where the first binding from this address on stands in {@link #bindings}; their number when there is none. */
    public int indexFrom(IpAddress address) {
        int low = 0;
        int high = bindings.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (bindings.get(middle).address().compareTo(address) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** The binding of exactly this address. */
    public Optional<Binding> binding(IpAddress address) {
        int index = indexFrom(address);
        return index < bindings.size() && bindings.get(index).address().equals(address)
                ? Optional.of(bindings.get(index))
                : Optional.empty();
    }
}
