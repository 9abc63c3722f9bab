package io.podwire.policy.model;

/**
 * A pod's name. Both parts may be empty: a bare sandbox need not have either.
 *
 * @param namespace its namespace, without '/'
 * @param name its name, without '/'
 */
public record PodKey(String namespace, String name) implements Comparable<PodKey> {
    /** Checks that the text form has one reading. */
    public PodKey {
        if (namespace.indexOf('/') >= 0 || name.indexOf('/') >= 0) {
            throw new IllegalArgumentException("neither namespace nor name of a pod may hold '/', got namespace '"
                    + namespace + "' name '" + name + "'");
        }
    }

    @Override
    public int compareTo(PodKey other) {
        int order = namespace.compareTo(other.namespace);
        return order != 0 ? order : name.compareTo(other.name);
    }

    /** namespace/name. */
    @Override
    public String toString() {
        return namespace + "/" + name;
    }
}
