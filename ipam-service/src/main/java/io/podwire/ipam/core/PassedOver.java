package io.podwire.ipam.core;

/**
 * A pool that gave no block to a claim.
 *
 * @param pool the pool
 * @param why the first reason that applies
 */
public record PassedOver(Pool pool, Why why) {
    /** Why. */
    public enum Why {
        /** Its state is not ACTIVE. */
        CLOSED,
        /** Its node selector does not match the caller. */
        NOT_FOR_NODE,
        /** Each of its blocks is owned or reserved. */
        FULL
    }
}
