package io.podwire.policy.model;

import java.util.Comparator;

/**
 * An EndpointSlice's name.
 *
 * @param namespace its namespace, not empty
 * @param name its name, not empty
 */
public record SliceKey(String namespace, String name) implements Comparable<SliceKey> {
    private static final Comparator<SliceKey> ORDER =
            Comparator.comparing(SliceKey::namespace).thenComparing(SliceKey::name);

    /** Checks that there is a name. */
    public SliceKey {
        if (namespace.isEmpty() || name.isEmpty()) {
            throw new IllegalArgumentException("an EndpointSlice needs a namespace and a name, got namespace '"
                    + namespace + "' name '" + name + "'");
        }
    }

    @Override
    public int compareTo(SliceKey other) {
        return ORDER.compare(this, other);
    }

    /** namespace/name. */
    @Override
    public String toString() {
        return namespace + "/" + name;
    }
}
