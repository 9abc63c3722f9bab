package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.ProcessDump;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A node without pods as it was at one moment: its kernel, the namespaces of the machine, node-shim's
 * files, descriptors and free addresses. Says later whether it is so again.
 */
final class CleanNode {
    private static final Duration SOON = Duration.ofSeconds(5);
    /** Of an ADD or DEL and of node-shim's own looks at drift, beyond those that the first ADD and DEL happened to have. */
    private static final int CALLS_AT_ONCE = 4;

    private final MeshNode node;
    private final KernelDump kernel;
    private final List<String> namespaces;
    private final List<String> files;
    private int free;
    private Map<String, Integer> descriptors;

    private CleanNode(MeshNode node) {
        this.node = node;
        this.kernel = node.dump();
        this.namespaces = namespaces();
        this.files = node.files();
        this.free = node.api().freeAddresses();
        this.descriptors = descriptors(node);
    }

    /** The node as it is now, after an ADD and a DEL: what node-shim opens once and keeps is open. */
    static CleanNode warm(MeshNode node) {
        return warm(node, TestPod::eth0);
    }

    /** The same for pods that ask for more. */
    static CleanNode warm(MeshNode node, Function<TestPod, CniAttachment> asking) {
        try (TestPod pod = TestPod.make("warm-up")) {
            CniAttachment first = asking.apply(pod);
            assertThat(node.runtime().add(first).text()).as("first ADD").startsWith("exit code 0");
            assertThat(node.runtime().del(first).text()).as("first DEL").startsWith("exit code 0");
        }
        node.awaitFastPath();
        return new CleanNode(node);
    }

    /** Another life of node-shim has begun, with descriptors of its own. */
    void otherLife() {
        node.awaitFastPath();
        descriptors = descriptors(node);
    }

    /** So many pods were there at once that the node owns more blocks than before. */
    void otherBlocks() {
        free = node.api().freeAddresses();
    }

    /** Fails unless nothing is left and nothing is missing. */
    void assertSame(String when) {
        node.assertUnchanged(kernel, when);
        assertThat(namespaces()).as("network namespaces %s", when).isEqualTo(namespaces);
        assertThat(node.files()).as("files %s", when).isEqualTo(files);
        assertThat(node.api().endpoints())
                .as("attachments in the journal %s", when)
                .isEmpty();
        assertThat(node.api().audit()).as("audit %s", when).isEmpty();
        assertThat(node.api().freeAddresses()).as("free addresses %s", when).isEqualTo(free);
    }

    /**
     * Fails unless node-shim has the descriptors again that it had, a moment after its last call. Its pool of netlink
     * sockets for the node's own namespace may have become smaller, since one whose call ended in an exception is closed,
     * and larger, since one is opened for each call that is under way at the same time.
     */
    void assertSameDescriptors(String when) {
        await("descriptors " + when).atMost(SOON).untilAsserted(() -> {
            Map<String, Integer> now = descriptors(node);
            assertThat(now).as("connections of cni-shim").doesNotContainKey(ProcessDump.ACCEPTED);
            Map<String, Integer> before = new TreeMap<>(descriptors);
            before.remove(ProcessDump.ACCEPTED);
            assertThat(now.remove(ProcessDump.NETLINK))
                    .isLessThanOrEqualTo(before.remove(ProcessDump.NETLINK) + CALLS_AT_ONCE);
            assertThat(now).isEqualTo(before);
        });
    }

    /** Fails unless an ADD and a DEL of a new pod work, and nothing is left by them. */
    void assertWorks(String when) {
        assertSame(when);
        try (TestPod pod = TestPod.make("next")) {
            CniRuntime.Outcome added = node.runtime().add(pod.eth0());
            assertThat(added.ok()).as("the next ADD %s: %s", when, added.text()).isTrue();
            assertThat(node.api().audit())
                    .as("audit after the next ADD %s", when)
                    .isEmpty();
            assertThat(node.api().endpoints())
                    .as("attachments after the next ADD %s", when)
                    .hasSize(1);
            CniRuntime.Outcome deleted = node.runtime().del(pod.eth0());
            assertThat(deleted.ok())
                    .as("the next DEL %s: %s", when, deleted.text())
                    .isTrue();
        }
        assertSame("after ADD and DEL " + when);
    }

    private static List<String> namespaces() {
        return Shell.output("ip", "netns", "list")
                .lines()
                .map(line -> line.split(" ", -1)[0])
                .filter(name -> !name.startsWith("victim"))
                .sorted()
                .toList();
    }

    /** Jars and other files that a JVM opens when it first needs a class are no leak. */
    private static Map<String, Integer> descriptors(MeshNode node) {
        ProcessDump process = node.process();
        return process.descriptors().entrySet().stream()
                .filter(entry ->
                        !entry.getKey().endsWith(".jar") && !entry.getKey().endsWith(".so"))
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, Integer::sum, TreeMap::new));
    }
}
