package io.podwire.node.service;

import io.podwire.common.net.IpAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Addresses at which this node serves clients outside and others do not. Several ports, of several Services even, may have
 * one address: it is this node's as long as one of them is. A change costs as much as its ports have addresses. One thread
 * uses it.
 */
final class LocalAddresses {
    private final Map<String, Set<IpAddress>> byPort = new HashMap<>();
    /** How many ports have an address. */
    private final SortedMap<IpAddress, Integer> ports = new TreeMap<>();

    private List<IpAddress> all = List.of();
    private boolean changed;

    /** These are a port's now, in place of those that it had; none where it is gone. */
    void put(String id, Set<IpAddress> addresses) {
        Set<IpAddress> before = addresses.isEmpty() ? byPort.remove(id) : byPort.put(id, Set.copyOf(addresses));
        if (addresses.equals(before)) {
            return;
        }
        addresses.forEach(address -> ports.merge(address, 1, Integer::sum));
        if (before != null) {
            before.forEach(address -> ports.computeIfPresent(address, (_, count) -> count == 1 ? null : count - 1));
        }
        changed = true;
    }

    /** No port has any. */
    void clear() {
        byPort.clear();
        ports.clear();
        changed = true;
    }

    /** All of them, sorted. */
    List<IpAddress> all() {
        if (changed) {
            all = List.copyOf(ports.keySet());
            changed = false;
        }
        return all;
    }
}
