package io.podwire.ipam.core;

import java.util.List;

/** What a claim comes to. */
public sealed interface ClaimDecision {
    /** This block was free: the caller gets it. */
    record Assign(Pool pool, Block block) implements ClaimDecision {}

    /** The same request took this block before. */
    record AlreadyHeld(Block block) implements ClaimDecision {}

    /** The caller speaks for an older life of its node than {@code newest}. */
    record Stale(NodeEpoch newest) implements ClaimDecision {}

    /** The request id took this block for another owner, or it is of a pool or family not asked for now. */
    record RequestIdTaken(Block block) implements ClaimDecision {}

    /** No pool has the name asked for. */
    record NoSuchPool() implements ClaimDecision {}

    /** The pool asked for has addresses of the other family than asked for. */
    record OtherFamily(Pool pool) implements ClaimDecision {}

    /** None of these pools, which are all that the claim accepts, gave a block. */
    record NoneFree(List<PassedOver> pools) implements ClaimDecision {}
}
