package io.podwire.ipam.core;

/** What giving a block back comes to. */
public sealed interface ReleaseDecision {
    /** The caller owns it: it becomes free. */
    record Release(Block block) implements ReleaseDecision {}

    /** The caller does not own it, so there is nothing to do. */
    record NotOwned() implements ReleaseDecision {}

    /** The caller speaks for an older life of its node than {@code newest}. */
    record Stale(NodeEpoch newest) implements ReleaseDecision {}

    /** An earlier installation under the caller's name owns it, whose blocks are not inherited. */
    record OtherInstallation(Block block) implements ReleaseDecision {}
}
