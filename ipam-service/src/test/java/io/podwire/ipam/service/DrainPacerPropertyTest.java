package io.podwire.ipam.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.testing.Seeds;
import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.store.LedgerSnapshot.DrainVersion;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * Replicas with clocks of their own read a store, wait as long as they like, and take turns by compare-and-set; they end
 * and begin again; the pool stops draining, drains again, and changes its pace. In no minute more pods are evicted than
 * the fastest pace of that minute allows.
 */
class DrainPacerPropertyTest {
    private static final String POOL = "a";
    private static final long SECOND = 1_000_000_000L;

    /** When, in nanoseconds of true time, and how many. */
    private record Turn(long at, int evicted) {}

    private static final class Replica {
        private final long offset;
        private DrainPacer pacer = new DrainPacer();
        private DrainVersion read;
        private DrainPace pace;
        private boolean due;

        Replica(long offset) {
            this.offset = offset;
        }

        Duration clock(long now) {
            return Duration.ofNanos(offset + now);
        }
    }

    private static final class World {
        private final RandomGenerator random;
        private final List<Replica> replicas = new ArrayList<>();
        private final List<Turn> turns = new ArrayList<>();
        private final List<DrainPace> paces;
        private DrainVersion stored = new DrainVersion(1, 0);
        private DrainPace pace;
        private boolean draining = true;
        private long version = 1;
        private long now;

        World(RandomGenerator random) {
            this.random = random;
            this.paces = List.of(new DrainPace(1 + random.nextInt(40)), new DrainPace(1 + random.nextInt(600)));
            this.pace = paces.getFirst();
            for (int i = 0; i < 1 + random.nextInt(4); i++) {
                replicas.add(new Replica(random.nextLong(-SECOND * 100_000, SECOND * 100_000)));
            }
        }

        void step() {
            now += random.nextLong(SECOND);
            Replica replica = replicas.get(random.nextInt(replicas.size()));
            switch (random.nextInt(40)) {
                case 0 -> replica.pacer = new DrainPacer();
                case 1 -> {
                    draining = !draining;
                    stored = new DrainVersion(++version, stored.turn());
                }
                case 2 -> {
                    pace = paces.get(random.nextInt(paces.size()));
                    stored = new DrainVersion(++version, stored.turn());
                }
                case 3, 4, 5, 6, 7, 8, 9 -> take(replica);
                default -> look(replica);
            }
        }

        private void look(Replica replica) {
            replica.read = stored;
            replica.pace = pace;
            replica.due = draining && replica.pacer.due(POOL, replica.read, replica.pace, replica.clock(now));
            if (!draining) {
                replica.pacer.retain(Set.of());
            }
            if (random.nextBoolean()) {
                take(replica);
            }
        }

        private void take(Replica replica) {
            if (replica.due && stored.equals(replica.read)) {
                stored = new DrainVersion(stored.pool(), ++version);
                turns.add(new Turn(now, replica.pace.perTurn()));
            }
            replica.due = false;
        }

        void check() {
            int most = paces.stream().mapToInt(DrainPace::perMinute).max().orElseThrow();
            for (int first = 0; first < turns.size(); first++) {
                long end = turns.get(first).at() + 60 * SECOND;
                int evicted = turns.stream()
                        .skip(first)
                        .takeWhile(turn -> turn.at() < end)
                        .mapToInt(Turn::evicted)
                        .sum();
                assertThat(evicted)
                        .as("in the minute from %s", turns.get(first))
                        .isLessThanOrEqualTo(most);
            }
        }
    }

    @Test
    void noMinuteEvictsMoreThanThePace() {
        List<Integer> turns = new ArrayList<>();
        Seeds.forEach(DrainPacerPropertyTest.class, 300, random -> {
            World world = new World(random);
            for (int i = 0; i < 400; i++) {
                world.step();
            }
            world.check();
            turns.add(world.turns.size());
        });
        assertThat(turns.stream().mapToInt(Integer::intValue).sum())
                .as("turns that were taken in all")
                .isGreaterThan(turns.size());
    }

    @Test
    void oneReplicaThatLooksEverySecondTakesEachTurnInTime() {
        DrainPacer pacer = new DrainPacer();
        DrainVersion version = new DrainVersion(1, 0);
        List<Integer> taken = new ArrayList<>();
        for (int second = 0; second < 60; second++) {
            if (pacer.due(POOL, version, new DrainPace(10), Duration.ofSeconds(second))) {
                taken.add(second);
                version = new DrainVersion(1, version.turn() + 1);
            }
        }
        assertThat(taken).containsExactly(6, 13, 20, 27, 34, 41, 48, 55);
    }
}
