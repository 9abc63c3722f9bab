package io.podwire.policy.service;

/**
 * What decides which kinds of traffic a port has.
 *
 * @param internalLocal internalTrafficPolicy is Local
 * @param externalLocal externalTrafficPolicy is Local
 * @param external there is a node port, an external IP or a load balancer IP
 */
public record Traffic(boolean internalLocal, boolean externalLocal, boolean external) {
    /**
     * True when some traffic may go to endpoints of every node. Traffic from pods and nodes to an external address does even
     * where externalTrafficPolicy is Local: it would not leave the cluster.
     */
    public boolean usesCluster() {
        return !internalLocal || external;
    }

    /** True when some traffic may only go to endpoints of the node that it is on. */
    public boolean usesLocal() {
        return internalLocal || (externalLocal && external);
    }
}
