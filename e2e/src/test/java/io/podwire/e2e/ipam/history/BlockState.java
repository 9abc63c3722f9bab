package io.podwire.e2e.ipam.history;

/** Whose a block is. A new block is free. */
public sealed interface BlockState {
    /** Nobody's. */
    record Free() implements BlockState {}

    /**
     * A node's.
     *
     * @param node the installation that owns it
     * @param claim the request that took it; no two claims of a history have the same
     */
    record Held(String node, String claim) implements BlockState {}
}
