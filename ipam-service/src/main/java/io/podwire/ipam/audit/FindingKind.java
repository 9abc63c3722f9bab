package io.podwire.ipam.audit;

/** What is wrong, in the order in which it is told. */
public enum FindingKind {
    /** A single address belongs to a pod on a node that reports nobody has it. */
    ALLOCATED_NOT_USED,
    /** A node has an address that is in no block of its own and nobody's single address. */
    USED_NOT_ALLOCATED,
    /** Two have one address. */
    TWO_OWNERS,
    /** A node has an address that is in no pool and in no block of its own. */
    OUTSIDE_POOLS,
    /** The request of a claim is known, and no block that it took. */
    HANDLE_WITHOUT_ADDRESS,
    /** An owned block does not fit its pool, or shares addresses with another one. */
    INVALID_BLOCK,
    /** A single address is in use or reserved, and its pool or block is gone. */
    ADDRESS_WITHOUT_BLOCK,
    /** A node's own audit of journal and kernel finds differences. */
    NODE_DIFFERS
}
