package io.podwire.node.plan;

import java.util.Comparator;

/**
 * A pod's name. Both parts may be empty: a bare sandbox need not have either.
 *
 * @param namespace its namespace
 * @param name its name
 */
public record PodName(String namespace, String name) implements Comparable<PodName> {
    private static final Comparator<PodName> ORDER =
            Comparator.comparing(PodName::namespace).thenComparing(PodName::name);

    @Override
    public int compareTo(PodName other) {
        return ORDER.compare(this, other);
    }

    /** "namespace/name", or nothing when both are empty. */
    @Override
    public String toString() {
        return namespace.isEmpty() && name.isEmpty() ? "" : namespace + "/" + name;
    }
}
