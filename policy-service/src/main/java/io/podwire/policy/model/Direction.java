package io.podwire.policy.model;

/** Direction of traffic, seen from the pod that a policy selects. */
public enum Direction {
    /** To the pod. */
    INGRESS,
    /** From the pod. */
    EGRESS
}
