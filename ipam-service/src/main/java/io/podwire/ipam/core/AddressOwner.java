package io.podwire.ipam.core;

import java.util.regex.Pattern;

/**
 * Who has single addresses. Two with the same id are the same owner; the rest is for people.
 *
 * @param id unique in the cluster and the same at each try, 1 to 253 characters of [A-Za-z0-9._:/@-]: a container's id and
 *     interface, the name of a VM or of a load balancer, or what {@link ServiceOwner} makes of a Service
 * @param node where it is used; empty: not told
 * @param namespace of the pod, or empty
 * @param pod its name, or empty
 */
public record AddressOwner(String id, String node, String namespace, String pod) {
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._:/@-]{1,253}");
    private static final Pattern TEXT = Pattern.compile("[-a-z0-9.]{0,253}");

    /** Checks characters and lengths. */
    public AddressOwner {
        if (!ID.matcher(id).matches()) {
            throw new IllegalArgumentException(
                    "'" + id + "' is not an owner's id: 1 to 253 characters of [A-Za-z0-9._:/@-]");
        }
        check("node", node);
        check("namespace", namespace);
        check("pod", pod);
    }

    private static void check(String what, String value) {
        if (!TEXT.matcher(value).matches()) {
            throw new IllegalArgumentException("'" + value + "' is not the owner's " + what
                    + ": at most 253 lower-case letters, digits, '-' and '.'");
        }
    }

    /** pod NAMESPACE/NAME (ID) on node NODE, as far as it is known; or Service NAMESPACE/NAME (uid UID). */
    @Override
    public String toString() {
        return ServiceOwner.of(this)
                        .map(ServiceOwner::toString)
                        .orElseGet(() -> pod.isEmpty() ? id : "pod " + namespace + "/" + pod + " (" + id + ")")
                + (node.isEmpty() ? "" : " on node " + node);
    }
}
