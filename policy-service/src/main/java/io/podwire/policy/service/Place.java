package io.podwire.policy.service;

/**
 * Where somebody asks from.
 *
 * @param node name of the node; empty: none
 * @param zone the node's label {@value #ZONE_LABEL}; empty: none
 */
public record Place(String node, String zone) {
    /** Label of a node that says in which zone it is. */
    public static final String ZONE_LABEL = "topology.kubernetes.io/zone";

    /** No node. */
    public static final Place NOWHERE = new Place("", "");
}
