package io.podwire.ipam.core;

import io.podwire.common.net.IpFamily;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * A pool with a namespace selector, and which namespaces that selects.
 *
 * @param pool the pool's name
 * @param family its addresses' family
 * @param namespaces those that it selects; empty when nobody knows any namespaces
 */
public record SelectedNamespaces(String pool, IpFamily family, Optional<SortedSet<String>> namespaces) {
    /** Copies. */
    public SelectedNamespaces {
        namespaces = namespaces.map(names -> Collections.unmodifiableSortedSet(new TreeSet<>(names)));
    }

    /**
     * Resolves the selectors of pools.
     *
     * @param pools any, by name: those without a selector, for other purposes than pods or retired are passed over
     * @param labels of each namespace; empty when nobody knows any namespaces
     */
    public static List<SelectedNamespaces> resolve(
            List<Pool> pools, Optional<? extends Map<String, Map<String, String>>> labels) {
        List<SelectedNamespaces> selected = new ArrayList<>();
        for (Pool pool : pools) {
            if (selects(pool)) {
                selected.add(new SelectedNamespaces(pool.name(), pool.family(), labels.map(of -> matching(pool, of))));
            }
        }
        return selected;
    }

    /** True when a pool has a namespace selector that counts: a retired one keeps nobody from other pools. */
    public static boolean selects(Pool pool) {
        return !pool.namespaces().isEvery() && pool.purpose() == PoolPurpose.PODS && pool.state() != PoolState.RETIRED;
    }

    private static SortedSet<String> matching(Pool pool, Map<String, Map<String, String>> labels) {
        SortedSet<String> names = new TreeSet<>();
        labels.forEach((name, of) -> {
            if (pool.namespaces().matches(of)) {
                names.add(name);
            }
        });
        return names;
    }
}
