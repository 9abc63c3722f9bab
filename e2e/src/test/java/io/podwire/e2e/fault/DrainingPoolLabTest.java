package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.node.v1.NodeStatus;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A pool that drains: its pods stay, new ones get addresses of another pool, and its blocks come back. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class DrainingPoolLabTest {
    private static final String NAME = "drained";
    /** Before the pool "default" by name. */
    private static final String POOL = "a-drained";

    private static final String BLOCK = "10.245.2.0/29";
    /** A node reads its blocks every 30 s. */
    private static final Duration READ = Duration.ofSeconds(45);

    private final Mesh mesh;
    private final MeshNode node;

    DrainingPoolLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node(NAME, "--low-water", "1");
    }

    @AfterEach
    void close() {
        node.close();
    }

    @Test
    void itsBlocksComeBackOnceTheirPodsAreGone() {
        mesh.createPool(POOL, "10.245.2.0/29", 29, NAME);
        node.start();
        assertThat(mesh.blocksOf(NAME)).containsExactly(BLOCK);
        List<TestPod> pods = TestPod.make(NAME, 3);
        try {
            assertThat(added(pods.get(0))).startsWith("10.245.2.");
            assertThat(added(pods.get(1))).startsWith("10.245.2.");
            mesh.setPoolState(POOL, PoolState.POOL_STATE_DRAINING);
            await("the node leaves the pool").atMost(READ).untilAsserted(() -> {
                NodeStatus status = node.api().status().orElseThrow();
                assertThat(status.getDrainingBlocksList()).containsExactly(BLOCK);
                assertThat(status.getReady()).isTrue();
            });
            assertThat(added(pods.get(2))).as("of another pool").startsWith("10.244.");
            await("the tunnel moves, too")
                    .atMost(READ)
                    .untilAsserted(
                            () -> assertThat(Shell.attempt("ip", "-n", NAME, "-4", "-o", "addr", "show", "dev", "pwvx")
                                            .stdout())
                                    .contains("inet 10.244.")
                                    .doesNotContain("10.245."));
            assertThat(node.api().audit()).as("audit").isEmpty();
            assertThat(mesh.blocksOf(NAME))
                    .as("its pods are there")
                    .contains(BLOCK)
                    .hasSize(2);

            delete(pods.get(0));
            delete(pods.get(1));
            await("the block comes back")
                    .atMost(READ)
                    .untilAsserted(() -> assertThat(mesh.blocksOf(NAME))
                            .singleElement()
                            .asString()
                            .startsWith("10.244."));
            mesh.setPoolState(POOL, PoolState.POOL_STATE_RETIRED);
            await("the node knows it").atMost(READ).untilAsserted(() -> {
                NodeStatus status = node.api().status().orElseThrow();
                assertThat(status.getBlocksList()).isEqualTo(mesh.blocksOf(NAME));
                assertThat(status.getReturningBlocksList()).isEmpty();
                assertThat(status.getDrainingBlocksList()).isEmpty();
            });
            assertThat(node.api().audit()).as("audit").isEmpty();
            delete(pods.get(2));
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    private String added(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
        return added.json().path("ips").path(0).path("address").asText();
    }

    private void delete(TestPod pod) {
        assertThat(node.runtime().del(pod.eth0()).ok())
                .as("DEL of %s", pod.name())
                .isTrue();
    }
}
