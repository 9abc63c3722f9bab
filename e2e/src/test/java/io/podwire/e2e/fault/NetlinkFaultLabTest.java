package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The kernel fails node-shim's netlink calls (strace(1), "inject"), each by its turn, in ADDs and DELs by the real
 * cni-shim: each ends with all or nothing, and node-shim lives.
 *
 * <p>Only the threads that speak netlink are traced, not those of the gRPC transport, which use the same system calls.
 * The threads of ADDs are started by that transport, so they have to be there before.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class NetlinkFaultLabTest {
    private static final Path TRACE = Path.of("/run/netlink.trace");
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final Pattern NETLINK_THREADS = Pattern.compile("add-.*|cni-.*|kernel-.*|rules|drift|routes");
    private static final String CALLS = "sendto,recvfrom,sendmsg,recvmsg";
    private static final int LAST_CALL = 16;
    /** As many as node-shim has threads for ADDs. */
    private static final int THREADS = 64;

    private static final int SPARE_SOCKETS = 8;

    private final MeshNode node;
    private CleanNode clean;

    NetlinkFaultLabTest(Mesh mesh) throws IOException {
        node = mesh.node("netlink");
    }

    @BeforeAll
    void start() {
        assumeTrue(Shell.installed("strace"), "strace is not installed");
        node.start();
        clean = CleanNode.warm(node);
    }

    @AfterAll
    void close() {
        node.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ENOBUFS", "ENOMEM", "EINTR"})
    void atAnyNetlinkCallAnAddIsAllOrNothingAndADelSucceedsInTheEnd(String errno) throws Exception {
        startThreads();
        int sockets = node.process().descriptors().get("socket");
        int injected = 0;
        int added = 0;
        int deleted = 0;
        for (int call = 1; call <= LAST_CALL; call++) {
            try (TestPod pod = TestPod.make("victim")) {
                String when = errno + " at call " + call;
                CniRuntime.Outcome add;
                CniRuntime.Outcome del;
                Process tracer = trace(errno, call);
                try {
                    add = node.runtime().add(pod.eth0());
                    added += add.ok() ? 1 : 0;
                    assertAllOrNothing(add, pod, when);
                    del = node.runtime().del(pod.eth0());
                    deleted += del.ok() ? 1 : 0;
                } finally {
                    tracer.destroy();
                    tracer.waitFor();
                }
                injected += injected();
                assertThat(node.shim().alive())
                        .as("node-shim lives after %s", when)
                        .isTrue();
                assertThat(node.runtime().del(pod.eth0()).text())
                        .as("the next DEL after %s; the one before: %s", when, del.text())
                        .startsWith("exit code 0");
                assertThat(Shell.output("ip", "-n", pod.name(), "-o", "link", "show"))
                        .as("links in the container after %s", when)
                        .doesNotContain("eth0");
                assertThat(node.api().endpoints())
                        .as("attachments after %s", when)
                        .isEmpty();
            }
        }
        System.out.println("faults: " + errno + " in " + injected + " netlink calls: " + added + " of " + LAST_CALL
                + " ADDs and " + deleted + " of as many DELs went well all the same");
        assertThat(injected).as("calls that failed").isGreaterThan(LAST_CALL);
        clean.otherBlocks();
        clean.assertWorks("after " + errno);
        assertThat(node.process().descriptors().get("socket"))
                .as("sockets after %s: the pool keeps what was needed at once", errno)
                .isLessThanOrEqualTo(sockets + SPARE_SOCKETS);
    }

    private void assertAllOrNothing(CniRuntime.Outcome add, TestPod pod, String when) {
        if (add.ok()) {
            assertThat(add.json().path("ips").path(0).path("address").asText())
                    .as("result of an ADD with %s: %s", when, add.text())
                    .isNotEmpty();
            assertThat(Shell.output("ip", "-n", pod.name(), "-o", "addr", "show", "dev", "eth0"))
                    .as("addresses in the container after an ADD with %s", when)
                    .contains(add.json().path("ips").path(0).path("address").asText());
        } else {
            assertThat(add.json().path("code").asInt())
                    .as("code of an ADD with %s: %s", when, add.text())
                    .isPositive();
        }
    }

    /** So many ADDs at once that all threads for them are there, and stay for some seconds. */
    private void startThreads() throws Exception {
        List<TestPod> pods = TestPod.make("victim-of-none", THREADS);
        try (ExecutorService calls = Executors.newFixedThreadPool(8)) {
            List<Future<CniRuntime.Outcome>> ends = new ArrayList<>();
            pods.forEach(pod -> ends.add(calls.submit(() -> {
                assertThat(node.runtime().add(pod.eth0()).ok()).as("ADD").isTrue();
                return node.runtime().del(pod.eth0());
            })));
            for (Future<CniRuntime.Outcome> end : ends) {
                assertThat(end.get().ok()).as("DEL").isTrue();
            }
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    /** Fails one call of each system call on each thread, and one in forty after it. */
    private Process trace(String errno, int call) throws IOException {
        Files.deleteIfExists(TRACE);
        List<String> command = new ArrayList<>(List.of("setpriv", "--pdeathsig", "KILL", "strace", "-f", "-o"));
        command.add(TRACE.toString());
        command.addAll(List.of("-e", "trace=" + CALLS, "-e"));
        command.add("inject=" + CALLS + ":error=" + errno + ":when=" + call + "+40");
        threads().forEach(thread -> command.addAll(List.of("-p", thread)));
        Path said = Path.of("/run/netlink.said");
        Process tracer = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(said.toFile())
                .start();
        long wanted = IntStream.range(0, command.size())
                .filter(i -> command.get(i).equals("-p"))
                .count();
        await("strace is attached")
                .atMost(SOON)
                .pollInterval(Duration.ofMillis(10))
                .until(() -> !tracer.isAlive()
                        || Files.readString(said)
                                        .lines()
                                        // A thread may have ended meanwhile.
                                        .filter(line -> line.contains("attached") || line.contains("PTRACE_SEIZE"))
                                        .count()
                                >= wanted);
        assertThat(tracer.isAlive()).as("strace: %s", Files.readString(said)).isTrue();
        return tracer;
    }

    private List<String> threads() throws IOException {
        List<String> threads = new ArrayList<>();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(
                Path.of("/proc", Long.toString(node.shim().pid()), "task"))) {
            for (Path task : tasks) {
                try {
                    if (NETLINK_THREADS
                            .matcher(Files.readString(task.resolve("comm")).strip())
                            .matches()) {
                        threads.add(task.getFileName().toString());
                    }
                } catch (NoSuchFileException _) {
                    // It has ended.
                }
            }
        }
        return threads;
    }

    private static int injected() throws IOException {
        try (var lines = Files.lines(TRACE)) {
            return (int) lines.filter(line -> line.contains("(INJECTED)")).count();
        }
    }
}
