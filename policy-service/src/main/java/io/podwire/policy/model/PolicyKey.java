package io.podwire.policy.model;

import java.util.Comparator;

/**
 * A policy's name.
 *
 * @param namespace its namespace, not empty, without '/'
 * @param name its name, not empty, without '/'
 */
public record PolicyKey(String namespace, String name) implements Comparable<PolicyKey> {
    private static final Comparator<PolicyKey> ORDER =
            Comparator.comparing(PolicyKey::namespace).thenComparing(PolicyKey::name);

    /** Checks that the text form has one reading. */
    public PolicyKey {
        if (namespace.isEmpty() || name.isEmpty() || namespace.indexOf('/') >= 0 || name.indexOf('/') >= 0) {
            throw new IllegalArgumentException("a policy needs a namespace and a name without '/', got namespace '"
                    + namespace + "' name '" + name + "'");
        }
    }

    @Override
    public int compareTo(PolicyKey other) {
        return ORDER.compare(this, other);
    }

    /** namespace/name. */
    @Override
    public String toString() {
        return namespace + "/" + name;
    }
}
