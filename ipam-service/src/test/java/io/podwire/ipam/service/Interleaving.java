package io.podwire.ipam.service;

import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.MemoryIpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Semaphore;
import java.util.random.RandomGenerator;

/**
 * Runs flows of several replicas over one store, one store call at a time, in an order that the
 * randomness picks. With faults, an answer may be lost (the write done, not done, or done later), and
 * a replica may die between two calls.
 */
final class Interleaving {
    /** A time that stands still: the patience of a flow never ends. */
    static final TimeSource STILL = new TimeSource() {
        @Override
        public Duration monotonic() {
            return Duration.ZERO;
        }

        @Override
        public Instant wall() {
            return Instant.EPOCH;
        }
    };

    private final RandomGenerator random;
    private final MemoryIpamStore store;
    private final boolean faults;
    private final List<Turn> turns = new ArrayList<>();
    private final List<List<Change>> late = new ArrayList<>();

    Interleaving(RandomGenerator random, MemoryIpamStore store, boolean faults) {
        this.random = random;
        this.store = store;
        this.faults = faults;
    }

    /** A death of the replica that runs a flow. */
    static final class Died extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** One flow's result once it ran: a value, a failure, or neither when its replica died. */
    static final class Turn {
        private final Semaphore go = new Semaphore(0);
        private final Semaphore parked = new Semaphore(0);
        private boolean ended;
        private String result = "";
        private RuntimeException failure;

        private void await() {
            parked.release();
            go.acquireUninterruptibly();
        }

        String result() {
            if (failure != null) {
                throw failure;
            }
            return result;
        }
    }

    /** A flow over a store of its own replica, without time. */
    static CasFlow flow(IpamStore store) {
        return new CasFlow(store, Duration.ofMinutes(1), STILL, _ -> {}, new Random(1), Runnable::run);
    }

    /** What a replica does over its flow. */
    interface Body {
        String run(CasFlow flow);
    }

    /** Adds a flow of a replica that knows nothing yet, or what is there now. */
    Turn add(Body body) {
        Turn turn = new Turn();
        Stepped stepped = new Stepped(turn);
        CasFlow flow = flow(stepped);
        if (random.nextBoolean()) {
            var _ = flow.read();
        }
        stepped.stepping = true;
        turns.add(turn);
        Callable<String> call = () -> body.run(flow);
        Thread.ofVirtual().start(() -> {
            turn.await();
            try {
                turn.result = call.call();
            } catch (Died e) {
                turn.result = "died";
            } catch (RuntimeException e) {
                turn.failure = e;
            } catch (Exception e) {
                turn.failure = new IllegalStateException(e);
            }
            turn.ended = true;
            turn.parked.release();
        });
        return turn;
    }

    /** Runs all flows to their end. */
    void run() {
        turns.forEach(turn -> turn.parked.acquireUninterruptibly());
        List<Turn> alive = new ArrayList<>(turns);
        while (!alive.isEmpty()) {
            if (!late.isEmpty() && random.nextInt(4) == 0) {
                applyLate();
            }
            Turn turn = alive.get(random.nextInt(alive.size()));
            turn.go.release();
            turn.parked.acquireUninterruptibly();
            if (turn.ended) {
                alive.remove(turn);
            }
        }
        while (!late.isEmpty()) {
            applyLate();
        }
    }

    private void applyLate() {
        var _ = store.compareAndSet(late.remove(random.nextInt(late.size())));
    }

    private final class Stepped implements IpamStore {
        private final Turn turn;
        /** Set before the flow's thread starts. */
        private boolean stepping;

        private Stepped(Turn turn) {
            this.turn = turn;
        }

        @Override
        public Reading read(long since) {
            if (stepping) {
                turn.await();
            }
            return store.read(since);
        }

        @Override
        public long revision() {
            turn.await();
            return store.revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            turn.await();
            if (!faults) {
                return store.compareAndSet(changes);
            }
            return switch (random.nextInt(8)) {
                case 0 -> new Outcome.Unknown();
                case 1 -> {
                    var _ = store.compareAndSet(changes);
                    yield new Outcome.Unknown();
                }
                case 2 -> {
                    late.add(changes);
                    yield new Outcome.Unknown();
                }
                case 3 -> throw new Died();
                case 4 -> {
                    var _ = store.compareAndSet(changes);
                    throw new Died();
                }
                default -> store.compareAndSet(changes);
            };
        }

        @Override
        public boolean connected() {
            return true;
        }

        @Override
        public void close() {}
    }
}
