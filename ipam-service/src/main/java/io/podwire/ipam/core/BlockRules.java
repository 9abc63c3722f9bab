package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Who gets which block. A block has one owner, an installation of a node; it moves only when its
 * owner gives it back. The blocks of an installation that is gone for good are taken back by {@link ReclaimRules}.
 */
public final class BlockRules {
    /** Whichever claim took a block. */
    public static final String ANY_CLAIM = "";

    private BlockRules() {}

    /**
     * Answers a claim: the lowest free block of the first pool by name that gives the caller one. What a
     * request took before is its own whatever became of the pool since.
     */
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
        boolean oneWanted = !request.pool().equals(ClaimRequest.ANY_POOL);
        if (oneWanted && candidates.isEmpty() && !named.isEmpty()) {
            return new ClaimDecision.OtherFamily(named.getFirst());
        }
        Optional<Block> taken = ledger.blockOf(request.requestId());
        if (taken.isPresent()) {
            Block block = taken.get();
            return block.owner().sameOwner(caller) && request.accepts(block)
                    ? new ClaimDecision.AlreadyHeld(block)
                    : new ClaimDecision.RequestIdTaken(block);
        }
        return oneWanted && candidates.isEmpty() ? new ClaimDecision.NoSuchPool() : assign(ledger, request, candidates);
    }

    private static ClaimDecision assign(Ledger ledger, ClaimRequest request, List<Pool> candidates) {
        List<PassedOver> passed = new ArrayList<>();
        for (Pool pool : candidates) {
            if (pool.state() != PoolState.ACTIVE) {
                passed.add(new PassedOver(pool, PassedOver.Why.CLOSED));
            } else if (pool.purpose() != PoolPurpose.PODS) {
                passed.add(new PassedOver(pool, PassedOver.Why.NOT_FOR_PODS));
            } else if (request.pool().equals(ClaimRequest.ANY_POOL)
                    && !pool.namespaces().labels().isEmpty()) {
                passed.add(new PassedOver(pool, PassedOver.Why.FOR_NAMESPACES));
            } else if (!pool.nodes().matches(request.caller().node(), request.nodeLabels())) {
                passed.add(new PassedOver(pool, PassedOver.Why.NOT_FOR_NODE));
            } else {
                Optional<IpPrefix> free = FreeBlocks.lowest(pool, ledger.blocksByCidr(pool.name()));
                if (free.isPresent()) {
                    return new ClaimDecision.Assign(
                            pool, new Block(pool.name(), free.get(), request.caller(), request.requestId()));
                }
                passed.add(new PassedOver(pool, PassedOver.Why.FULL));
            }
        }
        return new ClaimDecision.NoneFree(passed);
    }

    /**
     * Answers a release.
     *
     * @param requestId of the claim that took the block, or {@link #ANY_CLAIM}: one that was taken by another claim since
     *     is not the one that is given back
     */
    public static ReleaseDecision release(Ledger ledger, NodeEpoch caller, IpPrefix cidr, String requestId) {
        Optional<NodeEpoch> newest = ledger.newest(caller);
        if (newest.isPresent() && caller.relationTo(newest.get()) == NodeEpoch.Relation.OLDER) {
            return new ReleaseDecision.Stale(newest.get());
        }
        Optional<Block> found = ledger.block(cidr);
        if (found.isEmpty() || !found.get().owner().node().equals(caller.node())) {
            return new ReleaseDecision.NotOwned();
        }
        Block block = found.get();
        if (!block.owner().sameOwner(caller)) {
            return new ReleaseDecision.OtherInstallation(block);
        }
        if (!requestId.equals(ANY_CLAIM) && !requestId.equals(block.requestId())) {
            return new ReleaseDecision.NotOwned();
        }
        return new ReleaseDecision.Release(block);
    }
}
