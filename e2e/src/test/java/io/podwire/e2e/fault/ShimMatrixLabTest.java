package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.node.v1.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * cni-shim dies, gets an error, or hangs at every single system call that it makes (strace(1), "inject"):
 * whatever it says then is a CNI result or a CNI error, and the runtime's next DEL leaves nothing.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class ShimMatrixLabTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern CALL = Pattern.compile("^([a-z_0-9]+)\\(");
    private static final String FIRST_OF_MAIN = "fcntl";
    private static final String TRACED = "/run/shim.trace";

    private final MeshNode node;
    private CleanNode clean;

    ShimMatrixLabTest(Mesh mesh) throws IOException {
        node = mesh.node("shim");
    }

    /** The {@code when}-th call of a system call, from 1. */
    private record Call(String name, int when) {
        /** Starts cni-shim so that something happens there: strace's words. */
        List<String> inject(String what) {
            return List.of(
                    "strace",
                    "-qq",
                    "-o",
                    "/dev/null",
                    "-e",
                    "trace=" + name,
                    "-e",
                    "inject=" + name + ":" + what + ":when=" + when);
        }

        @Override
        public String toString() {
            return name + "#" + when;
        }
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

    /**
     * Its system calls in an ADD or a DEL that goes well, from the first of main() on: a program that cannot
     * even get its first page ends before it could say so.
     */
    private List<Call> calls(String verb, CniAttachment attachment) throws IOException {
        Shell.Ended ended = node.plugin(verb, attachment, List.of("strace", "-qq", "-o", TRACED));
        assertThat(ended.exitCode())
                .as("%s under strace: %s", verb, ended.stdout())
                .isZero();
        Map<String, Integer> seen = new TreeMap<>();
        List<Call> calls = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(TRACED))) {
            Matcher matcher = CALL.matcher(line);
            if (matcher.find()) {
                Call call = new Call(matcher.group(1), seen.merge(matcher.group(1), 1, Integer::sum));
                if (seen.containsKey(FIRST_OF_MAIN) && !call.name.equals("exit_group")) {
                    calls.add(call);
                }
            }
        }
        assertThat(calls).as("system calls of %s", verb).hasSizeGreaterThan(20);
        return calls;
    }

    @ParameterizedTest
    @ValueSource(strings = {"signal=SIGKILL", "error=EIO", "error=EINTR", "error=ENOMEM"})
    void atEverySystemCallOfAdd(String what) throws IOException {
        try (TestPod pod = TestPod.make("victim")) {
            List<Call> calls = calls("ADD", pod.eth0());
            assertDeleted(pod.eth0(), "what was traced");
            int done = 0;
            for (Call call : calls) {
                Shell.Ended ended = node.plugin("ADD", pod.eth0(), call.inject(what));
                done += ended.exitCode() == 0 ? 1 : 0;
                assertTruthful("ADD", ended, call, what);
                assertDeleted(pod.eth0(), what + " at " + call);
                assertThat(node.api().endpoints())
                        .as("attachments after %s at %s and DEL", what, call)
                        .isEmpty();
            }
            System.out.println("faults: cni-shim ADD, " + what + " at each of " + calls.size() + " system calls: "
                    + done + " went well all the same");
        }
        clean.assertWorks("after " + what + " at every system call of ADD");
    }

    @ParameterizedTest
    @ValueSource(strings = {"signal=SIGKILL", "error=EIO", "error=EINTR", "error=ENOMEM"})
    void atEverySystemCallOfDel(String what) throws IOException {
        List<Call> calls;
        try (TestPod pod = TestPod.make("victim")) {
            assertAdded(pod);
            calls = calls("DEL", pod.eth0());
        }
        List<TestPod> pods = TestPod.make("victim", calls.size());
        try {
            Set<String> failed = new TreeSet<>();
            for (int i = 0; i < calls.size(); i++) {
                assertAdded(pods.get(i));
                Shell.Ended ended =
                        node.plugin("DEL", pods.get(i).eth0(), calls.get(i).inject(what));
                assertTruthful("DEL", ended, calls.get(i), what);
                if (ended.exitCode() != 0) {
                    failed.add(pods.get(i).containerId());
                }
            }
            node.awaitDrained();
            assertThat(failed)
                    .as("only a DEL that said so, or died, has left something: %s", calls)
                    .containsAll(node.api().endpoints().stream()
                            .map(Endpoint::getContainerId)
                            .toList());
            pods.forEach(pod -> assertDeleted(pod.eth0(), what));
        } finally {
            TestPod.deleteAll(pods);
        }
        clean.assertWorks("after " + what + " at every system call of DEL");
    }

    /** All at once: each hangs for 5 s, none holds up another. */
    @ParameterizedTest
    @ValueSource(strings = {"ADD", "DEL"})
    void hangAtEverySystemCall(String verb) throws Exception {
        List<Call> calls;
        try (TestPod pod = TestPod.make("victim")) {
            assertAdded(pod);
            assertDeleted(pod.eth0(), "nothing");
            calls = calls(verb, pod.eth0());
            assertDeleted(pod.eth0(), "what was traced");
        }
        List<TestPod> pods = TestPod.make("victim", calls.size());
        try (ExecutorService runs = Executors.newVirtualThreadPerTaskExecutor()) {
            if (verb.equals("DEL")) {
                pods.forEach(this::assertAdded);
            }
            List<Future<Shell.Ended>> ends = new ArrayList<>();
            for (int i = 0; i < calls.size(); i++) {
                Call call = calls.get(i);
                TestPod pod = pods.get(i);
                ends.add(runs.submit(() -> node.plugin(verb, pod.eth0(), call.inject("delay_enter=5000000"))));
            }
            for (int i = 0; i < calls.size(); i++) {
                assertTruthful(verb, ends.get(i).get(), calls.get(i), "5 s");
            }
            pods.forEach(pod -> assertDeleted(pod.eth0(), "a hang"));
        } finally {
            TestPod.deleteAll(pods);
        }
        node.awaitDrained();
        clean.otherBlocks();
        clean.assertWorks("after hangs at every system call of " + verb);
    }

    /** Success of ADD is a result; failure is a CNI error, unless it was killed or could not write. */
    private static void assertTruthful(String verb, Shell.Ended ended, Call call, String what) throws IOException {
        String as = verb + " with " + what + " at " + call + ": exit code " + ended.exitCode() + ", " + ended.stdout()
                + ended.stderr();
        if (ended.exitCode() == 0 && verb.equals("ADD")) {
            JsonNode result = JSON.readTree(ended.stdout());
            assertThat(result.path("ips").path(0).path("address").asText())
                    .as(as)
                    .isNotEmpty();
        } else if (ended.exitCode() == 0) {
            assertThat(ended.stdout()).as(as).isEmpty();
        } else if (!what.startsWith("signal") && !call.name.equals("write")) {
            assertThat(JSON.readTree(ended.stdout()).path("code").asInt())
                    .as(as)
                    .isPositive();
        }
    }

    private void assertAdded(TestPod pod) {
        assertThat(node.runtime().add(pod.eth0()).text())
                .as("ADD of %s", pod.name())
                .startsWith("exit code 0");
    }

    private void assertDeleted(CniAttachment attachment, String after) {
        assertThat(node.runtime().del(attachment).text())
                .as("DEL after %s", after)
                .startsWith("exit code 0");
    }
}
