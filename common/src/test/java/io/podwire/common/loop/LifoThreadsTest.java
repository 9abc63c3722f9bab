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
