package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.node.v1.NodeStatus;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** While ipam-service is away pods get what is left, and the status counts it; all is in sync soon after its return. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class IpamServiceAwayLabTest {
    private static final String NAME = "ipam-away";
    /** Addresses of a block less the tunnel's. */
    private static final int LEFT = 7;

    private static final Duration SOON = Duration.ofSeconds(15);
    private static final Duration IN_SYNC = Duration.ofSeconds(5);

    private final Mesh mesh;
    private final MeshNode node;

    IpamServiceAwayLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node(NAME, "--pool", "away", "--low-water", "2");
    }

    @AfterEach
    void close() {
        node.close();
        mesh.startAgain(mesh.ipam());
    }

    @Test
    void whatIsLeftIsCountedGivenAndFilledUpAgain() {
        mesh.createPool("away", "10.245.1.0/28", 29, NAME);
        node.start();
        List<TestPod> pods = TestPod.make(NAME, LEFT + 1);
        try {
            mesh.ipam().kill();
            pods.subList(0, 3).forEach(this::assertAdded);
            await("the status says what is left")
                    .atMost(SOON)
                    .untilAsserted(() -> assertThat(status().getWarningsList())
                            .singleElement()
                            .asString()
                            .contains("ipam-service", LEFT - 3 + " IPv4", "code 11"));
            assertThat(node.newestRuntime().status().ok())
                    .as("STATUS: ADDs are served")
                    .isTrue();
            assertThat(status().getAddressesList()).singleElement().satisfies(of -> {
                assertThat(of.getFree()).isEqualTo(LEFT - 3);
                assertThat(of.getUsed()).as("pods and tunnel").isEqualTo(4);
            });
            pods.subList(3, LEFT).forEach(this::assertAdded);

            TestPod last = pods.getLast();
            CniRuntime.Outcome refused = node.runtime().add(last.eth0());
            assertThat(refused.json().path("code").asInt())
                    .as("ADD without an address: %s", refused.text())
                    .isEqualTo(11);
            assertThat(refused.text()).contains("no free address", "10.245.1.", "ipam-service");
            assertThat(node.newestRuntime().status().text()).contains("\"code\":50", "no free IPv4 address");

            mesh.startAgain(mesh.ipam());
            await("in sync").atMost(IN_SYNC).untilAsserted(() -> {
                NodeStatus now = status();
                assertThat(now.getReasonsList()).isEmpty();
                assertThat(now.getWarningsList()).isEmpty();
                assertThat(mesh.blocksOf(NAME)).hasSize(2).containsExactlyElementsOf(now.getBlocksList());
            });
            assertAdded(last);
            assertThat(node.api().audit()).as("audit").isEmpty();
            pods.forEach(pod -> assertThat(node.runtime().del(pod.eth0()).ok())
                    .as("DEL of %s", pod.name())
                    .isTrue());
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    private NodeStatus status() {
        return node.api().status().orElseThrow();
    }

    private void assertAdded(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
    }
}
