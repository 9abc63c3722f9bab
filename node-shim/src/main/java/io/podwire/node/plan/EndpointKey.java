package io.podwire.node.plan;

import java.util.Comparator;

/**
 * One attachment: what all of its state is filed under. Never the pod's name, which outlives a sandbox.
 *
 * @param containerId CNI_CONTAINERID
 * @param ifname CNI_IFNAME, the interface's name inside the pod
 */
public record EndpointKey(String containerId, String ifname) implements Comparable<EndpointKey> {
    private static final Comparator<EndpointKey> ORDER =
            Comparator.comparing(EndpointKey::containerId).thenComparing(EndpointKey::ifname);

    /** Checks that neither is empty and that their text can be taken apart again. */
    public EndpointKey {
        if (containerId.isEmpty() || ifname.isEmpty() || containerId.indexOf('/') >= 0 || ifname.indexOf('/') >= 0) {
            throw new IllegalArgumentException(
                    "container id '" + containerId + "' and interface '" + ifname + "' must be non-empty without '/'");
        }
    }

    /**
     * Reads "id/ifname".
     *
     * @throws IllegalArgumentException when it is not such text
     */
    public static EndpointKey parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException("'" + text + "' is not CONTAINER-ID/IFNAME");
        }
        return new EndpointKey(text.substring(0, slash), text.substring(slash + 1));
    }

    @Override
    public int compareTo(EndpointKey other) {
        return ORDER.compare(this, other);
    }

    /** "id/ifname". */
    @Override
    public String toString() {
        return containerId + "/" + ifname;
    }
}
