package io.podwire.policy.model;

import com.google.common.base.CharMatcher;
import java.util.Comparator;

/**
 * A Service's name.
 *
 * @param namespace its namespace, not empty, without '/' and ':'
 * @param name its name, not empty, without '/' and ':'
 */
public record ServiceKey(String namespace, String name) implements Comparable<ServiceKey> {
    /** Of the ids of its ports. */
    private static final CharMatcher SEPARATORS = CharMatcher.anyOf("/:");

    private static final Comparator<ServiceKey> ORDER =
            Comparator.comparing(ServiceKey::namespace).thenComparing(ServiceKey::name);

    /** Checks that the text form has one reading. */
    public ServiceKey {
        if (namespace.isEmpty() || name.isEmpty() || SEPARATORS.matchesAnyOf(namespace + name)) {
            throw new IllegalArgumentException("a service needs a namespace and a name without '/' and ':', got"
                    + " namespace '" + namespace + "' name '" + name + "'");
        }
    }

    @Override
    public int compareTo(ServiceKey other) {
        return ORDER.compare(this, other);
    }

    /** namespace/name. */
    @Override
    public String toString() {
        return namespace + "/" + name;
    }
}
