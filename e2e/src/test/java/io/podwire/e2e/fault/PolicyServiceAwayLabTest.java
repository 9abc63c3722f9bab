package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.policy.v1.ExpectedPod;
import io.podwire.proto.policy.v1.Program;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** While no policy-service covers it a pod does not start, and what its ADD did is undone. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class PolicyServiceAwayLabTest {
    private static final Duration SOON = Duration.ofSeconds(15);

    /** node-shim gives up before cni-shim does, so that its reason arrives. */
    private static final Duration ADD_LIMIT = Duration.ofMillis(9500);

    /** More than node-shim works on at a time. */
    private static final int WAITING = 40;

    private final Mesh mesh;
    private final MeshNode node;

    PolicyServiceAwayLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node("uncovered");
    }

    @AfterEach
    void close() {
        node.close();
        mesh.startAgain(mesh.policy());
    }

    @Test
    void addEndsInTimeLeavesNothingAndWorksOnceItIsBack() {
        node.start();
        KernelDump clean = node.dump();
        int free = node.api().freeAddresses();
        try (TestPod pod = TestPod.make("uncovered-pod")) {
            // No object names its namespace, so no program expects the pod.
            CniAttachment eth0 = eth0("seen-by-nobody", pod);
            mesh.policy().kill();
            await("STATUS says why").atMost(SOON).untilAsserted(() -> {
                CniRuntime.Outcome status = node.newestRuntime().status();
                assertThat(status.text()).as("STATUS").contains("\"code\":50", "policy-service");
            });
            CniRuntime.Outcome added = node.runtime().add(eth0);
            assertThat(added.ok())
                    .as("ADD without policy-service: %s", added.text())
                    .isFalse();
            assertThat(added.json().path("code").asInt())
                    .as("code, %s", added.text())
                    .isEqualTo(11);
            assertThat(added.text()).as("its words").contains("policy-service");
            assertThat(added.took()).as("its time").isLessThan(ADD_LIMIT);
            node.assertUnchanged(clean, "after the ADD that was given up");
            assertThat(node.api().endpoints()).as("attachments").isEmpty();
            assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(free);
            assertThat(node.runtime().del(eth0).ok()).as("the runtime's DEL").isTrue();

            mesh.startAgain(mesh.policy());
            await("STATUS is good again")
                    .atMost(SOON)
                    .until(() -> node.newestRuntime().status().ok());
            CniRuntime.Outcome again = node.runtime().add(eth0);
            assertThat(again.ok()).as("ADD once it is back: %s", again.text()).isTrue();
            assertThat(node.runtime().del(eth0).ok()).as("DEL").isTrue();
        }
        node.assertUnchanged(clean, "at the end");
    }

    /** More pods than node-shim has threads for ADDs wait for policy-service; one that its program expects does not. */
    @Test
    void podsThatWaitForItKeepNoneWaitingThatIsCovered() throws Exception {
        node.start();
        KernelDump clean = node.dump();
        mesh.apply("known", """
                apiVersion: v1
                kind: Pod
                metadata: {name: known-pod, namespace: known}
                spec: {nodeName: %s}
                """.formatted(node.name()));
        List<TestPod> pods = new ArrayList<>();
        try (TestPod known = TestPod.make("known-pod");
                ExecutorService threads = Executors.newFixedThreadPool(WAITING)) {
            CniAttachment knownEth0 = eth0("known", known);
            await("the node's program expects the pod").atMost(SOON).until(() -> enforcesWhatExpects(known.name()));
            mesh.policy().kill();
            List<Future<CniRuntime.Outcome>> adds = new ArrayList<>();
            for (int i = 0; i < WAITING; i++) {
                TestPod pod = TestPod.make("waiting-" + i);
                pods.add(pod);
                adds.add(threads.submit(() -> node.runtime().add(eth0("seen-by-nobody", pod))));
            }
            // Every one of them is at its last step but the wait.
            await("all wait")
                    .atMost(SOON)
                    .until(() -> node.dump().with("link pw").size() > WAITING);
            CniRuntime.Outcome added = node.runtime().add(knownEth0);
            assertThat(added.ok()).as("ADD of a covered pod: %s", added.text()).isTrue();
            assertThat(adds).as("those that wait").noneMatch(Future::isDone);
            for (Future<CniRuntime.Outcome> add : adds) {
                assertThat(add.get().json().path("code").asInt())
                        .as(add.get().text())
                        .isEqualTo(11);
            }
            assertThat(node.runtime().del(knownEth0).ok())
                    .as("DEL of the covered pod")
                    .isTrue();
        } finally {
            pods.forEach(TestPod::close);
            mesh.remove("known");
        }
        node.assertUnchanged(clean, "at the end");
    }

    private boolean enforcesWhatExpects(String pod) {
        Program program = mesh.programOf(node.name());
        return program.getExpectedPodsList().stream()
                        .map(ExpectedPod::getPod)
                        .anyMatch(expected -> expected.getName().equals(pod))
                && node.api().status().orElseThrow().getPolicyRevision() >= program.getRevision();
    }

    private static CniAttachment eth0(String namespace, TestPod pod) {
        return CniAttachment.pod(
                namespace,
                pod.name(),
                "uid",
                pod.eth0().containerId(),
                pod.netns().toString());
    }
}
