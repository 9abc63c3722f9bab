package io.podwire.ipam.core;

import java.util.Optional;

/**
 * A block and what its pool says of its addresses.
 *
 * @param block the block
 * @param coolDown how long its owner gives a released address to nobody
 * @param poolState of its pool; empty when that is gone
 * @param namespaceSelected true when its pool has a namespace selector
 */
public record OwnedBlock(Block block, CoolDown coolDown, Optional<PoolState> poolState, boolean namespaceSelected) {
    /** A block of a pool, if that is still there. */
    public static OwnedBlock of(Block block, Optional<Pool> pool) {
        return new OwnedBlock(
                block,
                pool.map(Pool::coolDown).orElse(CoolDown.OF_NODE),
                pool.map(Pool::state),
                pool.filter(SelectedNamespaces::selects).isPresent());
    }
}
