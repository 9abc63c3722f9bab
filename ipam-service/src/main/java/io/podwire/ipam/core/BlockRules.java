package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Who gets which block. A block has one owner, an installation of a node; it moves only when its
 * owner gives it back. The blocks of an installation that is gone stay owned until an operator
 * releases them in its name.
 */
public final class BlockRules {
    private BlockRules() {}

    /** Answers a claim: the lowest free block of the first pool by name that has one. */
    public static ClaimDecision claim(Ledger ledger, ClaimRequest request) {
        NodeEpoch caller = request.caller();
        Optional<NodeEpoch> newest = ledger.newest(caller);
        if (newest.isPresent() && caller.relationTo(newest.get()) == NodeEpoch.Relation.OLDER) {
            return new ClaimDecision.Stale(newest.get());
        }
        Optional<Block> taken = ledger.blocks().stream()
                .filter(b -> b.requestId().equals(request.requestId()))
                .findFirst();
        if (taken.isPresent()) {
            Block block = taken.get();
            return block.owner().sameOwner(caller) && request.accepts(block.pool())
                    ? new ClaimDecision.AlreadyHeld(block)
                    : new ClaimDecision.RequestIdTaken(block);
        }
        List<Pool> candidates =
                ledger.pools().stream().filter(p -> request.accepts(p.name())).toList();
        if (candidates.isEmpty() && !request.pool().equals(ClaimRequest.ANY_POOL)) {
            return new ClaimDecision.NoSuchPool();
        }
        for (Pool pool : candidates) {
            Optional<IpPrefix> free = lowestFree(pool, ledger.blocksOf(pool.name()));
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

    private static Optional<IpPrefix> lowestFree(Pool pool, List<Block> owned) {
        Set<IpPrefix> taken = owned.stream().map(Block::cidr).collect(Collectors.toSet());
        for (int i = 0; i < pool.totalBlocks(); i++) {
            IpPrefix block = pool.block(i);
            if (!taken.contains(block)) {
                return Optional.of(block);
            }
        }
        return Optional.empty();
    }
}
