package io.podwire.ipam.core;

/** Whether a pool gives blocks. Those that are owned stay their owners' in every state. */
public enum PoolState {
    /** It gives its free blocks. */
    ACTIVE,
    /** It gives none: its owners are to move off, and each block they give back stays free. */
    DRAINING,
    /** It gives none, and none is owned: it only keeps its name and addresses from other pools. */
    RETIRED
}
