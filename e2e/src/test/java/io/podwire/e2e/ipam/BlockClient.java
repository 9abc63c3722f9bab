package io.podwire.e2e.ipam;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.e2e.ipam.history.BlockState;
import io.podwire.e2e.ipam.history.BlockState.Free;
import io.podwire.e2e.ipam.history.BlockState.Held;
import io.podwire.e2e.ipam.history.Deed;
import io.podwire.e2e.ipam.history.History;
import io.podwire.e2e.ipam.history.Operation;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.service.BlockFlow;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.store.IpamStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;

/**
 * A node that claims, gives back and looks at the blocks of one pool, through a replica of its own, and records what it
 * was answered. As a node does, it repeats what was not answered, a few times: an operation is from its first call to its
 * last answer. One thread.
 */
final class BlockClient {
    /** How long a replica tries: little, so that many operations stay without an answer. */
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    private static final int MOST_TRIES = 3;

    private final String name;
    private final NodeEpoch epoch;
    private final Pool pool;
    private final BlockFlow flow;
    private final History history;
    private final RandomGenerator random;
    private final Duration longestRest;
    private final List<IpPrefix> mine = new ArrayList<>();
    private final AtomicInteger answered = new AtomicInteger();
    private final AtomicInteger unanswered = new AtomicInteger();
    private int claims;

    /**
     * A node.
     *
     * @param pool the only one in the store
     * @param longestRest how long it does nothing between two operations, at most
     */
    BlockClient(
            String name, IpamStore store, Pool pool, History history, RandomGenerator random, Duration longestRest) {
        this.name = name;
        this.epoch = new NodeEpoch(new NodeName(name), "uid-" + name, "boot", 1);
        this.pool = pool;
        this.flow = new BlockFlow(
                new CasFlow(store, PATIENCE, TimeSource.SYSTEM, Thread::sleep, new Random(random.nextLong())));
        this.history = history;
        this.random = random;
        this.longestRest = longestRest;
    }

    /** Operations that were answered until now; for any thread. */
    int answered() {
        return answered.get();
    }

    /** Calls that were not answered; for any thread. */
    int unanswered() {
        return unanswered.get();
    }

    /** Looks, claims and gives back at random for as long as it shall. */
    void run(BooleanSupplier on) {
        while (on.getAsBoolean()) {
            switch (random.nextInt(10)) {
                case 0, 1 -> {
                    var _ = look();
                }
                case 2, 3, 4, 5 -> {
                    var _ = claim();
                }
                default -> release(victim());
            }
            LockSupport.parkNanos(random.nextLong(longestRest.toNanos() + 1));
        }
    }

    /** Mostly one that it owns as far as it knows. */
    private IpPrefix victim() {
        List<String> all = history.blocks();
        return !mine.isEmpty() && random.nextInt(8) > 0
                ? mine.get(random.nextInt(mine.size()))
                : IpPrefix.parse(all.get(random.nextInt(all.size())));
    }

    /** Reads all blocks; empty where the store does not answer. */
    Optional<Ledger> look() {
        long invoked = history.moment();
        Ledger ledger;
        try {
            ledger = flow.ledger();
        } catch (ServiceException e) {
            // A look that told nothing is no part of the history.
            failed(e);
            return Optional.empty();
        }
        long done = history.moment();
        Map<String, BlockState> seen = new HashMap<>();
        mine.clear();
        for (Block block : ledger.blocks()) {
            seen.put(block.cidr().toString(), new Held(block.owner().node().value(), block.requestId()));
            if (block.owner().sameOwner(epoch)) {
                mine.add(block.cidr());
            }
        }
        history.blocks()
                .forEach(block ->
                        history.add(block, new Deed.Look(seen.getOrDefault(block, new Free())), invoked, done));
        answered.incrementAndGet();
        return Optional.of(ledger);
    }

    /** Asks for one more block; false when it got none. */
    boolean claim() {
        ClaimRequest request =
                new ClaimRequest(epoch, Map.of(), pool.name(), pool.family(), "claim-" + name + "-" + ++claims);
        Held by = new Held(name, request.requestId());
        long invoked = history.moment();
        for (int left = tries(); left > 0; left--) {
            try {
                Block block = flow.claim(request).block();
                history.add(block.cidr().toString(), new Deed.Claim(by), invoked, history.moment());
                mine.add(block.cidr());
                answered.incrementAndGet();
                return true;
            } catch (ServiceException e) {
                if (e.reason() == ErrorReason.EXHAUSTED) {
                    long done = history.moment();
                    history.blocks().forEach(block -> history.add(block, new Deed.Refusal(by), invoked, done));
                    answered.incrementAndGet();
                    return false;
                }
                failed(e);
            }
        }
        // It may have, or may yet get, any one of them.
        history.blocks().forEach(block -> history.add(block, new Deed.Claim(by), invoked, Operation.NEVER));
        return false;
    }

    private void release(IpPrefix cidr) {
        String block = cidr.toString();
        long invoked = history.moment();
        mine.remove(cidr);
        for (int left = tries(); left > 0; left--) {
            try {
                flow.release(epoch, cidr, BlockRules.ANY_CLAIM);
                history.add(block, new Deed.Release(name), invoked, history.moment());
                answered.incrementAndGet();
                return;
            } catch (ServiceException e) {
                failed(e);
            }
        }
        history.add(block, new Deed.Release(name), invoked, Operation.NEVER);
    }

    private int tries() {
        return 1 + random.nextInt(MOST_TRIES);
    }

    private void failed(ServiceException e) {
        if (e.reason() != ErrorReason.UNAVAILABLE && e.reason() != ErrorReason.CONTENTION) {
            throw new AssertionError(name + " was answered what no fault of the store explains", e);
        }
        unanswered.incrementAndGet();
    }
}
