package io.podwire.ipam.source;

import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolSource;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What one place says of pools at one moment.
 *
 * @param kind the place
 * @param pools those that it declares, by name
 * @param refused names that it declares in a way that is none, and why: a pool of such a name stays as it is
 * @param unreadFiles manifests that nobody could read yet: pools that came from them stay as they are
 */
record Declared(
        PoolSource.Kind kind,
        SortedMap<String, Pool> pools,
        SortedMap<String, String> refused,
        Set<String> unreadFiles) {
    /** Copies. */
    Declared {
        pools = Collections.unmodifiableSortedMap(new TreeMap<>(pools));
        refused = Collections.unmodifiableSortedMap(new TreeMap<>(refused));
        unreadFiles = Set.copyOf(unreadFiles);
    }

    /** What the Kubernetes API says. */
    static Declared ofKubernetes(Map<String, Pool> pools, Map<String, String> refused) {
        return new Declared(PoolSource.Kind.KUBERNETES, new TreeMap<>(pools), new TreeMap<>(refused), Set.of());
    }

    /** True when a stored pool, which is of this place, is declared no more. */
    boolean lacks(Pool stored) {
        return stored.source().kind() == kind
                && !pools.containsKey(stored.name())
                && !refused.containsKey(stored.name())
                && !unreadFiles.contains(stored.source().file());
    }
}
