package io.podwire.e2e.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.e2e.mesh.Shell;
import io.podwire.node.cni.Spool;
import io.podwire.proto.cni.v1.CniRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * cni-shim storing a DEL is killed, fails or is held at each step, and the real spool of node-shim reads
 * what is there: the whole request or nothing, and in the end nothing is left in the folder.
 */
final class SpoolFailPointTest {
    private static final Path FOLDER = Path.of("..", "cni-shim");
    private static final Path BINARY = FOLDER.resolve("build/failing/podwire");
    private static final Executor RUNNERS = task -> Thread.ofVirtual().start(task);
    private static final Duration HELD = Duration.ofSeconds(5);
    private static final int SIGKILL = 128 + 9;

    @TempDir
    private Path temp;

    /** The steps of cni-shim/src/spool.c. */
    enum Point {
        OPENED(false),
        WRITTEN(false),
        SYNCED(false),
        RENAMED(true);

        /** The file has the name that node-shim reads. */
        private final boolean named;

        Point(boolean named) {
            this.named = named;
        }

        private String with(String action) {
            return name().toLowerCase(Locale.ROOT) + ":" + action;
        }
    }

    @BeforeAll
    static void build() {
        var _ = Shell.output("make", "-s", "-C", FOLDER.toString(), "build/failing/podwire");
    }

    @ParameterizedTest
    @EnumSource
    void aKillLeavesAllOrNothing(Point point) throws IOException {
        Spool spool = new Spool(folder(point));
        assertThat(del(point, "c0ffee", point.with("kill")).exitCode())
                .as("the shim was killed")
                .isEqualTo(SIGKILL);
        assertThat(drained(spool)).containsExactlyElementsOf(point.named ? List.of("c0ffee") : List.of());
        assertTriedAgain(point, spool);
    }

    @ParameterizedTest
    @EnumSource
    void anErrorLeavesAllOrNothing(Point point) throws IOException {
        Spool spool = new Spool(folder(point));
        Shell.Ended ended = del(point, "c0ffee", point.with("error"));
        assertThat(ended.exitCode()).as("exit code, %s", ended.stdout()).isEqualTo(1);
        assertThat(ended.stdout()).as("the error object").contains("\"code\":5");
        assertThat(drained(spool)).containsExactlyElementsOf(point.named ? List.of("c0ffee") : List.of());
        assertThat(files(point)).as("an error leaves nothing half written").isEmpty();
        assertTriedAgain(point, spool);
    }

    @Test
    void aDelIsNotDoneBeforeItIsWhole() {
        Stream.of(Point.values())
                .map(point -> CompletableFuture.runAsync(() -> heldAt(point), RUNNERS))
                .toList()
                .forEach(CompletableFuture::join);
    }

    private void heldAt(Point point) {
        try {
            Spool spool = new Spool(folder(point));
            CompletableFuture<Shell.Ended> held =
                    CompletableFuture.supplyAsync(() -> del(point, "c0ffee", point.with("hang")), RUNNERS);
            List<String> done = new ArrayList<>();
            await("the file of " + point)
                    .atMost(HELD)
                    .until(() -> files(point).stream().anyMatch(name -> name.endsWith(".del") == point.named));
            done.addAll(drained(spool));
            assertThat(done).as("done while it is held when %s", point).hasSize(point.named ? 1 : 0);
            Shell.Ended ended = held.join();
            assertThat(ended.exitCode())
                    .as("held when %s: %s", point, ended.stdout())
                    .isZero();
            assertThat(ended.took()).as("its time when %s", point).isGreaterThanOrEqualTo(HELD);
            done.addAll(drained(spool));
            assertThat(done).as("done in the end, %s", point).containsExactly("c0ffee");
            assertThat(files(point)).as("files left, %s", point).isEmpty();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The runtime tries again what had not ended well; then sweeps find what the first run left. */
    private void assertTriedAgain(Point point, Spool spool) {
        Shell.Ended again = del(point, "c0ffee", "none:kill");
        assertThat(again.exitCode()).as("the second DEL: %s", again.stdout()).isZero();
        assertThat(drained(spool)).as("the second DEL").containsExactly("c0ffee");
        spool.sweep();
        spool.sweep();
        assertThat(files(point)).as("files left").isEmpty();
    }

    /** What one drain does: container ids, of requests that are whole. */
    private static List<String> drained(Spool spool) {
        List<String> ids = new ArrayList<>();
        spool.drain(request -> {
            assertThat(request.getConfig().toString(StandardCharsets.UTF_8))
                    .as("its last field but one, whole")
                    .endsWith("}");
            assertThat(request)
                    .isEqualTo(CniRequest.newBuilder(request)
                            .setCommand("DEL")
                            .setIfname("eth0")
                            .setNetnsOverride(true)
                            .build());
            ids.add(request.getContainerId());
        });
        return ids;
    }

    private Shell.Ended del(Point point, String id, String failPoint) {
        Map<String, String> env = new HashMap<>(Map.of(
                "CNI_COMMAND",
                "DEL",
                "CNI_CONTAINERID",
                id,
                "CNI_IFNAME",
                "eth0",
                "CNI_NETNS_OVERRIDE",
                "1",
                "PODWIRE_FAIL_POINT",
                failPoint));
        // A socket that is not there, where no daemon can come: the shim does not wait for one.
        String config = "{\"cniVersion\":\"1.0.0\",\"name\":\"podwire\",\"socket\":\"/dev/null/none\",\"spool\":\""
                + folder(point) + "\"}";
        return Shell.run(List.of(BINARY.toString()), env, config.getBytes(StandardCharsets.UTF_8));
    }

    private Path folder(Point point) {
        return temp.resolve(point.name());
    }

    private List<String> files(Point point) {
        try (Stream<Path> files = Files.list(folder(point))) {
            return files.map(file -> file.getFileName().toString()).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
