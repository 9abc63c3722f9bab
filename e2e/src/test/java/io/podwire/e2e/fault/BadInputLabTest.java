package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Wrong and hostile input ends with the right code within a second; nothing is executed or changed. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class BadInputLabTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration LIMIT = Duration.ofSeconds(1);
    private static final Path FOLDER = Path.of("/run/bad-input");

    /** Made by any input that a shell ever saw. */
    private static final Path CANARY = Path.of("/run/executed");

    private final MeshNode node;
    private TestPod pod;
    private TestPod attached;
    private KernelDump nodeBefore;
    private KernelDump podBefore;
    private KernelDump attachedBefore;
    private int freeBefore;

    BadInputLabTest(Mesh mesh) throws IOException {
        node = mesh.node("input");
    }

    /**
     * One wrong call: a good ADD but for this.
     *
     * @param code the CNI error code it has to end with
     * @param env variables in place of the good ones
     * @param stdin makes the standard input of the good one
     */
    record Bad(String what, int code, Map<String, String> env, UnaryOperator<String> stdin) {
        static Bad env(int code, String variable, String value) {
            String shown = value.length() > 40 ? value.substring(0, 40) + "..." : value.replace("\n", "\\n");
            return new Bad(variable + "=" + shown, code, Map.of(variable, value), UnaryOperator.identity());
        }

        static Bad stdin(int code, String what, UnaryOperator<String> stdin) {
            return new Bad("stdin: " + what, code, Map.of(), stdin);
        }

        static Bad stdin(int code, String what, String stdin) {
            return stdin(code, what, _ -> stdin);
        }

        /** The network's name is another one, which may break its string. */
        static Bad name(String what, String name) {
            return stdin(7, what, good -> good.replace("\"name\":\"podwire\"", "\"name\":\"" + name + "\""));
        }

        @Override
        public String toString() {
            return what + " -> " + code;
        }
    }

    static Stream<Bad> environment() {
        return Stream.of(
                Bad.env(4, "CNI_COMMAND", "add"),
                Bad.env(4, "CNI_COMMAND", "ADD;touch " + CANARY),
                Bad.env(4, "CNI_CONTAINERID", ""),
                Bad.env(4, "CNI_CONTAINERID", "../../x"),
                Bad.env(4, "CNI_CONTAINERID", "a;b"),
                Bad.env(4, "CNI_CONTAINERID", "a$(touch " + CANARY + ")"),
                Bad.env(4, "CNI_CONTAINERID", "`touch " + CANARY + "`"),
                Bad.env(4, "CNI_CONTAINERID", "-rf"),
                Bad.env(4, "CNI_CONTAINERID", "a\nb"),
                Bad.env(4, "CNI_CONTAINERID", "\u00fc"),
                Bad.env(4, "CNI_CONTAINERID", "a".repeat(300)),
                Bad.env(4, "CNI_IFNAME", ""),
                Bad.env(4, "CNI_IFNAME", "sixteen-bytes-is"),
                Bad.env(4, "CNI_IFNAME", "/"),
                Bad.env(4, "CNI_IFNAME", "a/b"),
                Bad.env(4, "CNI_IFNAME", "."),
                Bad.env(4, "CNI_IFNAME", ".."),
                Bad.env(4, "CNI_IFNAME", "a:b"),
                Bad.env(4, "CNI_IFNAME", "eth\n0"),
                Bad.env(4, "CNI_IFNAME", "eth 0"),
                Bad.env(4, "CNI_IFNAME", "eth%d"),
                Bad.env(4, "CNI_NETNS", ""),
                Bad.env(4, "CNI_NETNS", "netns/relative"),
                Bad.env(4, "CNI_NETNS", "/etc/passwd"),
                Bad.env(4, "CNI_NETNS", "/etc"),
                Bad.env(4, "CNI_NETNS", "/dev/zero"),
                Bad.env(4, "CNI_NETNS", "/run/netns/none"),
                Bad.env(4, "CNI_NETNS", "/run/netns/$(touch " + CANARY + ")"),
                Bad.env(4, "CNI_NETNS", "/proc/self/ns/mnt"),
                Bad.env(4, "CNI_NETNS", FOLDER + "/fifo"),
                Bad.env(4, "CNI_NETNS", FOLDER + "/link-to-passwd"),
                Bad.env(4, "CNI_NETNS", FOLDER + "/link-to-itself"),
                Bad.env(4, "CNI_NETNS", "/" + "a/".repeat(3000)),
                Bad.env(8, "CNI_NETNS", "/run/netns/input"),
                Bad.env(102, "CNI_NETNS", "/run/netns/attached"),
                Bad.env(4, "CNI_ARGS", "no-pair"),
                Bad.env(4, "CNI_ARGS", "=value"),
                Bad.env(4, "CNI_ARGS", "UNKNOWN=1"));
    }

    static Stream<Bad> configuration() {
        return Stream.of(
                Bad.stdin(6, "empty", ""),
                Bad.stdin(6, "half", good -> good.substring(0, good.length() / 2)),
                Bad.stdin(6, "a list", "[]"),
                Bad.stdin(6, "null", "null"),
                Bad.stdin(6, "text behind it", good -> good + " {}"),
                Bad.stdin(6, "a key twice", good -> good.replace("\"name\"", "\"name\":\"podwire\",\"name\"")),
                Bad.stdin(6, "objects 100000 deep", _ -> "{\"a\":".repeat(100_000)),
                Bad.stdin(6, "lists 100000 deep", _ -> "{\"a\":" + "[".repeat(100_000)),
                Bad.stdin(6, "100 MiB", _ -> " ".repeat(100 << 20)),
                Bad.stdin(6, "bytes that are no UTF-8", good -> good.replace("podwire\"", "pod\u00ff\"")),
                Bad.stdin(6, "a version that is a number", good -> good.replace("\"1.0.0\"", "1")),
                Bad.stdin(1, "an unknown version", good -> good.replace("1.0.0", "9.9.9")),
                Bad.stdin(1, "a version that is none", good -> good.replace("1.0.0", "../1.0.0")),
                Bad.stdin(7, "no name", good -> good.replace("\"name\":\"podwire\",", "")),
                Bad.name("a name that is a path", "../../podwire"),
                Bad.name("a name for a shell", "$(touch " + CANARY + ")"),
                Bad.name("a name with U+0000", "pod\\u0000wire"),
                Bad.stdin(
                        7,
                        "a socket that is no absolute path",
                        good -> good.replace("\"socket\":\"/", "\"socket\":\"")),
                Bad.stdin(7, "a prevResult that is a string", good -> good.replace("}", ",\"prevResult\":\"none\"}")));
    }

    @BeforeAll
    void start() throws IOException {
        node.start();
        Files.createDirectories(FOLDER);
        var _ = Shell.output("mkfifo", FOLDER + "/fifo");
        Files.createSymbolicLink(FOLDER.resolve("link-to-passwd"), Path.of("/etc/passwd"));
        Files.createSymbolicLink(FOLDER.resolve("link-to-itself"), FOLDER.resolve("link-to-itself"));
        pod = TestPod.make("target");
        attached = TestPod.make("attached");
        assertThat(node.runtime().add(attached.eth0()).ok())
                .as("ADD of a pod that must not notice")
                .isTrue();
        nodeBefore = node.dump();
        podBefore = KernelDump.of(pod.netns());
        attachedBefore = KernelDump.of(attached.netns());
        freeBefore = node.api().freeAddresses();
    }

    @AfterAll
    void close() {
        pod.close();
        attached.close();
        node.close();
    }

    @ParameterizedTest
    @MethodSource({"environment", "configuration"})
    void endsWithTheRightCodeAndChangesNothing(Bad bad) throws IOException {
        Map<String, String> env = new HashMap<>(Map.of(
                "CNI_COMMAND", "ADD",
                "CNI_CONTAINERID", pod.containerId(),
                "CNI_NETNS", pod.netns().toString(),
                "CNI_IFNAME", "eth0",
                "CNI_ARGS", "K8S_POD_NAMESPACE=default;K8S_POD_NAME=target",
                "CNI_PATH", "/opt/cni/bin"));
        env.putAll(bad.env());
        // One byte a character: so a case can hold bytes that are no UTF-8.
        byte[] stdin = bad.stdin().apply(node.config("1.0.0")).getBytes(StandardCharsets.ISO_8859_1);
        Shell.Ended ended = node.plugin(env, stdin);
        assertThat(ended.exitCode())
                .as("exit code; it said %s %s", ended.stdout(), ended.stderr())
                .isEqualTo(1);
        JsonNode error = JSON.readTree(ended.stdout());
        assertThat(error.path("code").asInt()).as("code of %s", error).isEqualTo(bad.code());
        assertThat(error.path("msg").asText()).as("message").isNotEmpty();
        assertThat(error.path("cniVersion").asText())
                .as("version of the error object")
                .isNotEmpty();
        assertThat(ended.took()).as("time").isLessThanOrEqualTo(LIMIT);
        assertThat(CANARY).as("made by what was executed").doesNotExist();
        assertThat(node.shim().children()).as("processes of node-shim").isEmpty();
        node.assertUnchanged(nodeBefore, "by " + bad);
        assertThat(KernelDump.of(pod.netns())).as("the container's namespace").isEqualTo(podBefore);
        assertThat(KernelDump.of(attached.netns()))
                .as("another pod's namespace")
                .isEqualTo(attachedBefore);
        assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(freeBefore);
        assertThat(node.api().endpoints()).as("attachments").hasSize(1);
        assertThat(node.spooled()).as("files in the spool").isZero();
    }

    /** Values that a DEL does not need: a pod that ADD refused for them could otherwise never be removed. */
    @ParameterizedTest
    @CsvSource({"CNI_ARGS,no-pair", "CNI_ARGS,UNKNOWN=1", "CNI_NETNS,netns/relative", "CNI_NETNS,/etc/passwd"})
    void delSucceedsWithWhatAddRefuses(String variable, String value) {
        Map<String, String> env = new HashMap<>(Map.of(
                "CNI_COMMAND", "DEL",
                "CNI_CONTAINERID", pod.containerId(),
                "CNI_NETNS", pod.netns().toString(),
                "CNI_IFNAME", "eth0",
                "CNI_PATH", "/opt/cni/bin"));
        env.put(variable, value);
        Shell.Ended ended = node.plugin(env, node.configBytes("1.0.0"));
        assertThat(ended.exitCode())
                .as("DEL with %s=%s: %s", variable, value, ended.stdout())
                .isZero();
        node.assertUnchanged(nodeBefore, "by a DEL of what was never added");
    }
}
