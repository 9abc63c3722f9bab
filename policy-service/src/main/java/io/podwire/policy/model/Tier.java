package io.podwire.policy.model;

/** Who decides before whom; in this order. */
public enum Tier {
    /** ClusterNetworkPolicies that no namespace can overrule. */
    ADMIN,
    /** The namespaces' own NetworkPolicies. */
    NETWORK_POLICY,
    /** ClusterNetworkPolicies for pods that no NetworkPolicy isolates. */
    BASELINE
}
