package io.podwire.common.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LifoThreadsTest {
    private static final Duration LONG = Duration.ofMinutes(5);

    private LifoThreads threads = new LifoThreads("t-", 3, 1 << 18, LONG);

    @AfterEach
    void close() {
        threads.close();
    }

    private Thread runs() {
        return CompletableFuture.supplyAsync(Thread::currentThread, threads).join();
    }

    /** Holds a thread until the latch opens; returns once it is held. */
    private Thread hold(CountDownLatch until) {
        CompletableFuture<Thread> held = new CompletableFuture<>();
        threads.execute(() -> {
            held.complete(Thread.currentThread());
            awaitLatch(until);
        });
        return held.join();
    }

    private static void awaitLatch(CountDownLatch latch) {
        try {
            assertThat(latch.await(50, TimeUnit.SECONDS)).as("opened").isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void theThreadThatWasBusyLastWorksNext() {
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch second = new CountDownLatch(1);
        Thread a = hold(first);
        Thread b = hold(second);
        second.countDown();
        await().until(() -> b.getState() == Thread.State.TIMED_WAITING);
        first.countDown();
        await().until(() -> a.getState() == Thread.State.TIMED_WAITING);
        for (int i = 0; i < 10; i++) {
            Thread worker = runs();
            assertThat(worker).as("task %s", i).isSameAs(a);
            await().until(() -> worker.getState() == Thread.State.TIMED_WAITING);
        }
        assertThat(threads.alive()).as("no other was started").isEqualTo(2);
    }

    @Test
    void whoStepsAsideLetsThoseBehindItRun() throws Exception {
        CountDownLatch latch = new CountDownLatch(1);
        CountDownLatch aside = new CountDownLatch(3);
        for (int i = 0; i < 3; i++) {
            threads.execute(() -> {
                try (var _ = LifoThreads.stepAside()) {
                    aside.countDown();
                    awaitLatch(latch);
                }
            });
        }
        assertThat(aside.await(50, TimeUnit.SECONDS)).as("all are aside").isTrue();
        assertThat(runs()).as("a further task").isNotNull();
        latch.countDown();
        await().until(() -> threads.alive() > 3);
        CountDownLatch again = new CountDownLatch(1);
        for (int i = 0; i < 3; i++) {
            hold(again);
        }
        // Those that came back are idle and serve further tasks; none is started beyond them.
        int alive = threads.alive();
        CompletableFuture<Thread> further = CompletableFuture.supplyAsync(Thread::currentThread, threads);
        again.countDown();
        assertThat(further.get(50, TimeUnit.SECONDS)).isNotNull();
        assertThat(threads.alive()).as("threads").isEqualTo(alive);
    }

    @Test
    void aTaskThatWaitsBehindOthersStartsWhenOneStepsAside() throws Exception {
        threads = new LifoThreads("t-", 1, 1 << 18, LONG);
        CountDownLatch step = new CountDownLatch(1);
        CountDownLatch latch = new CountDownLatch(1);
        threads.execute(() -> {
            awaitLatch(step);
            try (var _ = LifoThreads.stepAside()) {
                awaitLatch(latch);
            }
        });
        CompletableFuture<Thread> behind = CompletableFuture.supplyAsync(Thread::currentThread, threads);
        assertThat(behind).as("before").isNotDone();
        step.countDown();
        assertThat(behind.get(50, TimeUnit.SECONDS)).isNotNull();
        latch.countDown();
    }

    @Test
    void fewStepAsideAndNobodyElse() {
        try (var _ = LifoThreads.stepAside()) {
            assertThat(threads.alive()).as("on a thread of no pool").isZero();
        }
        threads = new LifoThreads("t-", 1, 1 << 18, LONG);
        CountDownLatch latch = new CountDownLatch(1);
        CountDownLatch started = new CountDownLatch(LifoThreads.ASIDE + 1);
        for (int i = 0; i < LifoThreads.ASIDE + 10; i++) {
            threads.execute(() -> {
                try (var _ = LifoThreads.stepAside()) {
                    started.countDown();
                    awaitLatch(latch);
                }
            });
        }
        awaitLatch(started);
        assertThat(threads.alive()).as("threads, so many aside").isEqualTo(LifoThreads.ASIDE + 1);
        latch.countDown();
        assertThat(runs()).as("after all").isNotNull();
    }

    @Test
    void whatFindsAllBusyWaitsInOrder() {
        CountDownLatch latch = new CountDownLatch(1);
        for (int i = 0; i < 3; i++) {
            hold(latch);
        }
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(100);
        for (int i = 0; i < 100; i++) {
            int number = i;
            threads.execute(() -> {
                order.add(number);
                done.countDown();
            });
        }
        assertThat(order).as("all are busy").isEmpty();
        assertThat(threads.alive()).as("as many as may be").isEqualTo(3);
        latch.countDown();
        awaitLatch(done);
        assertThat(order).as("each once").hasSize(100).doesNotHaveDuplicates();
        assertThat(order.getFirst()).as("the first goes first").isLessThan(3);
    }

    @Test
    void aTaskThatThrowsEndsItsThreadAndNoOther() {
        threads = new LifoThreads("t-", 1, 1 << 18, LONG);
        CountDownLatch latch = new CountDownLatch(1);
        Thread broken = hold(latch);
        threads.execute(() -> {
            throw new IllegalStateException("on purpose");
        });
        CompletableFuture<Thread> after = CompletableFuture.supplyAsync(Thread::currentThread, threads);
        latch.countDown();
        assertThat(after.join()).as("what waited behind it").isNotSameAs(broken);
        await().until(() -> !broken.isAlive());
        assertThat(threads.alive()).isEqualTo(1);
    }

    @Test
    void thoseThatWaitForATaskAreNotBusy() {
        threads = new LifoThreads("t-", 3, 1 << 18, LONG);
        assertThat(threads.busy()).as("before the first task").isZero();
        CountDownLatch latch = new CountDownLatch(1);
        var _ = hold(latch);
        assertThat(threads.busy()).as("while it works").isEqualTo(1);
        latch.countDown();
        await().until(() -> threads.busy() == 0);
        assertThat(threads.alive()).as("it is there still").isEqualTo(1);
    }

    @Test
    void idleThreadsEnd() {
        threads = new LifoThreads("t-", 3, 1 << 18, Duration.ofMillis(1));
        Thread worker = runs();
        await().until(() -> !worker.isAlive());
        assertThat(threads.alive()).isZero();
        assertThat(runs()).as("the next task").isNotSameAs(worker);
    }

    @Test
    void everyTaskOfManyCallersRunsOnce() {
        threads = new LifoThreads("t-", 3, 1 << 18, Duration.ofNanos(1));
        int count = 20_000;
        CountDownLatch done = new CountDownLatch(count);
        try (var callers = Executors.newFixedThreadPool(4)) {
            for (int i = 0; i < count; i++) {
                callers.execute(() -> threads.execute(done::countDown));
            }
        }
        awaitLatch(done);
        await().until(() -> threads.alive() == 0);
    }

    @Test
    void afterCloseNothingIsTakenAndThreadsEnd() {
        CountDownLatch latch = new CountDownLatch(1);
        Thread busy = hold(latch);
        Thread idle = runs();
        threads.close();
        assertThatThrownBy(() -> threads.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
        await().until(() -> !idle.isAlive());
        latch.countDown();
        await().until(() -> !busy.isAlive());
        assertThat(threads.alive()).isZero();
    }
}
