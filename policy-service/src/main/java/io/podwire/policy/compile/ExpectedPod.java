package io.podwire.policy.compile;

import io.podwire.policy.model.PodKey;
import java.util.List;

/**
 * A pod that may be attached on a node at any moment: the node judges it so before anybody has told
 * policy-service of its endpoint, so that an ADD waits for no answer.
 *
 * @param pod the pod; with an empty name: any pod of that namespace that no object declares
 * @param uid uid of its object; empty when unknown
 * @param ingress to it
 * @param egress from it
 * @param addressSets ids of the program's sets that its addresses belong to, sorted
 */
public record ExpectedPod(
        PodKey pod, String uid, DirectionPolicy ingress, DirectionPolicy egress, List<String> addressSets) {
    /** Copies the list. */
    public ExpectedPod {
        addressSets = List.copyOf(addressSets);
    }
}
