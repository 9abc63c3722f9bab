package io.podwire.node.plan;

import java.util.List;

/** What came of waiting until other nodes enforce a pod. */
public sealed interface BarrierOutcome {
    /** All that must do. */
    record Complete() implements BarrierOutcome {}

    /**
     * Some do not.
     *
     * @param laggards which, and why, one sentence each, by name; not empty
     */
    record Late(List<String> laggards) implements BarrierOutcome {
        /** Copies the list. */
        public Late {
            laggards = List.copyOf(laggards);
        }
    }

    /**
     * Nobody could tell.
     *
     * @param why one sentence
     */
    record Unanswered(String why) implements BarrierOutcome {}
}
