package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.MemoryIpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Calls that come while the store is busy are one write. */
class GroupCommitTest {
    private static final Pool POOL = new Pool("a", IpPrefix.parse("10.1.0.0/20"), 26);

    private final MemoryIpamStore memory = new MemoryIpamStore();
    private final List<Integer> writes = new ArrayList<>();
    private final CountDownLatch go = new CountDownLatch(1);
    private volatile boolean held;
    private volatile boolean broken;
    private int reads;

    /** The first write waits. */
    private final IpamStore store = new IpamStore() {
        @Override
        public Reading read(long since) {
            reads++;
            return memory.read(since);
        }

        @Override
        public long revision() {
            return memory.revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            if (writes.isEmpty()) {
                held = true;
                awaitGo();
            }
            writes.add(changes.size());
            if (broken) {
                throw new Interleaving.Died();
            }
            return memory.compareAndSet(changes);
        }

        @Override
        public boolean connected() {
            return true;
        }

        @Override
        public void close() {}
    };

    private final CasFlow flow =
            new CasFlow(store, Duration.ofSeconds(30), TimeSource.SYSTEM, Thread::sleep, new Random(1));
    private final BlockFlow blocks = new BlockFlow(flow);

    private static Block claimed(BlockFlow flow, ClaimRequest request) {
        return flow.claim(request).block();
    }

    private void awaitGo() {
        try {
            go.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ClaimRequest claim(int node, String pool) {
        NodeEpoch caller = new NodeEpoch(new NodeName("n" + node), "uid", "boot", 1);
        return new ClaimRequest(caller, Map.of(), pool, IpFamily.V4, "r" + node);
    }

    /** Starts calls one after the other: the first reaches the store, then the others wait for it, in order. */
    private <T> List<Future<T>> together(List<Supplier<T>> calls) {
        List<Future<T>> results = new ArrayList<>();
        for (Supplier<T> call : calls) {
            FutureTask<T> task = new FutureTask<>(call::get);
            results.add(task);
            Thread thread = Thread.ofPlatform().start(task);
            boolean first = results.size() == 1;
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> first ? held : thread.getState() == Thread.State.WAITING);
        }
        go.countDown();
        return results;
    }

    private void poolsThere() {
        new PoolFlow(Interleaving.flow(memory)).create(POOL);
    }

    @Test
    void callsThatComeMeanwhileAreOneWriteAndEachGetsItsOwn() throws Exception {
        poolsThere();
        List<Supplier<Block>> calls = new ArrayList<>();
        for (int i = 0; i < 17; i++) {
            int node = i;
            calls.add(() -> claimed(blocks, claim(node, "a")));
        }
        List<Block> got = new ArrayList<>();
        for (Future<Block> result : together(calls)) {
            got.add(result.get());
        }
        assertThat(got.stream().map(Block::cidr).distinct()).hasSize(17);
        for (int i = 0; i < 17; i++) {
            assertThat(got.get(i).owner().node().value()).isEqualTo("n" + i);
        }
        assertThat(writes)
                .as("keys: pool, node, request and block for one; the pool once for the others")
                .containsExactly(4, 1 + 16 * 3);
        assertThat(reads).as("the first reading of the process").isEqualTo(1);
        assertThat(LedgerSnapshot.read(memory).ledger().blocks()).containsExactlyInAnyOrderElementsOf(got);
        assertThat(flow.read().ledger())
                .as("what the process made of its own writes")
                .isEqualTo(LedgerSnapshot.read(memory).ledger());
    }

    @Test
    void whatFollowsAWriteIsDoneOnceByTheCallsOwnThread() throws Exception {
        Map<Integer, Thread> did = new ConcurrentHashMap<>();
        List<Supplier<Thread>> calls = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            int number = i;
            Pool pool = new Pool("p" + i, IpPrefix.parse("10." + i + ".0.0/20"), 26);
            calls.add(() -> {
                var _ = flow.run(
                        "test",
                        snapshot -> new CasFlow.Step.Write<>(
                                snapshot.write(pool),
                                true,
                                () -> assertThat(did.put(number, Thread.currentThread()))
                                        .as("done before")
                                        .isNull()));
                return Thread.currentThread();
            });
        }
        List<Future<Thread>> results = together(calls);
        for (int i = 0; i < 5; i++) {
            Thread callers = results.get(i).get();
            assertThat(did.get(i)).isEqualTo(callers);
        }
        assertThat(writes).hasSize(2);
    }

