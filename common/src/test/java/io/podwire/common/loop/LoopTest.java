package io.podwire.common.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import io.podwire.common.testing.Seeds;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** EventLoop and Backoff. */
final class LoopTest {
    private static final Duration SOON = Duration.ofSeconds(5);

    @Test
    void tasksRunInOrderOnOneThreadOfItsName() {
        List<Integer> seen = new CopyOnWriteArrayList<>();
        List<String> threads = new CopyOnWriteArrayList<>();
        try (EventLoop loop = new EventLoop("ordered")) {
            IntStream.range(0, 500)
                    .forEach(i -> loop.execute(() -> {
                        seen.add(i);
                        threads.add(Thread.currentThread().getName());
                    }));
            assertThat(loop.submit(() -> 7)).succeedsWithin(SOON).isEqualTo(7);
        }
        assertThat(seen).isEqualTo(IntStream.range(0, 500).boxed().toList());
        assertThat(threads).containsOnly("ordered");
    }

    @Test
    void aTaskThatThrowsEndsNeitherTheLoopNorItsTimer() {
        AtomicInteger runs = new AtomicInteger();
        try (EventLoop loop = new EventLoop("throwing")) {
            loop.execute(() -> {
                throw new IllegalStateException("on purpose");
            });
            loop.every(Duration.ofMillis(1), () -> {
                runs.incrementAndGet();
                throw new AssertionError("on purpose");
            });
            await().atMost(SOON).until(() -> runs.get() >= 3);
            assertThat(loop.submit(() -> {
                        throw new java.io.IOException("told to the asker");
                    }))
                    .failsWithin(SOON)
                    .withThrowableThat()
                    .withMessageContaining("told to the asker");
        }
    }

    @Test
    void aDelayIsAtLeastThatLong() {
        try (EventLoop loop = new EventLoop("timer")) {
            long began = System.nanoTime();
            CountDownLatch done = new CountDownLatch(1);
            loop.schedule(Duration.ofMillis(20), done::countDown);
            await().atMost(SOON).until(() -> done.getCount() == 0);
            assertThat(Duration.ofNanos(System.nanoTime() - began)).isGreaterThanOrEqualTo(Duration.ofMillis(20));
        }
    }

    @Test
    void aClosedLoopDropsTasksAndTellsAskers() {
        EventLoop loop = new EventLoop("closed");
        loop.close();
        loop.close();
        loop.execute(() -> {
            throw new AssertionError("dropped");
        });
        loop.schedule(Duration.ZERO, () -> {
            throw new AssertionError("dropped");
        });
        loop.every(Duration.ofMillis(1), () -> {
            throw new AssertionError("dropped");
        });
        assertThat(loop.submit(() -> 1))
                .failsWithin(SOON)
                .withThrowableThat()
                .withCauseInstanceOf(RejectedExecutionException.class);
    }

    @Test
    void waitsDoubleWithinTheirBoundsAndStartAnew() {
        Seeds.forEach(LoopTest.class, 200, random -> {
            Duration first = Duration.ofMillis(1 + random.nextInt(1000));
            Duration longest = first.multipliedBy(1 + random.nextInt(50));
            Backoff backoff = new Backoff(first, longest, random);
            for (int round = 0; round < 2; round++) {
                Duration bound = first;
                for (int i = 0; i < 12; i++) {
                    assertThat(backoff.next())
                            .as("wait %d of %s to %s", i, first, longest)
                            .isBetween(bound.dividedBy(2), bound);
                    Duration doubled = bound.multipliedBy(2);
                    bound = doubled.compareTo(longest) > 0 ? longest : doubled;
                }
                backoff.reset();
            }
        });
    }

    @Test
    void boundsOfABackoffAreChecked() {
        java.util.random.RandomGenerator random = new java.util.SplittableRandom(1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Backoff(Duration.ZERO, Duration.ofSeconds(1), random));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Backoff(Duration.ofSeconds(2), Duration.ofSeconds(1), random));
    }
}
