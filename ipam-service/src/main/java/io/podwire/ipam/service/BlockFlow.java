package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimDecision;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.OwnedBlock;
import io.podwire.ipam.core.PassedOver;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.ReleaseDecision;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives blocks to nodes and takes them back. Stateless, for any number of threads. */
public final class BlockFlow {
    private static final Logger log = LoggerFactory.getLogger(BlockFlow.class);

    private final CasFlow flow;

    /** A flow of blocks. */
    public BlockFlow(CasFlow flow) {
        this.flow = flow;
    }

    /**
     * Gives one more block; the same request gives the same block.
     *
     * @throws ServiceException STALE_EPOCH, OWNED_BY_OTHER (request id), NOT_FOUND (pool),
     *     INVALID_ARGUMENT (the pool is of the other family), FAILED_PRECONDITION (the pool gives no
     *     blocks, or none to this node), EXHAUSTED, CONTENTION, UNAVAILABLE
     */
    public OwnedBlock claim(ClaimRequest request) {
        String attempted = claimOf(request);
        return flow.run(attempted, snapshot -> claimStep(attempted, snapshot, request));
    }

    /** As {@link #claim}, without waiting: see {@link CasFlow#begin}. */
    CompletableFuture<OwnedBlock> beginClaim(ClaimRequest request) {
        String attempted = claimOf(request);
        return flow.begin(attempted, snapshot -> claimStep(attempted, snapshot, request));
    }

    private static String claimOf(ClaimRequest request) {
        return "claim of an " + request.family().label() + " block for " + request.caller() + ", request "
                + request.requestId();
    }

    private static Step<OwnedBlock> claimStep(String attempted, LedgerSnapshot snapshot, ClaimRequest request) {
        return switch (BlockRules.claim(snapshot.ledger(), request)) {
            case ClaimDecision.Assign(Pool pool, Block block) ->
                new Step.Write<>(
                        snapshot.assign(pool, block),
                        OwnedBlock.of(block, Optional.of(pool)),
                        () -> log.info(
                                "block {} of pool {} now belongs to {}, request {}",
                                block.cidr(),
                                block.pool(),
                                block.owner(),
                                block.requestId()));
            case ClaimDecision.AlreadyHeld(Block block) -> {
                Block current = new Block(block.pool(), block.cidr(), request.caller(), block.requestId());
                yield new Step.Write<>(
                        snapshot.confirm(block, request.caller()), owned(snapshot.ledger(), current), Step.NOTHING);
            }
            case ClaimDecision.Stale(NodeEpoch newest) -> throw stale(attempted, newest);
            case ClaimDecision.RequestIdTaken(Block block) ->
                throw new ServiceException(
                        ErrorReason.OWNED_BY_OTHER,
                        attempted + ": that request id took block " + block.cidr() + " of pool " + block.pool()
                                + " for " + block.owner() + "; draw a new request id",
                        Map.of("owner", block.owner().node().value(), "pool", block.pool()));
            case ClaimDecision.NoSuchPool _ ->
                throw new ServiceException(
                        ErrorReason.NOT_FOUND,
                        attempted + ": there is no pool " + request.pool() + "; create it, or leave the pool empty",
                        Map.of("pool", request.pool()));
            case ClaimDecision.OtherFamily(Pool pool) ->
                throw new ServiceException(
                        ErrorReason.INVALID_ARGUMENT,
                        attempted + ": pool " + pool.name() + " (" + pool.cidr() + ") is "
                                + pool.family().label() + ", and the block shall be "
                                + request.family().label() + "; name a pool of that family, or none",
                        Map.of("pool", pool.name(), "family", pool.family().label()));
            case ClaimDecision.NoneFree(List<PassedOver> pools) -> throw noneFree(attempted, request, pools);
        };
    }

    /**
     * Makes a block free that its node gives back. A block that the caller's node does not own is left as it is, which is
     * success: a repeated release must not disturb the next owner.
     *
     * @param requestId of the claim that took it, or {@link BlockRules#ANY_CLAIM}
     * @throws ServiceException STALE_EPOCH, OWNED_BY_OTHER (an earlier installation of the node),
     *     CONTENTION, UNAVAILABLE
     */
    public void release(NodeEpoch caller, IpPrefix cidr, String requestId) {
        String attempted = releaseOf(cidr, caller);
        var _ = flow.run(attempted, snapshot -> releaseStep(attempted, snapshot, caller, cidr, requestId));
    }

