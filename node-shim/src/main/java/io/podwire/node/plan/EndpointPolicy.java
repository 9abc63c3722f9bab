package io.podwire.node.plan;

/**
 * Policy of one endpoint.
 *
 * @param ingress traffic of flows opened to it
 * @param egress traffic of flows opened by it
 */
public record EndpointPolicy(DirectionPolicy ingress, DirectionPolicy egress) {
    /** All passes, both ways. */
    public static final EndpointPolicy OPEN = new EndpointPolicy(DirectionPolicy.OPEN, DirectionPolicy.OPEN);
}
