package io.podwire.e2e.ipam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpPrefix;
import io.podwire.e2e.ipam.history.BlockState.Held;
import io.podwire.e2e.ipam.history.Deed;
import io.podwire.e2e.ipam.history.History;
import io.podwire.e2e.ipam.history.Linearizability;
import io.podwire.e2e.ipam.history.Operation;
import io.podwire.e2e.ipam.history.Verdict;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.PoolFlow;
import io.podwire.ipam.store.EtcdIpamStore;
import io.podwire.ipam.store.IpamStore;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * Several nodes contend for the blocks of one small pool in etcd, each through a replica of ipam-service of its own,
 * while something happens to etcd. What each was answered is kept. One thread conducts it.
 */
final class HistoryRun {
    private static final int CLIENTS = 5;
    private static final Pool POOL = new Pool("small", IpPrefix.parse("10.1.0.0/27"), 30);
    private static final List<String> BLOCKS =
            IntStream.range(0, 8).mapToObj(i -> "10.1.0." + 4 * i + "/30").toList();
    private static final String PREFIX = "/history/";
    private static final Duration CALL = Duration.ofSeconds(1);
    private static final Duration BACK = Duration.ofSeconds(60);

    /** Answers of each client before the fault, and again after it. */
    private static final int ENOUGH = 30;

    private final List<URI> etcd;
    private final UnaryOperator<IpamStore> wrapped;
    private final SplittableRandom random;
    private final Duration longestRest;
    private final History history = new History(BLOCKS);

    /** What a run came to. */
    record Result(
            Map<String, List<Operation>> operations, Ledger end, int answered, int unanswered, Duration tookToServe) {
        /** Blocks whose history no order of its operations explains. */
        Map<String, Verdict.Broken> broken() {
            return Linearizability.broken(operations);
        }

        /** Claims that took more than one block, with those. */
        Map<Held, Set<String>> greedyClaims() {
            Map<Held, Set<String>> taken = new HashMap<>();
            operations.forEach((block, all) -> all.forEach(operation -> {
                if (operation.deed() instanceof Deed.Claim(Held by) && operation.certain()) {
                    taken.computeIfAbsent(by, _ -> new HashSet<>()).add(block);
                } else if (operation.deed() instanceof Deed.Look(Held by)) {
                    taken.computeIfAbsent(by, _ -> new HashSet<>()).add(block);
                }
            }));
            taken.values().removeIf(blocks -> blocks.size() == 1);
            return taken;
        }

        /** One node has each block of the pool, once the last one has claimed all that was left. */
        void assertAllOwnedOnce() {
            assertThat(end.blocks())
                    .extracting(block -> block.cidr().toString())
                    .as("owned + free = total: blocks that are owned once all free ones were claimed")
                    .containsExactlyInAnyOrderElementsOf(BLOCKS);
            assertThat(end.blocks()).extracting(Block::requestId).doesNotHaveDuplicates();
        }
    }

    /**
     * A run.
     *
     * @param etcd its members
     * @param wrapped what the clients use instead of the store
     * @param random order of the clients' operations
     * @param longestRest of a client between two operations
     */
    HistoryRun(List<URI> etcd, UnaryOperator<IpamStore> wrapped, SplittableRandom random, Duration longestRest) {
        this.etcd = etcd;
        this.wrapped = wrapped;
        this.random = random;
        this.longestRest = longestRest;
    }

    /**
     * Runs.
     *
     * @param fault happens once all clients are at work, and is over when it returns
     */
    Result run(Runnable fault) throws InterruptedException, ExecutionException {
        AtomicBoolean on = new AtomicBoolean(true);
        List<IpamStore> stores = new ArrayList<>();
        List<BlockClient> clients = new ArrayList<>();
        List<Future<?>> ends = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
                EtcdIpamStore own = connect()) {
            new PoolFlow(new CasFlow(own, BACK, TimeSource.SYSTEM, Thread::sleep, new Random(1))).create(POOL);
            Duration served;
            try {
                for (int i = 0; i < CLIENTS; i++) {
                    EtcdIpamStore store = connect();
                    stores.add(store);
                    clients.add(client("n" + i, wrapped.apply(store)));
                }
                clients.forEach(client -> ends.add(threads.submit(() -> client.run(on::get))));
                awaitEnough(clients, ends);
                fault.run();
                long over = System.nanoTime();
                awaitEnough(clients, ends);
                served = Duration.ofNanos(System.nanoTime() - over);
            } finally {
                on.set(false);
            }
            for (Future<?> end : ends) {
                end.get();
            }
            BlockClient last = client("last", own);
            var _ = last.look();
            await("the last client was refused").atMost(BACK).until(() -> claimsAll(last));
            Ledger end = last.look().orElseThrow();
            return new Result(
                    history.operations(),
                    end,
                    clients.stream().mapToInt(BlockClient::answered).sum(),
                    clients.stream().mapToInt(BlockClient::unanswered).sum(),
                    served);
        } finally {
            stores.forEach(IpamStore::close);
        }
    }

    /** Claims until it is refused; false when it was not answered instead. */
    private static boolean claimsAll(BlockClient client) {
        int before = client.unanswered();
        boolean got = true;
        while (got) {
            got = client.claim();
        }
        return client.unanswered() == before;
    }

    private EtcdIpamStore connect() {
        return EtcdIpamStore.connect(etcd, PREFIX, CALL);
    }

    private BlockClient client(String name, IpamStore store) {
        return new BlockClient(name, store, POOL, history, random.split(), longestRest);
    }

    /** Waits until each client had so many more answers. */
    private static void awaitEnough(List<BlockClient> clients, List<Future<?>> ends) {
        Map<BlockClient, Integer> before = new HashMap<>();
        clients.forEach(client -> before.put(client, client.answered()));
        await("every client is answered again")
                .atMost(BACK)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> ends.stream().anyMatch(Future::isDone)
                        || clients.stream().allMatch(client -> client.answered() >= before.get(client) + ENOUGH));
    }
}
