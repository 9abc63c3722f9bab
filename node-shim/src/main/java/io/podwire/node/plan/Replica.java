package io.podwire.node.plan;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One replica of a workload: what an address is reserved for, whatever node its pod runs on.
 *
 * @param namespace RFC 1123 label
 * @param workload name of the workload, RFC 1123 subdomain
 * @param ordinal 0 or more
 */
public record Replica(String namespace, String workload, int ordinal) {
    private static final Pattern NAMESPACE = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final Pattern POD = Pattern.compile("([a-z0-9](?:[-a-z0-9.]{0,240}[a-z0-9])?)-(0|[1-9][0-9]{0,8})");

    /** The replica that a pod of a StatefulSet is, by its name WORKLOAD-ORDINAL; empty when the name is no such. */
    public static Optional<Replica> ofPod(PodName pod) {
        Matcher parts = POD.matcher(pod.name());
        return parts.matches() && NAMESPACE.matcher(pod.namespace()).matches()
                ? Optional.of(new Replica(pod.namespace(), parts.group(1), Integer.parseInt(parts.group(2))))
                : Optional.empty();
    }

    /** NAMESPACE/WORKLOAD-ORDINAL, which is its pod's name. */
    @Override
    public String toString() {
        return namespace + "/" + workload + "-" + ordinal;
    }
}
