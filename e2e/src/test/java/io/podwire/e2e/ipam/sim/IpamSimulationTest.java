package io.podwire.e2e.ipam.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.podwire.common.error.ErrorReason;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

/**
 * No fault of any part makes two owners of an address, or loses one. {@code make soak WHAT=ipam-sim} does it with as many
 * seeds as asked for; {@code -Dseed=N} repeats one.
 */
@Tag("simulation")
final class IpamSimulationTest {
    private static final int SEEDS = Integer.getInteger("podwire.soak.count", 100);
    private static final int ENOUGH_FOR_EVERYTHING = 50;
    private static final int OPERATIONS = 1000;
    private static final int MOST_SEEDS_FOR_A_BUG = 500;

    @BeforeAll
    static void prepare() {
        // Thousands of claims, and writes without an answer by design.
        ((Logger) LoggerFactory.getLogger("io.podwire.ipam")).setLevel(Level.ERROR);
    }

    /** So many, or the one that is asked for. */
    private static LongStream seeds(int count) {
        return Long.getLong("seed") == null ? from(System.nanoTime(), count) : from(Long.getLong("seed"), 1);
    }

    private static LongStream from(long first, int count) {
        return LongStream.range(first, first + count);
    }

    @Test
    void everyAddressHasOneOwnerWhateverHappens() {
        long steps = 0;
        long operations = 0;
        long answered = 0;
        long unanswered = 0;
        long reclaims = 0;
        long singlesTaken = 0;
        Map<String, Integer> addresses = new TreeMap<>();
        Duration time = Duration.ZERO;
        long[] seeds = seeds(SEEDS).toArray();
        for (long seed : seeds) {
            System.out.println("ipam simulation: -Dseed=" + seed);
            IpamSimulation.Result result = new IpamSimulation(seed, OPERATIONS, Conduct.SOUND).run();
            steps += result.steps();
            operations += result.operations();
            answered += result.answered();
            unanswered += result.unanswered();
            reclaims += result.reclaims();
            singlesTaken += result.singlesTaken();
            result.addresses().forEach((what, count) -> addresses.merge(what, count, Integer::sum));
            time = time.plus(result.time());
        }
        System.out.println("ipam simulation: " + operations + " operations, " + answered + " calls answered and "
                + unanswered + " not, " + reclaims + " reclaims with " + singlesTaken + " single addresses, in " + steps
                + " steps and "
                + time.toSeconds() + " s of simulated time; single addresses: " + addresses);
        assertThat(answered)
                .as("calls answered, in spite of %d that were not", unanswered)
                .isGreaterThan(unanswered);
        if (seeds.length < ENOUGH_FOR_EVERYTHING) {
            return;
        }
        assertThat(addresses)
                .as("single addresses, given one or several at once and to replicas of a workload, and refused")
                .containsKeys(
                        "given 1",
                        "given 2",
                        "given 3",
                        "reserved 1",
                        "reserved 2",
                        "refused: " + ErrorReason.EXHAUSTED,
                        "refused: " + ErrorReason.OWNED_BY_OTHER,
                        "refused: " + ErrorReason.NOT_FOUND,
                        "refused: " + ErrorReason.INVALID_ARGUMENT,
                        "refused: " + ErrorReason.FAILED_PRECONDITION,
                        "refused what is reserved");
        assertThat(reclaims).as("nodes whose blocks were taken back").isGreaterThan(seeds.length / 4);
        assertThat(singlesTaken)
                .as("single addresses that were taken back of pods on them")
                .isGreaterThan(seeds.length / 10);
    }

    @Test
    void aSeedIsARun() {
        long seed = seeds(1).findFirst().orElseThrow();
        IpamSimulation.Result once = new IpamSimulation(seed, OPERATIONS, Conduct.SOUND).run();
        assertThat(new IpamSimulation(seed, OPERATIONS, Conduct.SOUND).run())
                .as("with -Dseed=%d", seed)
                .isEqualTo(once);
        System.out.println("ipam simulation: -Dseed=" + seed + " is " + once);
    }

    @ParameterizedTest
    @EnumSource
    void aBugIsFound(Bug bug) {
        long first = Long.getLong("seed", System.nanoTime());
        Set<String> others = new LinkedHashSet<>();
        for (long seed : from(first, MOST_SEEDS_FOR_A_BUG).toArray()) {
            try {
                new IpamSimulation(seed, OPERATIONS, bug).run();
            } catch (AssertionError e) {
                assertThat(e).hasCauseInstanceOf(Checker.Violation.class);
                String violation = e.getMessage().lines().findFirst().orElseThrow();
                if (bug.shows(violation)) {
                    System.out.println("ipam simulation: " + bug + " is found, " + violation);
                    return;
                }
                others.add(violation);
            }
        }
        fail("%s is not found with -Dseed=%d and those after it; others are: %s", bug, first, others);
    }
}
