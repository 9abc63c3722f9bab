package io.podwire.policy.model;

import java.util.Comparator;

/**
 * A Service's name.
 *
 * @param namespace its namespace, not empty, without '/'
 * @param name its name, not empty, without '/'
 */
public record ServiceKey(String namespace, String name) implements Comparable<ServiceKey> {
    private static final Comparator<ServiceKey> ORDER =
            Comparator.comparing(ServiceKey::namespace).thenComparing(ServiceKey::name);

    /** Checks that the text form has one reading. */
    public ServiceKey {
        if (namespace.isEmpty() || name.isEmpty() || namespace.indexOf('/') >= 0 || name.indexOf('/') >= 0) {
            throw new IllegalArgumentException("a service needs a namespace and a name without '/', got namespace '"
                    + namespace + "' name '" + name + "'");
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
