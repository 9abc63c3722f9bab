package io.podwire.common.error;

/** Why a call failed, for programs. {@link GrpcErrors} maps each to the one gRPC status it has. */
public enum ErrorReason {
    /** A field is missing, malformed or out of range. */
    INVALID_ARGUMENT,
    /** The object does not exist. */
    NOT_FOUND,
    /** An object of that name exists with another content. */
    ALREADY_EXISTS,
    /** The call does not fit the state of the object; the message says which state would. */
    FAILED_PRECONDITION,
    /** The caller speaks for an older life of its node. */
    STALE_EPOCH,
    /** Somebody else owns the object; the message names the owner. */
    OWNED_BY_OTHER,
    /** A pool, a block or a limit is used up. */
    EXHAUSTED,
    /** The store or another service cannot be reached, or did not answer in time. Try again. */
    UNAVAILABLE,
    /** Concurrent writers kept winning until the deadline. Try again. */
    CONTENTION,
    /** The caller may not do that. */
    PERMISSION_DENIED,
    /** A bug, or damaged data. */
    INTERNAL
}
