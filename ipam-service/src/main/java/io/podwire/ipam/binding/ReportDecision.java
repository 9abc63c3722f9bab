package io.podwire.ipam.binding;

import io.podwire.ipam.core.NodeEpoch;

/** What becomes of a node's message. Only {@link Accept} changes anything. */
public sealed interface ReportDecision {
    /** It is what the node has now. */
    record Accept(NodeReport next) implements ReportDecision {}

    /** A later start of the same installation is known. */
    record Stale(NodeEpoch known) implements ReportDecision {}

    /** Another installation of that name is connected. */
    record NameTaken(NodeEpoch known) implements ReportDecision {}

    /**
     * A message is missing, so what the node has is not known.
     *
     * @param expected the sequence that was next
     */
    record Gap(long expected) implements ReportDecision {}
}
