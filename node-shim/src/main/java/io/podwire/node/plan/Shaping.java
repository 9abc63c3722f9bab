package io.podwire.node.plan;

import java.util.Optional;

/**
 * How fast a pod's packets may go.
 *
 * @param ingress to the pod; empty: unlimited
 * @param egress from the pod; empty: unlimited
 */
public record Shaping(Optional<RateLimit> ingress, Optional<RateLimit> egress) {
    /** Unlimited both ways. */
    public static final Shaping NONE = new Shaping(Optional.empty(), Optional.empty());
}
