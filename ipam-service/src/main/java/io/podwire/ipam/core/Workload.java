package io.podwire.ipam.core;

import java.util.Comparator;
import java.util.regex.Pattern;

/**
 * One replica of a workload, as the pod NAME-ORDINAL of a StatefulSet: what an address is reserved for, whatever node its
 * pod runs on.
 *
 * @param namespace RFC 1123 label
 * @param name of the workload, RFC 1123 subdomain
 * @param ordinal 0 or more
 */
public record Workload(String namespace, String name, int ordinal) implements Comparable<Workload> {
    private static final Pattern NAMESPACE = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?");
    private static final Comparator<Workload> ORDER = Comparator.comparing(Workload::namespace)
            .thenComparing(Workload::name)
            .thenComparingInt(Workload::ordinal);

    /** Checks names and ordinal. */
    public Workload {
        if (!NAMESPACE.matcher(namespace).matches()) {
            throw new IllegalArgumentException("'" + namespace + "' is not the namespace of a workload");
        }
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("'" + name + "' is not the name of a workload");
        }
        if (ordinal < 0) {
            throw new IllegalArgumentException("the ordinal of a workload must be 0 or more, got " + ordinal);
        }
    }

    @Override
    public int compareTo(Workload other) {
        return ORDER.compare(this, other);
    }

    /** NAMESPACE/NAME-ORDINAL, which is its pod's name. */
    @Override
    public String toString() {
        return namespace + "/" + name + "-" + ordinal;
    }
}
