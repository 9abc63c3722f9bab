package io.podwire.policy.model;

import com.google.common.collect.ImmutableSortedSet;
import io.podwire.common.net.IpAddress;
import java.util.Set;

/**
 * An attachment as its node reports it: the first to know a pod's address.
 *
 * @param key unique on its node, not empty
 * @param pod the pod it belongs to
 * @param podUid uid of the pod as the runtime gave it; empty when it gave none
 * @param addresses its addresses
 */
public record Endpoint(String key, PodKey pod, String podUid, Set<IpAddress> addresses) {
    /** Checks the key and copies the addresses. */
    public Endpoint {
        if (key.isEmpty()) {
            throw new IllegalArgumentException("an endpoint needs a key, that of pod " + pod + " is empty");
        }
        addresses = ImmutableSortedSet.copyOf(addresses);
    }

    /**
     * True when that object declares this endpoint's pod: same name, and same uid where both sides
     * know one (an object of the same name but another uid is another pod).
     */
    public boolean belongsTo(Pod object) {
        return object.key().equals(pod) && (podUid.isEmpty() || object.uid().isEmpty() || podUid.equals(object.uid()));
    }
}
