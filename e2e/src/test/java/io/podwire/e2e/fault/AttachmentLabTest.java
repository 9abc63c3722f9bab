package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.node.v1.Endpoint;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the verbs promise on a running node, whatever the runtime or an administrator does around them. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class AttachmentLabTest {
    private static final int MANY = 100;

    private final MeshNode node;
    private KernelDump clean;
    private int cleanFree;

    AttachmentLabTest(Mesh mesh) throws IOException {
        node = mesh.node("verbs");
    }

    @BeforeAll
    void start() {
        node.start();
        clean = node.dump();
        cleanFree = node.api().freeAddresses();
    }

    @AfterEach
    void nothingIsLeft() {
        List<Endpoint> left = node.api().endpoints();
        // So that one test's failure is not the next one's.
        left.forEach(e -> node.runtime().del(TestPod.named(e.getPod().getName()).link(e.getIfname())));
        assertThat(left).as("attachments left in the journal").isEmpty();
        node.assertUnchanged(clean, "after the test");
        assertThat(node.api().audit()).as("audit").isEmpty();
    }

    @AfterAll
    void stop() {
        node.close();
    }

    @Test
    void sameAddTwiceAtOnceGivesOneAddressAndOneInterface() throws Exception {
        try (TestPod pod = TestPod.make("twice")) {
            List<CniRuntime.Outcome> added =
                    atOnce(List.of(pod, pod), p -> node.runtime().add(p.eth0()));
            assertThat(added).as("both ADDs succeed").allMatch(CniRuntime.Outcome::ok);
            assertThat(added.get(0).json()).as("results").isEqualTo(added.get(1).json());
            assertThat(node.api().freeAddresses()).as("addresses taken").isEqualTo(cleanFree - 1);
            assertThat(node.dump().with(" master pw0 "))
                    .as("ports of the bridge")
                    .hasSize(1);
            assertDeleted(pod);
        }
        assertThat(node.api().freeAddresses()).as("addresses").isEqualTo(cleanFree);
    }

    @Test
    void secondAddIntoAnotherNamespaceIsRefused() {
        try (TestPod pod = TestPod.make("first");
                TestPod other = TestPod.make("other")) {
            assertAdded(pod);
            KernelDump before = node.dump();
            CniAttachment moved = CniAttachment.pod(
                    "default",
                    "first",
                    "uid-first",
                    pod.containerId(),
                    other.netns().toString());
            CniRuntime.Outcome again = node.runtime().add(moved);
            assertThat(again.ok())
                    .as("ADD of the same container elsewhere: %s", again.text())
                    .isFalse();
            assertThat(again.json().path("code").asInt()).as("code").isEqualTo(4);
            node.assertUnchanged(before, "after the refusal");
            assertDeleted(pod);
        }
    }

    @Test
    void someoneElsesInterfaceOfThatNameIsLeftAlone() {
        try (TestPod pod = TestPod.make("taken")) {
            var _ = Shell.output("ip", "-n", "taken", "link", "add", "eth0", "type", "bridge");
            var _ = Shell.output("ip", "-n", "taken", "addr", "add", "198.51.100.7/24", "dev", "eth0");
            KernelDump theirs = KernelDump.of(pod.netns());
            CniRuntime.Outcome added = node.runtime().add(pod.eth0());
            assertThat(added.ok())
                    .as("ADD over a foreign eth0: %s", added.text())
                    .isFalse();
            assertThat(added.json().path("code").asInt()).as("code").isEqualTo(102);
            assertThat(KernelDump.of(pod.netns()))
                    .as("their namespace after the refusal")
                    .isEqualTo(theirs);
            assertThat(node.api().freeAddresses()).as("addresses").isEqualTo(cleanFree);
            node.assertUnchanged(clean, "after the refusal");
            assertDeleted(pod);
            assertThat(KernelDump.of(pod.netns()))
                    .as("their namespace after DEL")
                    .isEqualTo(theirs);
        }
    }

    @Test
    void delOfWhatIsGoneSucceedsAndLeavesOthersAlone() {
        try (TestPod other = TestPod.make("stays")) {
            assertAdded(other);
            KernelDump before = node.dump();
            int free = node.api().freeAddresses();
            try (TestPod pod = TestPod.make("goes")) {
                assertAdded(pod);
                for (String which : List.of("first", "second", "third")) {
                    assertDel(which, pod.eth0());
                }
            }
            assertDel("of what was never added", TestPod.named("never").eth0());
            try (TestPod pod = TestPod.make("without-path")) {
                assertAdded(pod);
                assertDel("with an empty CNI_NETNS", pod.eth0().withoutNetns());
                assertThat(Shell.output("ip", "-n", pod.name(), "-o", "link", "show"))
                        .as("links of the container")
                        .doesNotContain("eth0");
            }
            TestPod gone = TestPod.make("netns-first");
            assertAdded(gone);
            gone.close();
            assertDel("after its namespace", gone.eth0());
            node.assertUnchanged(before, "of the pod that stays");
            assertThat(node.api().freeAddresses())
                    .as("each address came back once")
                    .isEqualTo(free);
            assertThat(node.runtime().check(other.eth0()).text())
                    .as("CHECK of the pod that stays")
                    .startsWith("exit code 0");
            assertDeleted(other);
        }
    }

    @Test
    void delOfAnotherContainersIdTouchesNobody() {
        try (TestPod pod = TestPod.make("owner")) {
            assertAdded(pod);
            KernelDump before = node.dump();
            assertDel(
                    "of another id with this namespace",
                    CniAttachment.pod(
                            "default",
                            "owner",
                            "uid-owner",
                            "somebody-else",
                            pod.netns().toString()));
            node.assertUnchanged(before, "after a DEL of another container");
            assertDeleted(pod);
        }
    }

    @Test
    void lateDelOfAPodsOldSandboxLeavesTheNewOneAlone() {
        try (TestPod before = TestPod.make("sandbox-1");
                TestPod after = TestPod.make("sandbox-2")) {
            CniAttachment oldSandbox = CniAttachment.pod(
                    "default",
                    "same",
                    "uid-same",
                    before.containerId(),
                    before.netns().toString());
            CniAttachment newSandbox = CniAttachment.pod(
                    "default",
                    "same",
                    "uid-same",
                    after.containerId(),
                    after.netns().toString());
            assertThat(node.runtime().add(oldSandbox).ok())
                    .as("ADD of the old sandbox")
                    .isTrue();
            CniRuntime.Outcome added = node.runtime().add(newSandbox);
            assertThat(added.ok())
                    .as("ADD of the new sandbox: %s", added.text())
                    .isTrue();
            assertDel("of the old sandbox", oldSandbox);
            assertThat(node.api().endpoints())
                    .as("what is left")
                    .extracting(e -> e.getAddress() + "/32")
                    .containsExactly(address(added.json()));
            assertThat(node.runtime().check(newSandbox).text())
                    .as("CHECK of the new sandbox")
                    .startsWith("exit code 0");
            assertDel("of the new sandbox", newSandbox);
        }
    }

    @Test
    void furtherInterfacesLeaveTheFirstOneItsRoute() throws Exception {
        try (TestPod pod = TestPod.make("many-links")) {
            assertAdded(pod);
            KernelDump one = KernelDump.of(pod.netns());
            List<CniAttachment> further =
                    Stream.of("net1", "net2").map(pod::link).toList();
            List<CniRuntime.Outcome> added =
                    atOnce(further, attachment -> node.runtime().add(attachment));
            assertThat(added).as("ADDs of further interfaces at once").allMatch(CniRuntime.Outcome::ok);
            assertThat(one.minus(KernelDump.of(pod.netns())))
                    .as("what eth0 has lost")
                    .isEmpty();
            assertThat(node.api().audit()).as("audit").isEmpty();
            further.forEach(attachment -> assertDel("of " + attachment.ifname(), attachment));
            assertThat(KernelDump.of(pod.netns()))
                    .as("the container's namespace after their DELs")
                    .isEqualTo(one);
            assertDeleted(pod);
        }
    }

    /** What an administrator can break for good, and the word by which CHECK names it; {@link DriftLabTest} has the rest. */
    enum Damage {
        HOST_LINK_GONE("link", "ip -n NODE link del HOST"),
        POD_ADDRESS_GONE("address", "ip -n POD addr del ADDRESS/32 dev eth0"),
        POD_LINK_DOWN("link", "ip -n POD link set eth0 down"),
        POD_ROUTE_GONE("route", "ip -n POD route del default"),
        POD_NEIGHBOUR_GONE("neighbour", "ip -n POD neigh del 169.254.1.1 dev eth0");

        private final String object;
        private final String command;

        Damage(String object, String command) {
            this.object = object;
            this.command = command;
        }
    }

    @ParameterizedTest
    @EnumSource(Damage.class)
    void checkNamesWhatIsBrokenAndDelStillCleansUp(Damage damage) {
        try (TestPod pod = TestPod.make("damaged")) {
            assertAdded(pod);
            CniRuntime.Outcome whole = node.runtime().check(pod.eth0());
            assertThat(whole.exitCode())
                    .as("CHECK of a whole pod: %s", whole.text())
                    .isZero();
            assertThat(whole.stdout()).as("stdout of a good CHECK").isEmpty();
            Endpoint endpoint = node.api().endpoints().getFirst();
            var _ = Shell.output(damage.command
                    .replace("NODE", node.name())
                    .replace("POD", pod.name())
                    .replace("HOST", endpoint.getHostIfname())
                    .replace("ADDRESS", endpoint.getAddress())
                    .replace("MAC", endpoint.getMac())
                    .split(" "));
            CniRuntime.Outcome broken = node.runtime().check(pod.eth0());
            assertThat(broken.exitCode()).as("CHECK after %s", damage.command).isNotZero();
            assertThat(broken.json().path("code").asInt())
                    .as("code, %s", broken.text())
                    .isEqualTo(103);
            assertThat(broken.json().path("details").asText())
                    .as("what CHECK names")
                    .contains(damage.object + " ");
            assertDeleted(pod);
        }
    }

    @Test
    void gcRemovesWhatTheRuntimeDoesNotName() {
        List<TestPod> pods = TestPod.make("gc", 3);
        try {
            pods.forEach(this::assertAdded);
            assertCode(7, gc(""), "GC without the list");
            assertThat(node.api().endpoints()).as("after a GC without the list").hasSize(3);
            assertThat(gc(valid(pods.get(1))).exitCode())
                    .as("GC with a list of one")
                    .isZero();
            assertThat(node.api().endpoints())
                    .as("what the list names stays")
                    .extracting(Endpoint::getContainerId)
                    .containsExactly(pods.get(1).containerId());
            assertThat(node.api().audit()).as("audit after GC").isEmpty();
            assertThat(gc("\"cni.dev/valid-attachments\":null").exitCode())
                    .as("GC with null")
                    .isZero();
            assertThat(node.api().endpoints()).as("null: nothing is valid").isEmpty();
            assertAdded(pods.getFirst());
            assertThat(gc("\"cni.dev/valid-attachments\":[]").exitCode())
                    .as("GC with []")
                    .isZero();
            assertThat(node.api().endpoints()).as("[]: nothing is valid").isEmpty();
            pods.forEach(this::assertDeleted);
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    private static String valid(TestPod pod) {
        return "\"cni.dev/valid-attachments\":[{\"containerID\":\"" + pod.containerId() + "\",\"ifname\":\"eth0\"}]";
    }

    private Shell.Ended gc(String member) {
        return node.plugin(
                Map.of(
                        "CNI_COMMAND",
                        "GC",
                        "CNI_PATH",
                        "/opt/cni/bin",
                        "CNI_CONTAINERID",
                        "",
                        "CNI_NETNS",
                        "",
                        "CNI_IFNAME",
                        "",
                        "CNI_ARGS",
                        ""),
                member.isEmpty() ? node.configBytes("1.1.0") : node.configBytes("1.1.0", member));
    }

    private static void assertCode(int code, Shell.Ended ended, String what) {
        assertThat(ended.exitCode()).as("exit code of %s", what).isEqualTo(1);
        assertThat(ended.stdout()).as("error of %s", what).contains("\"code\":" + code + ",");
    }

    @Test
    void nodesOwnNamespaceIsRefused() {
        CniAttachment host = CniAttachment.pod(
                "default", "host", "uid-host", "host", node.netns().toString());
        CniRuntime.Outcome added = node.runtime().add(host);
        assertThat(added.ok())
                .as("ADD into the node's own namespace: %s", added.text())
                .isFalse();
        assertThat(added.json().path("code").asInt()).as("code").isEqualTo(8);
        assertThat(node.runtime().del(host).ok()).as("the runtime's DEL").isTrue();
    }

    @Test
    void statusOfAHealthyNodeIsGoodInBothVerbs() {
        assertThat(node.newestRuntime().status().text()).as("STATUS").startsWith("exit code 0");
        assertThat(node.newestRuntime().version().text()).as("VERSION").contains("1.1.0");
    }

    @Test
    void aHundredAddsAtOnceThenAHundredDels() throws Exception {
        List<TestPod> pods = TestPod.make("many", MANY);
        try {
            List<CniRuntime.Outcome> added = atOnce(pods, pod -> node.runtime().add(pod.eth0()));
            assertThat(added).as("ADDs").allMatch(CniRuntime.Outcome::ok);
            List<String> addresses = added.stream()
                    .map(CniRuntime.Outcome::json)
                    .map(AttachmentLabTest::address)
                    .toList();
            assertThat(new HashSet<>(addresses)).as("different addresses").hasSize(MANY);
            assertThat(node.api().audit()).as("audit with a hundred pods").isEmpty();
            List<CniRuntime.Outcome> deleted =
                    atOnce(pods, pod -> node.runtime().del(pod.eth0()));
            assertThat(deleted).as("DELs").allMatch(CniRuntime.Outcome::ok);
        } finally {
            TestPod.deleteAll(pods);
        }
        // The node owns more blocks than before, and announces them: nothing of that is in its own kernel.
        cleanFree = node.api().freeAddresses();
    }

    private static String address(JsonNode result) {
        return result.path("ips").path(0).path("address").asText();
    }

    private static <T, R> List<R> atOnce(List<T> subjects, Function<T, R> call)
            throws InterruptedException, ExecutionException {
        List<R> results = new ArrayList<>();
        try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<R>> futures = subjects.stream()
                    .map(subject -> executor.submit(() -> call.apply(subject)))
                    .toList();
            for (Future<R> future : futures) {
                results.add(future.get());
            }
        }
        return results;
    }

    private void assertAdded(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
    }

    private void assertDeleted(TestPod pod) {
        assertDel("of " + pod.name(), pod.eth0());
    }

    private void assertDel(String which, CniAttachment attachment) {
        CniRuntime.Outcome deleted = node.runtime().del(attachment);
        assertThat(deleted.exitCode()).as("DEL %s: %s", which, deleted.text()).isZero();
    }
}