    /** As {@link #release}, without waiting: see {@link CasFlow#begin}. */
    CompletableFuture<Boolean> beginRelease(NodeEpoch caller, IpPrefix cidr, String requestId) {
        String attempted = releaseOf(cidr, caller);
        return flow.begin(attempted, snapshot -> releaseStep(attempted, snapshot, caller, cidr, requestId));
    }

    private static String releaseOf(IpPrefix cidr, NodeEpoch caller) {
        return "release of block " + cidr + " by " + caller;
    }

    private static Step<Boolean> releaseStep(
            String attempted, LedgerSnapshot snapshot, NodeEpoch caller, IpPrefix cidr, String requestId) {
        return switch (BlockRules.release(snapshot.ledger(), caller, cidr, requestId)) {
            case ReleaseDecision.Release(Block block) ->
                new Step.Write<>(
                        snapshot.release(block, caller),
                        true,
                        () -> log.info("block {} of pool {} is free, released by {}", cidr, block.pool(), caller));
            case ReleaseDecision.NotOwned _ -> new Step.Done<>(false);
            case ReleaseDecision.Stale(NodeEpoch newest) -> throw stale(attempted, newest);
            case ReleaseDecision.OtherInstallation(Block block) ->
                throw new ServiceException(
                        ErrorReason.OWNED_BY_OTHER,
                        attempted + ": it belongs to an earlier installation of the node, " + block.owner()
                                + "; once that is gone for good, release it with that uid and counter, or forget it",
                        Map.of("uid", block.owner().uid()));
        };
    }

    /** See {@link CasFlow#recent}. */
    Ledger recent(Duration age) {
        return flow.recent(age).ledger();
    }

    /** What this process knew at its last write or reading. */
    Ledger known() {
        return flow.known().ledger();
    }

    /** Everything known now. */
    public Ledger ledger() {
        return flow.read().ledger();
    }

    /** The owned blocks of a ledger, by pool and address; owners in their newest epoch. */
    static List<OwnedBlock> owned(Ledger ledger) {
        Map<NodeName, List<NodeEpoch>> newest = ledger.nodes().stream().collect(Collectors.groupingBy(NodeEpoch::node));
        return ledger.blocks().stream()
                .map(block -> owned(
                        ledger,
                        new Block(
                                block.pool(),
                                block.cidr(),
                                newest.getOrDefault(block.owner().node(), List.of()).stream()
                                        .filter(block.owner()::sameOwner)
                                        .findFirst()
                                        .orElse(block.owner()),
                                block.requestId())))
                .toList();
    }

    private static OwnedBlock owned(Ledger ledger, Block block) {
        return OwnedBlock.of(block, ledger.pool(block.pool()));
    }

    private static ServiceException stale(String attempted, NodeEpoch newest) {
        return new ServiceException(
                ErrorReason.STALE_EPOCH,
                attempted + ": " + ReclaimFlow.over(newest) + "; this one must stop",
                Map.of("counter", Long.toString(newest.counter())));
    }

    private static ServiceException noneFree(String attempted, ClaimRequest request, List<PassedOver> pools) {
        if (pools.isEmpty()) {
            return new ServiceException(
                    ErrorReason.EXHAUSTED,
                    attempted + ": there is no " + request.family().label() + " pool; create one");
        }
        String why = pools.stream().map(passed -> why(passed, request)).collect(Collectors.joining(", "));
        boolean full = pools.stream().anyMatch(passed -> passed.why() == PassedOver.Why.FULL);
        return full || request.pool().equals(ClaimRequest.ANY_POOL)
                ? new ServiceException(ErrorReason.EXHAUSTED, attempted + ": " + why + "; add a pool")
                : new ServiceException(
                        ErrorReason.FAILED_PRECONDITION,
                        attempted + ": " + why + "; name another pool, or none",
                        Map.of("pool", request.pool()));
    }

    private static String why(PassedOver passed, ClaimRequest request) {
        Pool pool = passed.pool();
        return switch (passed.why()) {
            case CLOSED -> "pool " + pool.name() + " is " + pool.state();
            case NOT_FOR_PODS -> "pool " + pool.name() + " has the purpose " + pool.purpose() + ", not PODS";
            case FOR_NAMESPACES ->
                "pool " + pool.name() + " is for namespaces with " + pool.namespaces()
                        + " and gives blocks to claims alone that name it";
            case NOT_FOR_NODE ->
                "pool " + pool.name() + " is for nodes with " + pool.nodes() + ", which "
                        + request.caller().node() + " has not";
            case FULL -> "no block is free in pool " + pool.name();
        };
    }
}
