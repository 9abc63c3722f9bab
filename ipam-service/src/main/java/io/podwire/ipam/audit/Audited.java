package io.podwire.ipam.audit;

import io.podwire.common.net.NodeName;
import java.util.List;

/**
 * What an audit found.
 *
 * @param findings in order
 * @param unjudged nodes of which nothing is said, by name
 * @param blocks looked at
 * @param addresses single addresses looked at
 * @param bindings of judged nodes looked at
 */
public record Audited(List<Finding> findings, List<Unjudged> unjudged, int blocks, int addresses, int bindings) {
    /** Copies. */
    public Audited {
        findings = List.copyOf(findings);
        unjudged = List.copyOf(unjudged);
    }

    /** A node that was not judged, and why: one sentence. */
    public record Unjudged(NodeName node, String reason) {}
}
