package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** An address that nobody uses, and a pod whose link is gone, as an operator finds them, and what is done. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class AuditLabTest {
    private static final String NAME = "audited";
    /** After the pool "default" by name: the node claims nothing of it. */
    private static final String POOL = "z-audited";
    /** Two looks are 30 s apart, and a node is judged by what it said in the last 20 s. */
    private static final Duration SECOND_LOOK = Duration.ofSeconds(90);

    private final Mesh mesh;
    private final MeshNode node;

    AuditLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node(NAME);
    }

    @AfterEach
    void close() {
        node.close();
    }

    @Test
    void whatIsWrongIsFoundAndRepairedAtTheSecondLook() {
        mesh.createPool(POOL, "10.245.3.0/29", 29, NAME);
        node.start();
        TestPod pod = TestPod.make(NAME + "-pod");
        try {
            CniRuntime.Outcome added = node.runtime().add(pod.eth0());
            assertThat(added.exitCode()).as("ADD: %s", added.text()).isZero();
            String address =
                    added.json().path("ips").path(0).path("address").asText().replaceFirst("/.*", "");
            await("the node has said so")
                    .untilAsserted(() -> assertThat(mesh.addressesOf(NAME))
                            .anySatisfy(
                                    listed -> assertThat(listed.getAddress()).isEqualTo(address)));
            assertThat(audit().stdout()).as("all is well").doesNotContain(NAME);

            String unused = mesh.allocate(POOL, NAME, "shop", "ghost");
            Shell.Ended first = audit("--fix");
            assertThat(first.exitCode()).as("%s", first).isEqualTo(3);
            assertThat(first.stdout())
                    .containsPattern("allocated-not-used +" + unused + " +" + POOL + " +" + NAME + " +shop/ghost +now ")
                    .contains("once it is seen for 30 s: release " + unused);
            await("the second look")
                    .atMost(SECOND_LOOK)
                    .pollInterval(Duration.ofSeconds(2))
                    .untilAsserted(
                            () -> assertThat(audit("--dry-run").stdout()).contains("  by --fix: release " + unused));
            assertThat(audit("--fix").stdout())
                    .contains("done: release " + unused + " from pod shop/ghost (ghost/eth0) on node " + NAME);
            assertThat(audit().stdout()).as("all is well again").doesNotContain(NAME);

            String link = node.api().endpoints().getFirst().getHostIfname();
            var _ = Shell.output("ip", "-n", NAME, "link", "del", link);
            Shell.Ended kernel = audit("--node-socket", "unix:" + node.socket());
            assertThat(kernel.exitCode()).as("%s", kernel).isEqualTo(3);
            assertThat(kernel.stdout())
                    .as("the node's own audit")
                    .containsPattern("node-differs +link " + link + " +- +" + NAME + " ");
            await("two looks of the node, which it tells by itself")
                    .atMost(SECOND_LOOK)
                    .pollInterval(Duration.ofSeconds(2))
                    .untilAsserted(() -> assertThat(audit().stdout())
                            .containsPattern("node-differs +link +- +" + NAME + " .*finds [0-9]+ of this kind"));
            assertThat(node.runtime().del(pod.eth0()).ok()).as("DEL").isTrue();
        } finally {
            pod.close();
        }
    }

    private Shell.Ended audit(String... more) {
        String[] command = new String[more.length + 2];
        command[0] = "audit";
        command[1] = "--cluster";
        System.arraycopy(more, 0, command, 2, more.length);
        return mesh.podwire(command);
    }
}
