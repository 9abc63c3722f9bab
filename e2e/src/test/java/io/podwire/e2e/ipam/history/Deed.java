package io.podwire.e2e.ipam.history;

import io.podwire.e2e.ipam.history.BlockState.Free;
import io.podwire.e2e.ipam.history.BlockState.Held;
import java.util.Optional;

/** What an operation did to one block, or learned of it: the whole sequential specification of a block. */
public sealed interface Deed {
    /**
     * The state afterwards, or empty: it cannot have happened in this state.
     *
     * @param before the block's state at that moment
     */
    Optional<BlockState> on(BlockState before);

    /** The claim took the block. Again by the same claim changes nothing. */
    record Claim(Held by) implements Deed {
        @Override
        public Optional<BlockState> on(BlockState before) {
            return before instanceof Free || before.equals(by) ? Optional.of(by) : Optional.empty();
        }
    }

    /** The claim got no block, because this one, like all others, belonged to another claim. */
    record Refusal(Held claimant) implements Deed {
        @Override
        public Optional<BlockState> on(BlockState before) {
            return before instanceof Free || before.equals(claimant) ? Optional.empty() : Optional.of(before);
        }
    }

    /** The node gave the block back; one that is not its own stays as it is. */
    record Release(String node) implements Deed {
        @Override
        public Optional<BlockState> on(BlockState before) {
            return Optional.of(
                    switch (before) {
                        case Free free -> free;
                        case Held held -> held.node().equals(node) ? new Free() : held;
                    });
        }
    }

    /** Somebody read whose the block is. */
    record Look(BlockState seen) implements Deed {
        @Override
        public Optional<BlockState> on(BlockState before) {
            return before.equals(seen) ? Optional.of(before) : Optional.empty();
        }
    }
}