    @Test
    void moreThanATransactionTakesAreTwo() throws Exception {
        poolsThere();
        List<Supplier<Block>> calls = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            int node = i;
            calls.add(() -> claimed(blocks, claim(node, "a")));
        }
        for (Future<Block> result : together(calls)) {
            assertThat(result.get()).isNotNull();
        }
        assertThat(writes).containsExactly(4, 1 + 32 * 3, 1 + 27 * 3);
    }

    @Test
    void oneThatIsRefusedSparesTheOthers() throws Exception {
        poolsThere();
        List<Future<Block>> results = together(List.of(
                () -> claimed(blocks, claim(0, "a")),
                () -> claimed(blocks, claim(1, "none")),
                () -> claimed(blocks, claim(2, "a"))));
        assertThat(results.get(2).get().cidr()).isEqualTo(IpPrefix.parse("10.1.0.64/26"));
        assertThatThrownBy(() -> results.get(1).get())
                .isInstanceOf(ExecutionException.class)
                .cause()
                .hasMessageContaining("there is no pool none");
        assertThat(reads).as("a refusal is decided on a new reading").isEqualTo(2);
    }

    @Test
    void callsOfOneWriteAreCountedForTheQuotaOfTheirNamespaceOneAfterTheOther() throws Exception {
        new PoolFlow(Interleaving.flow(memory))
                .create(new Pool("fixed", IpPrefix.parse("10.2.0.0/28"), 30)
                        .with(List.of(new PoolEdit.Purpose(PoolPurpose.STATIC))));
        NamespaceUse use = new NamespaceUse(
                flow,
                new BindingTable(address -> NamespaceUse.isSingle(flow, address)),
                new NamespaceQuotas(Map.of("shop", OptionalInt.of(2)), OptionalInt.empty()));
        AddressFlow addresses = new AddressFlow(flow, TimeSource.SYSTEM, use);
        List<Supplier<List<SingleAddress>>> calls = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            AddressOwner owner = new AddressOwner("c" + i + "/eth0", "n1", "shop", "web-" + i);
            calls.add(() -> addresses.allocate(owner, List.of(new AddressWish.Any(IpFamily.V4, "")), Optional.empty()));
        }
        List<Future<List<SingleAddress>>> results = together(calls);
        assertThat(results.get(0).get()).hasSize(1);
        assertThat(results.get(1).get()).as("the second of two").hasSize(1);
        assertThatThrownBy(() -> results.get(2).get())
                .as("the third")
                .cause()
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.EXHAUSTED))
                .hasMessageContaining("shop");
    }

    @Test
    void lastBlocksGoToThoseWhoCameFirst() throws Exception {
        new PoolFlow(Interleaving.flow(memory)).create(new Pool("a", IpPrefix.parse("10.1.0.0/25"), 26));
        List<Future<Block>> results = together(List.of(
                () -> claimed(blocks, claim(0, "a")),
                () -> claimed(blocks, claim(1, "a")),
                () -> claimed(blocks, claim(2, "a"))));
        assertThat(results.get(1).get().cidr()).isEqualTo(IpPrefix.parse("10.1.0.64/26"));
        assertThatThrownBy(() -> results.get(2).get())
                .cause()
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.EXHAUSTED));
    }

    @Test
    void aBrokenStoreEndsAllCallsOfABatch() {
        poolsThere();
        broken = true;
        together(List.<Supplier<Block>>of(
                        () -> claimed(blocks, claim(0, "a")),
                        () -> claimed(blocks, claim(1, "a")),
                        () -> claimed(blocks, claim(2, "a"))))
                .forEach(result -> assertThatThrownBy(result::get).cause().isInstanceOf(Interleaving.Died.class));
    }

    @Test
    void anotherWriterOfTheSameStoreIsSeen() {
        go.countDown();
        poolsThere();
        BlockFlow other = new BlockFlow(Interleaving.flow(memory));
        assertThat(claimed(blocks, claim(0, "a")).cidr()).isEqualTo(IpPrefix.parse("10.1.0.0/26"));
        assertThat(claimed(other, claim(1, "a")).cidr()).isEqualTo(IpPrefix.parse("10.1.0.64/26"));
        assertThat(claimed(blocks, claim(2, "a")).cidr()).isEqualTo(IpPrefix.parse("10.1.0.128/26"));
        other.release(claim(1, "a").caller(), IpPrefix.parse("10.1.0.64/26"), BlockRules.ANY_CLAIM);
        assertThat(flow.read().ledger().block(IpPrefix.parse("10.1.0.64/26")))
                .as("what is gone")
                .isEmpty();
        assertThat(claimed(blocks, claim(3, "a")).cidr()).isEqualTo(IpPrefix.parse("10.1.0.64/26"));
        assertThat(flow.read().ledger()).isEqualTo(LedgerSnapshot.read(memory).ledger());
    }
}
