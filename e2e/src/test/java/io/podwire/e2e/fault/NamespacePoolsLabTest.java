package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.ipam.v1.PoolState;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Pools for namespaces, by manifests: each namespace's pods get addresses of theirs, and one that drains tells how far. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class NamespacePoolsLabTest {
    private static final String NAME = "selecting";
    private static final String RED = "ns-red";
    private static final String BLUE = "ns-blue";
    /** A node reads its blocks every 30 s. */
    private static final Duration READ = Duration.ofSeconds(45);

    private final Mesh mesh;
    private final MeshNode node;

    NamespacePoolsLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node(NAME, "--low-water", "1");
    }

    @AfterEach
    void close() {
        node.close();
    }

    private void pool(String name, String cidr, String team, String state) throws IOException {
        mesh.applyPools(name, """
                apiVersion: podwire.io/v1
                kind: IPPool
                metadata: {name: %s}
                spec: {cidr: %s, blockLength: 29, state: %s, namespaceSelector: {matchLabels: {team: %s}}}
                """.formatted(name, cidr, state, team));
    }

    @Test
    void podsGetAddressesOfTheirNamespacesPoolsAndDrainingTellsHowManyAreLeft() throws IOException {
        pool(RED, "10.246.0.0/28", "red", "Active");
        pool(BLUE, "10.246.0.16/28", "blue", "Active");
        mesh.applyPools("namespaces", """
                kind: NamespaceList
                items:
                - {kind: Namespace, metadata: {name: shop, labels: {team: red}}}
                - {kind: Namespace, metadata: {name: db, labels: {team: blue}}}
                """);
        await("ipam-service has read the manifests").atMost(READ).untilAsserted(() -> {
            assertThat(mesh.namespacesOf(RED)).containsExactly("shop");
            assertThat(mesh.namespacesOf(BLUE)).containsExactly("db");
        });
        node.start();
        List<TestPod> pods = TestPod.make(NAME, 5);
        try {
            CniAttachment first = of("shop", pods.get(0));
            CniAttachment second = of("shop", pods.get(1));
            assertThat(added(first))
                    .startsWith("10.246.0.")
                    .satisfies(address -> assertThat(last(address)).isLessThan(16));
            assertThat(last(added(second))).isLessThan(16);
            assertThat(added(of("db", pods.get(2))))
                    .startsWith("10.246.0.")
                    .satisfies(address -> assertThat(last(address)).isBetween(16, 31));
            assertThat(added(of("other", pods.get(3)))).startsWith("10.244.");
            assertThat(node.api().audit()).as("audit").isEmpty();

            pool(RED, "10.246.0.0/28", "red", "Draining");
            await("it drains, and both pods are told of").atMost(READ).untilAsserted(() -> {
                assertThat(mesh.pool(RED).getState()).isEqualTo(PoolState.POOL_STATE_DRAINING);
                assertThat(mesh.pool(RED).getDrainingFromBlocks()).isEqualTo(1);
                assertThat(mesh.pool(RED).getAddressesLeft()).isEqualTo(2);
            });
            await("the node leaves the pool")
                    .atMost(READ)
                    .untilAsserted(
                            () -> assertThat(node.api().status().orElseThrow().getDrainingBlocksList())
                                    .hasSize(1));
            CniRuntime.Outcome refused = node.runtime().add(of("shop", pods.get(4)));
            assertThat(refused.exitCode()).as("%s", refused.text()).isNotZero();
            assertThat(refused.text()).contains("no free IPv4 address for namespace shop", "pool " + RED, "DRAINING");

            assertThat(node.runtime().del(first).ok()).isTrue();
            await().atMost(READ)
                    .untilAsserted(
                            () -> assertThat(mesh.pool(RED).getAddressesLeft()).isEqualTo(1));
            assertThat(node.runtime().del(second).ok()).isTrue();
            await("its block comes back").atMost(READ).untilAsserted(() -> {
                assertThat(mesh.pool(RED).getAddressesLeft()).isZero();
                assertThat(mesh.pool(RED).getOwnedBlocks()).isZero();
            });
            pool(RED, "10.246.0.0/28", "red", "Retired");
            await().atMost(READ)
                    .untilAsserted(() -> assertThat(mesh.pool(RED).getState()).isEqualTo(PoolState.POOL_STATE_RETIRED));
            assertThat(node.runtime().del(of("db", pods.get(2))).ok()).isTrue();
            assertThat(node.runtime().del(of("other", pods.get(3))).ok()).isTrue();
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    private static CniAttachment of(String namespace, TestPod pod) {
        return CniAttachment.pod(
                namespace,
                pod.name(),
                "uid-" + pod.name(),
                pod.containerId(),
                pod.netns().toString());
    }

    private String added(CniAttachment pod) {
        CniRuntime.Outcome added = node.runtime().add(pod);
        assertThat(added.exitCode()).as("ADD: %s", added.text()).isZero();
        return added.json().path("ips").path(0).path("address").asText();
    }

    /** 10.0.0.7/32 gives 7. */
    private static int last(String address) {
        return Integer.parseInt(address.substring(address.lastIndexOf('.') + 1, address.indexOf('/')));
    }
}
