package io.podwire.e2e.ipam.history;

import java.util.List;

/** Whether one block's history can be told as a row of operations that take effect one after the other. */
public sealed interface Verdict {
    /**
     * It can.
     *
     * @param order all answered operations, and those unanswered ones that are needed, as they took effect
     */
    record Linearizable(List<Operation> order) implements Verdict {}

    /**
     * It cannot.
     *
     * @param furthest one of the longest orders that begin the history
     * @param state the block's state after those
     * @param stuck the operation that had to take effect next at the latest and cannot, here or in any other order
     */
    record Broken(List<Operation> furthest, BlockState state, Operation stuck) implements Verdict {
        /** The end of the order, which is what the trouble is about. */
        @Override
        public String toString() {
            int from = Math.max(0, furthest.size() - 8);
            return "after " + furthest.size() + " operations, the last of them "
                    + furthest.subList(from, furthest.size()) + ", the block is " + state
                    + ", and there is no place for " + stuck;
        }
    }
}
