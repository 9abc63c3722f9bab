package io.podwire.e2e.ipam;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.podwire.e2e.mesh.Shell;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;

/**
 * Whatever happens to an etcd of three members, each block has one owner at any moment, and everybody is told so: what
 * contending nodes were answered is linearizable. {@code make soak WHAT=ipam-etcd} does it with as many runs as asked
 * for; {@code -Dseed=N -Dpodwire.soak.count=1} repeats one of them.
 */
@Tag("lab")
final class EtcdFaultsLabTest {
    private static final int RUNS = Integer.getInteger("podwire.soak.count", 3);
    private static final List<Fault> FAULTS = List.of(Fault.values());
    private static final Duration LONGEST_REST = Duration.ofMillis(20);
    private static final String QUOTA_BYTES = Integer.toString(16 << 20);

    @TempDir
    private Path folder;

    /** The seed of each run, which also says what happens: faults take turns. */
    static LongStream seeds() {
        long first = Long.getLong("seed", System.nanoTime());
        return LongStream.range(first, first + RUNS);
    }

    @BeforeAll
    static void prepare() {
        Assumptions.assumeTrue(
                Shell.installed("etcd"), "SKIPPED: no etcd here; install Debian's etcd-server to run the etcd tests");
        // Thousands of claims, and writes without an answer by design.
        ((Logger) LoggerFactory.getLogger("io.podwire.ipam")).setLevel(Level.ERROR);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void everyBlockHasOneOwnerWhateverHappensToEtcd(long seed) throws Exception {
        Fault fault = FAULTS.get(Math.floorMod(seed, FAULTS.size()));
        SplittableRandom random = new SplittableRandom(seed);
        try (EtcdCluster etcd = EtcdCluster.start(folder, "--quota-backend-bytes", QUOTA_BYTES)) {
            HistoryRun.Result result = new HistoryRun(
                            etcd.endpoints(), UnaryOperator.identity(), random.split(), LONGEST_REST)
                    .run(() -> {
                        fault.happen(etcd, random);
                        etcd.awaitServing();
                    });
            System.out.println("etcd faults: " + fault + ", " + result.answered() + " operations answered, "
                    + result.unanswered() + " calls not; all clients at work again "
                    + result.tookToServe().toMillis() + " ms after its end; -Dseed=" + seed);
            assertThat(result.broken()).as("with -Dseed=%d, %s", seed, fault).isEmpty();
            assertThat(result.greedyClaims())
                    .as("with -Dseed=%d, %s", seed, fault)
                    .isEmpty();
            result.assertAllOwnedOnce();
        }
    }

    @ParameterizedTest
    @EnumSource
    void brokenStoreIsFoundOut(BrokenStore broken) throws Exception {
        long seed = Long.getLong("seed", System.nanoTime());
        try (EtcdCluster etcd = EtcdCluster.start(folder)) {
            HistoryRun.Result result = new HistoryRun(
                            etcd.endpoints(), broken::over, new SplittableRandom(seed), Duration.ZERO)
                    .run(() -> {});
            assertThat(result.broken())
                    .as("with -Dseed=%d, after %d operations", seed, result.answered())
                    .isNotEmpty();
        }
    }
}
