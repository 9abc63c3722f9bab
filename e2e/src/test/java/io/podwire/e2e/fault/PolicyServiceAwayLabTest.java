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
import java.io.IOException;
import java.time.Duration;
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
            CniAttachment eth0 = CniAttachment.pod(
                    "seen-by-nobody",
                    pod.name(),
                    "uid",
                    pod.eth0().containerId(),
                    pod.netns().toString());
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
}
