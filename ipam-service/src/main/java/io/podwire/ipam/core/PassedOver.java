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
        /** Its purpose is another than pods. */
        NOT_FOR_PODS,
        /** It is for some namespaces, and the claim does not name it. */
        FOR_NAMESPACES,
        /** Its node selector does not match the caller. */
        NOT_FOR_NODE,
        /** Each of its blocks is owned or reserved. */
        FULL
    }
}
