package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.Optional;

/**
 * Who gets which block. A block has one owner, an installation of a node; it moves only when its
 * owner gives it back. The blocks of an installation that is gone stay owned until an operator
 * releases them in its name.
 */
public final class BlockRules {
    private BlockRules() {}

    /** Answers a claim: the lowest free block of the first pool by name, of the family, that has one. */
    public static ClaimDecision claim(Ledger ledger, ClaimRequest request) {
        NodeEpoch caller = request.caller();
        Optional<NodeEpoch> newest = ledger.newest(caller);
        if (newest.isPresent() && caller.relationTo(newest.get()) == NodeEpoch.Relation.OLDER) {
            return new ClaimDecision.Stale(newest.get());
        }
        List<Pool> named =
                ledger.pools().stream().filter(p -> request.names(p.name())).toList();
        List<Pool> candidates =
                named.stream().filter(p -> p.family() == request.family()).toList();
        if (!request.pool().equals(ClaimRequest.ANY_POOL) && candidates.isEmpty() && !named.isEmpty()) {
            return new ClaimDecision.OtherFamily(named.getFirst());
        }
        Optional<Block> taken = ledger.blocks().stream()
                .filter(b -> b.requestId().equals(request.requestId()))
                .findFirst();
        if (taken.isPresent()) {
            Block block = taken.get();
            return block.owner().sameOwner(caller) && request.accepts(block)
                    ? new ClaimDecision.AlreadyHeld(block)
                    : new ClaimDecision.RequestIdTaken(block);
        }
        if (candidates.isEmpty() && !request.pool().equals(ClaimRequest.ANY_POOL)) {
            return new ClaimDecision.NoSuchPool();
        }
        for (Pool pool : candidates) {
            Optional<IpPrefix> free = FreeBlocks.lowest(
                    pool, ledger.blocksOf(pool.name()).stream().map(Block::cidr).toList());
            if (free.isPresent()) {
                return new ClaimDecision.Assign(pool, new Block(pool.name(), free.get(), caller, request.requestId()));
            }
        }
        return new ClaimDecision.Full(candidates);
    }

    /** Answers a release. */
    public static ReleaseDecision release(Ledger ledger, NodeEpoch caller, IpPrefix cidr) {
        Optional<Block> found = ledger.block(cidr);
        if (found.isEmpty() || !found.get().owner().node().equals(caller.node())) {
            return new ReleaseDecision.NotOwned();
        }
        Block block = found.get();
        if (!block.owner().sameOwner(caller)) {
            return new ReleaseDecision.OtherInstallation(block);
        }
        NodeEpoch newest = ledger.newest(caller).orElse(block.owner());
        return caller.relationTo(newest) == NodeEpoch.Relation.OLDER
                ? new ReleaseDecision.Stale(newest)
                : new ReleaseDecision.Release(block);
    }
}
