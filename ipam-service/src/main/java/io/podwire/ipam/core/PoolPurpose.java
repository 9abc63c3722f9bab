package io.podwire.ipam.core;

/** What a pool's addresses are for. */
public enum PoolPurpose {
    /** Pods: it gives whole blocks to nodes. */
    PODS,
    /** Single addresses that the service itself hands out to whoever asks. It gives no block to a node. */
    STATIC,
    /** Addresses of load balancers, one by one. It gives no block to a node. */
    LOAD_BALANCER
}
