package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.OwnedBlock;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.MemoryIpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import io.podwire.ipam.store.Value;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Calls over a store that answers later: all on the test's own thread, which nothing may have waited for. */
class BegunCallsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(3);

    private final MemoryIpamStore memory = new MemoryIpamStore();
    /** What is written, and not answered yet. */
    private final Queue<Write> writes = new ArrayDeque<>();
    /** What wants a thread that may wait. */
    private final Queue<Runnable> slow = new ArrayDeque<>();

    private final List<Duration> waits = new ArrayList<>();
    private Duration now = Duration.ZERO;

    private final TimeSource time = new TimeSource() {
        @Override
        public Duration monotonic() {
            return now;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    };

    private final IpamStore store = new IpamStore() {
        @Override
        public Reading read(long since) {
            return memory.read(since);
        }

        @Override
        public long revision() {
            return memory.revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            return memory.compareAndSet(changes);
        }

        @Override
        public CompletableFuture<Outcome> write(List<Change> changes) {
            Write write = new Write(changes, new CompletableFuture<>());
            writes.add(write);
            return write.outcome();
        }

        @Override
        public boolean waits() {
            return false;
        }

        @Override
        public boolean connected() {
            return true;
        }

        @Override
        public void close() {}
    };

    private final CasFlow flow = new CasFlow(
            store,
            PATIENCE,
            time,
            wait -> {
                waits.add(wait);
                now = now.plus(wait);
            },
            new Random(1),
            slow::add);
    private final BlockFlow blocks = new BlockFlow(flow);

    private record Write(List<Change> changes, CompletableFuture<Outcome> outcome) {}

    @BeforeEach
    void poolIsKnown() {
        new PoolFlow(Interleaving.flow(memory)).create(new Pool("a", IpPrefix.parse("10.1.0.0/20"), 26));
        var _ = flow.read();
    }

    private CompletableFuture<OwnedBlock> claim(int node) {
        return claim(node, "a");
    }

    private CompletableFuture<OwnedBlock> claim(int node, String pool) {
        NodeEpoch caller = new NodeEpoch(new NodeName("n" + node), "uid", "boot", 1);
        return blocks.beginClaim(new ClaimRequest(caller, Map.of(), pool, IpFamily.V4, "r" + node));
    }

    /** The store does what it was asked first. */
    private void storeAnswers() {
        Write write = writes.remove();
        write.outcome().complete(memory.compareAndSet(write.changes()));
    }

    private static ServiceException failure(CompletableFuture<?> call) {
        assertThat(call).isCompletedExceptionally();
        Throwable failure = call.exceptionNow();
        assertThat(failure).isInstanceOf(ServiceException.class);
        return (ServiceException) failure;
    }

    @Test
    void callEndsWhenTheStoreAnswers() {
        CompletableFuture<OwnedBlock> call = claim(1);
        assertThat(call).as("before the answer").isNotDone();
        storeAnswers();
        assertThat(call.join().block().cidr()).isEqualTo(IpPrefix.parse("10.1.0.0/26"));
        assertThat(slow).as("the line of the log alone has a thread of its own").hasSize(1);
    }

    @Test
    void thoseThatComeMeanwhileAreTheNextWriteWhichTheAnswerBegins() {
        CompletableFuture<OwnedBlock> first = claim(1);
        CompletableFuture<OwnedBlock> second = claim(2);
        CompletableFuture<OwnedBlock> third = claim(3);
        assertThat(writes).as("writes before an answer").hasSize(1);
        storeAnswers();
        assertThat(first).isCompleted();
        assertThat(second).isNotDone();
        assertThat(writes.element().changes())
                .as("the pool, and three keys for each of two")
                .hasSize(7);
        CompletableFuture<OwnedBlock> fourth = claim(4);
        storeAnswers();
        assertThat(second.join().block().cidr())
                .isNotEqualTo(third.join().block().cidr());
        storeAnswers();
        assertThat(fourth).isCompleted();
        assertThat(writes).isEmpty();
    }

    @Test
    void thoseForWhichAWriteHasNoRoomAreTheNextOneWithoutAReading() {
        CompletableFuture<OwnedBlock> first = claim(1);
        CompletableFuture<Boolean> large = flow.begin(
                "test",
                _ -> new CasFlow.Step.Write<>(
                        IntStream.range(0, 119)
                                .<Change>mapToObj(i -> new Change.Put("other/" + i, 0, new Value.Text("x")))
                                .toList(),
                        true,
                        CasFlow.Step.NOTHING));
        CompletableFuture<OwnedBlock> second = claim(2);
        storeAnswers();
        assertThat(first).isCompleted();
        slow.clear();
        storeAnswers();
        assertThat(large).isCompleted();
        assertThat(slow).as("readings").isEmpty();
        storeAnswers();
        assertThat(second).isCompleted();
    }

    @Test
    void refusalIsReadAndDecidedOnAThreadThatMayWait() {
        CompletableFuture<OwnedBlock> call = claim(1, "none");
        CompletableFuture<OwnedBlock> next = claim(2);
        assertThat(call).isNotDone();
        assertThat(slow).hasSize(1);
        slow.remove().run();
        assertThat(failure(call).reason()).isEqualTo(ErrorReason.NOT_FOUND);
        storeAnswers();
        assertThat(next).isCompleted();
    }

    @Test
    void conflictIsTriedAgainAfterAReading() {
        CompletableFuture<OwnedBlock> call = claim(1);
        var _ = new BlockFlow(Interleaving.flow(memory))
                .claim(new ClaimRequest(
                        new NodeEpoch(new NodeName("other"), "uid", "boot", 1), Map.of(), "a", IpFamily.V4, "other"));
        storeAnswers();
        assertThat(call).as("after it lost").isNotDone();
        slow.remove().run();
        assertThat(waits).as("before the second try").hasSize(1);
        assertThat(call.join().block().cidr()).isEqualTo(IpPrefix.parse("10.1.0.64/26"));
    }

    @Test
    void writeThatTheStoreRefusedIsTriedUntilThePatienceIsOver() {
        CompletableFuture<OwnedBlock> call = claim(1);
        now = PATIENCE;
        writes.remove()
                .outcome()
                .completeExceptionally(new ServiceException(ErrorReason.UNAVAILABLE, "no space is left"));
        slow.remove().run();
        assertThat(failure(call))
                .hasMessageContaining("claim of an IPv4 block")
                .hasMessageContaining("no space is left");
    }

    @Test
    void thoseWhoWaitedAsLongAsTheyCouldAreToldSo() {
        CompletableFuture<OwnedBlock> first = claim(1);
        CompletableFuture<OwnedBlock> second = claim(2);
        now = PATIENCE.plusMillis(1);
        storeAnswers();
        assertThat(first).as("what is written is written, however late").isCompleted();
        assertThat(failure(second).reason()).isEqualTo(ErrorReason.UNAVAILABLE);
        assertThat(failure(second)).hasMessageContaining("earlier calls waited for the store for PT3S");
        assertThat(writes).isEmpty();
        CompletableFuture<OwnedBlock> third = claim(3);
        storeAnswers();
        assertThat(third).as("one that comes after them").isCompleted();
    }

    @Test
    void bugInTheStoreEndsTheBatchAndNotTheLine() {
        CompletableFuture<OwnedBlock> call = claim(1);
        CompletableFuture<OwnedBlock> next = claim(2);
        writes.remove().outcome().completeExceptionally(new IllegalStateException("a bug"));
        assertThat(call.exceptionNow()).hasMessage("a bug");
        storeAnswers();
        assertThat(next).isCompleted();
    }
}
