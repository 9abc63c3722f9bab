package io.podwire.policy.answer;

import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.End.Place;
import java.util.SortedSet;

/**
 * What becomes of a connection, and why.
 *
 * @param egress what the source's node says
 * @param ingress what the destination's node says
 */
public record Explanation(End source, End destination, Ruling egress, Ruling ingress) {
    /** True when both ends let it pass. */
    public boolean allowed() {
        return egress.passes() && ingress.passes();
    }

    /** The nodes whose rules its packets meet: those of its ends that a node has told about. */
    public SortedSet<NodeName> judges() {
        return new Ends.Pair(source, destination).judges();
    }

    /** True when the ends that are at that node let it pass. */
    public boolean passesAt(NodeName node) {
        return (!isAt(source, node) || egress.passes()) && (!isAt(destination, node) || ingress.passes());
    }

    /** True when it never leaves a pod. */
    public boolean isWithinPod() {
        return egress instanceof Ruling.WithinPod;
    }

    private static boolean isAt(End end, NodeName node) {
        return end.place() instanceof Place.Attached attached && attached.node().equals(node);
    }
}
