package io.podwire.node.address;

import io.podwire.common.net.IpFamily;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Which pools are for pods of some namespaces, by their namespace selectors. A pod that names neither pool nor address
 * gets an address of a family from the pools that select its namespace; where none of that family does, from those
 * without a selector.
 *
 * @param version what ipam-service calls this state; empty: it has not read the namespaces yet, or does not know them
 * @param pools those that have a selector, by name
 */
public record NamespacePools(String version, SortedMap<String, Selected> pools) {
    /** No pool has a selector. */
    public static final NamespacePools NONE = new NamespacePools("", Collections.emptySortedMap());

    private static final String UNRESOLVED = "*";

    /**
     * What a selector comes to.
     *
     * @param family of the pool's addresses
     * @param namespaces that are selected; empty: nobody knows, and only a pod that names the pool gets its addresses
     */
    public record Selected(IpFamily family, Optional<SortedSet<String>> namespaces) {
        /** Copies. */
        public Selected {
            namespaces = namespaces.map(names -> Collections.unmodifiableSortedSet(new TreeSet<>(names)));
        }

        private boolean selects(String namespace) {
            return namespaces.filter(names -> names.contains(namespace)).isPresent();
        }
    }

    /** Copies. */
    public NamespacePools {
        pools = Collections.unmodifiableSortedMap(new TreeMap<>(pools));
    }

    /** True when no pool has a selector. */
    public boolean isNone() {
        return pools.isEmpty();
    }

    /** True when any pool selects a namespace. */
    public boolean selects(String namespace) {
        return pools.values().stream().anyMatch(pool -> pool.selects(namespace));
    }

    /** True when a pool has a selector: its addresses are not for any pod. */
    public boolean restricts(String pool) {
        return pools.containsKey(pool);
    }

    /** The pools of a family that select a namespace, by name; empty: those without a selector serve it. */
    List<String> selecting(String namespace, IpFamily family) {
        return pools.entrySet().stream()
                .filter(pool -> pool.getValue().family() == family)
                .filter(pool -> pool.getValue().selects(namespace))
                .map(Map.Entry::getKey)
                .toList();
    }

    /** True when a pod that names a pool, or an address of it, may have one. */
    boolean admits(String namespace, String pool) {
        Selected selected = pools.get(pool);
        return selected == null || selected.namespaces().isEmpty() || selected.selects(namespace);
    }

    /** All of it, for {@link #parse}: the version, then a line for each pool. */
    public String text() {
        return pools.entrySet().stream()
                .map(pool -> pool.getKey() + " " + pool.getValue().family() + " "
                        + pool.getValue()
                                .namespaces()
                                .map(names -> String.join(",", names))
                                .orElse(UNRESOLVED))
                .collect(Collectors.joining("\n", version + "\n", ""));
    }

    /** What {@link #text} wrote. */
    public static NamespacePools parse(String text) {
        String[] lines = text.split("\n", -1);
        SortedMap<String, Selected> pools = new TreeMap<>();
        for (String line : List.of(lines).subList(1, lines.length)) {
            String[] parts = line.split(" ", -1);
            if (parts.length == 3) {
                pools.put(parts[0], new Selected(IpFamily.valueOf(parts[1]), namespaces(parts[2])));
            }
        }
        return new NamespacePools(lines[0], pools);
    }

    private static Optional<SortedSet<String>> namespaces(String text) {
        return text.equals(UNRESOLVED)
                ? Optional.empty()
                : Optional.of(Arrays.stream(text.split(",", -1))
                        .filter(name -> !name.isEmpty())
                        .collect(Collectors.toCollection(TreeSet::new)));
    }
}
