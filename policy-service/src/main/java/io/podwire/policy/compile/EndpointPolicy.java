package io.podwire.policy.compile;

/**
 * What one endpoint may receive and send. Traffic of a pod to itself is in neither direction: it
 * stays in the pod's own network namespace and never passes a hook of the node.
 *
 * @param key key of the endpoint on its node
 * @param ingress to it
 * @param egress from it
 */
public record EndpointPolicy(String key, DirectionPolicy ingress, DirectionPolicy egress) {}
