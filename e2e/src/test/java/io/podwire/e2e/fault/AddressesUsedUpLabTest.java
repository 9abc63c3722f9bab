package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** No ipam-service and no address left: pods that are there stay, STATUS says why, and it mends itself. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class AddressesUsedUpLabTest {
    /** Addresses of a block less the tunnel's. */
    private static final int FIRST_BLOCK = 7;

    private static final int SECOND_BLOCK = 8;
    private static final Duration SOON = Duration.ofSeconds(15);

    private final Mesh mesh;
    private final MeshNode node;

    AddressesUsedUpLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node("tiny", "--pool", Mesh.TINY_POOL, "--low-water", "1");
    }

    @AfterEach
    void close() {
        node.close();
        mesh.startAgain(mesh.ipam());
    }

    @Test
    void usedUpSaysWhyAndRecoversAlone() {
        node.start();
        List<TestPod> pods = TestPod.make("used", FIRST_BLOCK + SECOND_BLOCK + 1);
        try {
            mesh.ipam().kill();
            pods.subList(0, FIRST_BLOCK).forEach(this::assertAdded);
            TestPod next = pods.get(FIRST_BLOCK);
            assertRefused(next);
            awaitStatus("no free IPv4 address", "10.245.0.", "ipam-service");

            mesh.startAgain(mesh.ipam());
            await("a further block is claimed")
                    .atMost(SOON)
                    .until(() -> node.newestRuntime().status().ok());
            pods.subList(FIRST_BLOCK, FIRST_BLOCK + SECOND_BLOCK).forEach(this::assertAdded);

            TestPod last = pods.getLast();
            assertRefused(last);
            awaitStatus("no free IPv4 address", "pool", Mesh.TINY_POOL);
            assertThat(node.runtime().del(last.eth0()).ok())
                    .as("the runtime's DEL of a refused ADD")
                    .isTrue();
            assertThat(node.runtime().del(next.eth0()).ok())
                    .as("DEL with a full pool")
                    .isTrue();
            assertThat(node.newestRuntime().status().text())
                    .as("STATUS once an address came back")
                    .startsWith("exit code 0");
            assertAdded(last);
            assertThat(node.api().audit()).as("audit").isEmpty();
            pods.forEach(pod -> assertThat(node.runtime().del(pod.eth0()).ok())
                    .as("DEL of %s", pod.name())
                    .isTrue());
            assertThat(node.api().audit()).as("audit").isEmpty();
            assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(FIRST_BLOCK + SECOND_BLOCK);
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    private void awaitStatus(String... words) {
        await("STATUS says why").atMost(SOON).untilAsserted(() -> {
            CniRuntime.Outcome status = node.newestRuntime().status();
            assertThat(status.ok()).as("STATUS: %s", status.text()).isFalse();
            assertThat(status.json().path("code").asInt()).as("code").isEqualTo(50);
            assertThat(status.json().path("details").asText()).as("reasons").contains(words);
        });
    }

    private void assertRefused(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.ok()).as("ADD without an address: %s", added.text()).isFalse();
        assertThat(added.json().path("code").asInt())
                .as("code, %s", added.text())
                .isEqualTo(11);
    }

    private void assertAdded(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
    }
}
