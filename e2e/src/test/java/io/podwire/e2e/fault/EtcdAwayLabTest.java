package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.node.v1.NodeStatus;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * A real etcd and ipam-service are killed: ADDs go on from the node's blocks, the status counts what is left, and quotas
 * hold as they were told last. Once both serve again all is in sync within five seconds.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class EtcdAwayLabTest {
    private static final String NAME = "etcd-away";
    private static final String IPAM = "192.0.2.1:7571";
    private static final String ROUTE = "192.0.2.1:7573";
    private static final int ROUTE_HTTP_PORT = 7583;
    private static final URI READYZ = URI.create("http://127.0.0.1:7581/readyz");
    private static final String ETCD = "http://127.0.0.1:2579";
    private static final String PEER = "http://127.0.0.1:2580";

    /** Addresses of a block less the tunnel's. */
    private static final int LEFT = 7;

    private static final Duration READY = Duration.ofSeconds(60);
    private static final Duration SOON = Duration.ofSeconds(15);
    private static final Duration IN_SYNC = Duration.ofSeconds(5);

    private final Daemon etcd;
    private final Daemon ipam;
    private final Daemon route;
    private final MeshNode node;
    private final Path log;

    EtcdAwayLabTest(Mesh mesh, @TempDir Path folder) throws IOException {
        etcd = new Daemon(
                "etcd",
                folder.resolve("etcd.log"),
                List.of(),
                List.of(
                        "etcd",
                        "--name=one",
                        "--data-dir=" + folder.resolve("etcd"),
                        "--listen-client-urls=" + ETCD,
                        "--advertise-client-urls=" + ETCD,
                        "--listen-peer-urls=" + PEER,
                        "--initial-advertise-peer-urls=" + PEER,
                        "--initial-cluster=one=" + PEER));
        log = folder.resolve("ipam.log");
        ipam = new Daemon(
                "ipam-service",
                log,
                List.of(),
                List.of(
                        mesh.home().resolve("bin/ipam-service").toString(),
                        "--listen=" + IPAM,
                        "--http-listen=127.0.0.1:7581",
                        "--store=etcd",
                        "--etcd-endpoints=" + ETCD,
                        "--pool=away=10.246.0.0/27/29"));
        route = mesh.reflector(folder.resolve("route.log"), ROUTE, ROUTE_HTTP_PORT, IPAM);
        node = mesh.node(NAME, "--ipam-service", IPAM, "--route-reflector", ROUTE, "--low-water", "2");
    }

    @BeforeEach
    void installed() {
        Assumptions.assumeTrue(
                Shell.installed("etcd"), "SKIPPED: no etcd here; install Debian's etcd-server to run the etcd tests");
    }

    @AfterEach
    void close() {
        node.close();
        route.close();
        ipam.close();
        etcd.close();
    }

    private void serve(String... options) {
        if (!etcd.alive()) {
            etcd.start(List.of());
        }
        ipam.start(List.of(options));
        if (!route.alive()) {
            route.start(List.of());
        }
        await("ipam-service is ready over etcd, see " + log)
                .atMost(READY)
                .pollInterval(Duration.ofMillis(20))
                .failFast(() -> {
                    etcd.assertAlive();
                    ipam.assertAlive();
                })
                .until(EtcdAwayLabTest::ready);
    }

    private static boolean ready() {
        try {
            HttpURLConnection connection = (HttpURLConnection) READYZ.toURL().openConnection(Proxy.NO_PROXY);
            connection.setConnectTimeout(2000);
            connection.setReadTimeout(2000);
            return connection.getResponseCode() == HttpURLConnection.HTTP_OK;
        } catch (IOException _) {
            return false;
        }
    }

    @Test
    void addsGoOnFromOwnedBlocksAndAllIsInSyncFiveSecondsAfterTheReturn() {
        serve();
        node.start();
        List<TestPod> pods = TestPod.make(NAME, LEFT + 1);
        try {
            Map<String, String> given = new TreeMap<>();
            TestPod early = pods.getFirst();
            given.put(early.name(), assertAdded(early));
            // A block of an earlier test's etcd is refused by route-reflector until this one's says that it is the
            // node's.
            await("nothing is refused")
                    .atMost(SOON)
                    .untilAsserted(() -> assertThat(status().getWarningsList()).isEmpty());
            etcd.kill();
            ipam.kill();

            for (TestPod pod : pods.subList(1, 4)) {
                given.put(pod.name(), assertAdded(pod));
            }
            await("the status says what is left")
                    .atMost(SOON)
                    .untilAsserted(() -> assertThat(status().getWarningsList())
                            .singleElement()
                            .asString()
                            .contains("ipam-service", LEFT - 4 + " IPv4", "code 11"));
            assertThat(status().getFreeAddresses()).isEqualTo(LEFT - 4);
            assertThat(node.newestRuntime().status().ok())
                    .as("STATUS: ADDs are served")
                    .isTrue();
            await("the log says it")
                    .atMost(SOON)
                    .until(() -> node.shim().logged("pods get the addresses that are left, ") > 0);
            assertThat(node.runtime().del(early.eth0()).ok()).as("DEL").isTrue();
            given.remove(early.name());
            for (TestPod pod : pods.subList(4, LEFT)) {
                given.put(pod.name(), assertAdded(pod));
            }
            given.put(early.name(), assertAdded(early));
            TestPod last = pods.getLast();
            CniRuntime.Outcome refused = node.runtime().add(last.eth0());
            assertThat(refused.json().path("code").asInt())
                    .as("ADD without an address: %s", refused.text())
                    .isEqualTo(11);
            assertThat(node.newestRuntime().status().text()).contains("\"code\":50", "no free IPv4 address");

            serve();
            long back = System.nanoTime();
            await("bindings, blocks and status are in sync").atMost(IN_SYNC).untilAsserted(() -> {
                assertThat(listed()).as("addresses by pod").isEqualTo(given);
                NodeStatus now = status();
                assertThat(now.getReasonsList()).isEmpty();
                assertThat(now.getWarningsList()).isEmpty();
                assertThat(now.getUpstreamsList())
                        .allSatisfy(up ->
                                assertThat(up.getConnected()).as(up.getName()).isTrue());
                assertThat(blocks()).hasSize(2).containsExactlyElementsOf(now.getBlocksList());
            });
            System.out.println("etcd and ipam-service were away: all in sync "
                    + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - back) + " ms after both served");
            var _ = assertAdded(last);
            assertThat(node.api().audit()).as("audit").isEmpty();
            deleteAll(pods);
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    @Test
    void aNamespaceGetsItsQuotaAndTheLastWordHoldsWhileTheServiceIsAway() {
        serve("--namespace-quota=default=2");
        node.start();
        List<TestPod> pods = TestPod.make(NAME, 3);
        try {
            var _ = assertAdded(pods.get(0));
            var _ = assertAdded(pods.get(1));
            await("the node is told")
                    .atMost(SOON)
                    .untilAsserted(
                            () -> assertThat(status().getFullNamespacesList()).containsExactly("default"));
            TestPod third = pods.get(2);
            assertRefused(third);
            etcd.kill();
            ipam.kill();
            await("it is noticed")
                    .atMost(SOON)
                    .until(() -> !status().getWarningsList().isEmpty());
            assertRefused(third);

            serve("--namespace-quota=default=3");
            await("the new quota is known")
                    .atMost(SOON)
                    .untilAsserted(
                            () -> assertThat(status().getFullNamespacesList()).isEmpty());
            var _ = assertAdded(third);
            deleteAll(pods);
        } finally {
            TestPod.deleteAll(pods);
        }
    }

    private void assertRefused(TestPod pod) {
        CniRuntime.Outcome refused = node.runtime().add(pod.eth0());
        assertThat(refused.json().path("code").asInt())
                .as("ADD beyond the quota: %s", refused.text())
                .isEqualTo(11);
        assertThat(refused.text()).contains("namespace default is at its quota of addresses");
    }

    private void deleteAll(List<TestPod> pods) {
        pods.forEach(pod -> assertThat(node.runtime().del(pod.eth0()).ok())
                .as("DEL of %s", pod.name())
                .isTrue());
    }

    private NodeStatus status() {
        return node.api().status().orElseThrow();
    }

    private String assertAdded(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
        return added.json().path("ips").path(0).path("address").asText().replace("/32", "");
    }

    /** Addresses of pods as ipam-service has them. */
    private static Map<String, String> listed() {
        Map<String, String> listed = new TreeMap<>();
        for (Address address : call(channel -> AddressesGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(2, TimeUnit.SECONDS)
                        .listAddresses(
                                ListAddressesRequest.newBuilder().setNode(NAME).build()))
                .getAddressesList()) {
            if (!address.getPod().getName().isEmpty()) {
                listed.put(address.getPod().getName(), address.getAddress());
            }
        }
        return listed;
    }

    private static List<String> blocks() {
        return call(channel -> BlocksGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(2, TimeUnit.SECONDS)
                        .listBlocks(ListBlocksRequest.newBuilder().setNode(NAME).build()))
                .getBlocksList()
                .stream()
                .map(block -> block.getCidr())
                .toList();
    }

    private static <T> T call(Function<ManagedChannel, T> call) {
        ManagedChannel channel = Grpc.newChannelBuilder(IPAM, InsecureChannelCredentials.create())
                .build();
        try {
            return call.apply(channel);
        } finally {
            channel.shutdownNow();
        }
    }
}
