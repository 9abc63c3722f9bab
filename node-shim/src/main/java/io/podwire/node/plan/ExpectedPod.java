package io.podwire.node.plan;

import java.util.List;

/**
 * A pod that may be attached at any moment: until the program names an endpoint of it, this is its
 * policy. So an ADD waits for nobody, and works while policy-service is away.
 *
 * @param pod the pod; with an empty name: any pod of that namespace that no object declares
 * @param uid uid of its object; empty when unknown
 * @param policy its policy
 * @param addressSets ids of the program's sets that its addresses belong to
 */
public record ExpectedPod(PodName pod, String uid, EndpointPolicy policy, List<String> addressSets) {
    /** Copies the list. */
    public ExpectedPod {
        addressSets = List.copyOf(addressSets);
    }

    /** False when both uids are known and differ: another pod of that name. */
    boolean is(String otherUid) {
        return uid.isEmpty() || otherUid.isEmpty() || uid.equals(otherUid);
    }
}
