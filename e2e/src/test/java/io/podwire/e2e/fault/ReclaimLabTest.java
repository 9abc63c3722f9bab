package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpServer;
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
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.CreatePoolRequest;
import io.podwire.proto.ipam.v1.ForgetNodeRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolPurpose;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.node.v1.NodeStatus;
import io.podwire.proto.route.v1.ListRoutesRequest;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.io.IOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Nodes that leave the cluster's list: one is killed, the other does not run for a while and comes back in the life that
 * had its blocks. Both lose them, a third node gets them, and neither old life gives or announces an address of them.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class ReclaimLabTest {
    private static final String IPAM = "192.0.2.1:7671";
    private static final URI READYZ = URI.create("http://127.0.0.1:7681/readyz");
    private static final String ROUTE = "192.0.2.1:7673";
    private static final int ROUTE_HTTP_PORT = 7683;
    private static final String STOPPED = "gone-stopped";
    private static final String KILLED = "gone-killed";
    private static final String STAYS = "gone-stays";
    private static final String FIRST = "10.247.0.0/29";
    private static final String SECOND = "10.247.0.8/29";
    private static final String THIRD = "10.247.0.16/29";
    private static final String FOURTH = "10.247.0.24/29";
    private static final String SINGLE = "10.247.1.1";

    private static final Duration READY = Duration.ofSeconds(60);
    private static final Duration SOON = Duration.ofSeconds(20);
    /** The stream of a node that does not run ends after 15 s, then the shortest grace begins. */
    private static final Duration RECLAIMED = Duration.ofSeconds(150);

    private final HttpServer kubernetes;
    private volatile List<String> listed = List.of();
    private final Daemon ipam;
    private final Daemon route;
    private final Path log;
    private final MeshNode stopped;
    private final MeshNode killed;
    private final MeshNode stays;

    ReclaimLabTest(Mesh mesh, @TempDir Path folder) throws IOException {
        kubernetes = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        kubernetes.createContext("/api/v1/nodes", exchange -> {
            byte[] body = nodeList().getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().add("Content-Type", "application/json");
            exchange.sendResponseHeaders(HttpURLConnection.HTTP_OK, body.length);
            try (OutputStream answer = exchange.getResponseBody()) {
                answer.write(body);
            }
        });
        kubernetes.start();
        Path kubeconfig = Files.writeString(folder.resolve("kubeconfig"), """
                apiVersion: v1
                kind: Config
                clusters:
                - name: lab
                  cluster:
                    server: http://127.0.0.1:%d
                users:
                - name: lab
                  user: {}
                contexts:
                - name: lab
                  context: {cluster: lab, user: lab}
                current-context: lab
                """.formatted(
                        kubernetes.getAddress().getPort()));
        log = folder.resolve("ipam.log");
        ipam = new Daemon(
                "ipam-service",
                log,
                List.of("env", "KUBECONFIG=" + kubeconfig, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"),
                List.of(
                        mesh.home().resolve("bin/ipam-service").toString(),
                        "--listen=" + IPAM,
                        "--http-listen=127.0.0.1:7681",
                        "--mvstore-file=" + folder.resolve("ipam.mv"),
                        "--pool=gone=10.247.0.0/27/29",
                        "--kubernetes-nodes",
                        "--reclaim-look-interval=PT1S",
                        "--reclaim-grace=PT1M"));
        route = mesh.reflector(folder.resolve("route.log"), ROUTE, ROUTE_HTTP_PORT, IPAM);
        stopped = node(mesh, STOPPED);
        killed = node(mesh, KILLED);
        stays = node(mesh, STAYS);
    }

    private static MeshNode node(Mesh mesh, String name) throws IOException {
        return mesh.node(name, "--ipam-service", IPAM, "--route-reflector", ROUTE, "--low-water", "2");
    }

    private String nodeList() {
        return listed.stream()
                .map(name -> "{\"metadata\":{\"name\":\"" + name + "\"}}")
                .collect(Collectors.joining(
                        ",", "{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[", "]}"));
    }

    @AfterEach
    void close() {
        stopped.close();
        killed.close();
        stays.close();
        route.close();
        ipam.close();
        kubernetes.stop(0);
    }

    @Test
    void whatIsGoneLosesItsBlocksAndComesBackWithNothing() throws IOException {
        listed = List.of(STOPPED, KILLED, STAYS);
        ipam.start(List.of());
        route.start(List.of());
        await("ipam-service is ready, see " + log)
                .atMost(READY)
                .pollInterval(Duration.ofMillis(20))
                .failFast(ipam::assertAlive)
                .until(ReclaimLabTest::ready);
        stopped.start();
        killed.start();
        stays.start();
        assertThat(blocksOf(STOPPED)).containsExactly(FIRST);
        assertThat(blocksOf(KILLED)).containsExactly(SECOND);
        assertThat(blocksOf(STAYS)).containsExactly(THIRD);
        TestPod ofStopped = TestPod.make("gone-a");
        TestPod ofKilled = TestPod.make("gone-b");
        TestPod withSingle = TestPod.make("gone-single");
        List<TestPod> more = TestPod.make("gone-more", 7);
        try {
            String lost = assertAdded(stopped, ofStopped);
            var _ = assertAdded(killed, ofKilled);
            makePoolOfSingles();
            ObjectNode wants = JsonNodeFactory.instance.objectNode();
            wants.putArray("ips").add(SINGLE);
            CniRuntime.Outcome single = stopped.runtime().add(withSingle.eth0(wants));
            assertThat(single.exitCode()).as("ADD: %s", single.text()).isZero();
            await("others are led to both")
                    .atMost(SOON)
                    .untilAsserted(
                            () -> assertThat(announced(STOPPED)).containsExactlyInAnyOrder(FIRST, SINGLE + "/32"));

            stopped.shim().suspend();
            try {
                killed.shim().kill();
                listed = List.of(KILLED, STAYS);
                await("the stopped node is missed")
                        .atMost(RECLAIMED)
                        .until(() -> logged(STOPPED + " owns addresses and is missing") == 1);
                listed = List.of(STAYS);
                await("the blocks of both are free, see " + log)
                        .atMost(RECLAIMED)
                        .untilAsserted(() -> {
                            assertThat(blocksOf(STOPPED)).isEmpty();
                            assertThat(blocksOf(KILLED)).isEmpty();
                        });
                assertThat(logged("took back block " + FIRST + " of node " + STOPPED))
                        .isEqualTo(1);
                assertThat(logged("took back block " + SECOND + " of node " + KILLED))
                        .isEqualTo(1);
                assertThat(logged("took back address " + SINGLE + " of a pod")).isEqualTo(1);
                await("the node has said nothing, and nobody is led to it any more")
                        .atMost(SOON)
                        .until(() -> announced(STOPPED).isEmpty());
                List<String> given = new ArrayList<>();
                more.forEach(pod -> given.add(assertAdded(stays, pod)));
                assertThat(blocksOf(STAYS))
                        .as("another node has the first free one")
                        .containsExactly(FIRST, THIRD);
                assertThat(given).as("an address of it").anyMatch(address -> address.startsWith("10.247.0."));
            } finally {
                stopped.shim().goOn();
            }
            assertRefused(lost);
            assertNewLife(ofStopped, withSingle, ofKilled);
        } finally {
            more.forEach(pod -> stays.runtime().del(pod.eth0()));
            TestPod.deleteAll(more);
            ofStopped.close();
            ofKilled.close();
            withSingle.close();
        }
    }

    private static void makePoolOfSingles() {
        var _ = call(
                IPAM,
                channel -> PoolsGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(5, TimeUnit.SECONDS)
                        .createPool(CreatePoolRequest.newBuilder()
                                .setPool(Pool.newBuilder()
                                        .setName("singles")
                                        .setCidr("10.247.1.0/30")
                                        .setBlockLength(30)
                                        .setPurpose(PoolPurpose.POOL_PURPOSE_STATIC))
                                .build()));
    }

    /** The old life, back again. */
    private void assertRefused(String lost) {
        await("the life that lost its blocks is told")
                .atMost(SOON)
                .untilAsserted(() -> assertThat(status(stopped).getReasonsList())
                        .as("what keeps it from serving")
                        .anySatisfy(reason -> assertThat(reason).contains("taken for gone for good", "start 1")));
        await("it announces nothing").atMost(SOON).untilAsserted(() -> {
            assertThat(announced(STOPPED)).isEmpty();
            assertThat(announced(STAYS)).contains(FIRST);
        });
        assertThat(stopped.api().endpoints())
                .as("its pods keep what they have, until somebody deletes them")
                .extracting(Endpoint::getAddress)
                .containsExactlyInAnyOrder(lost, SINGLE);
        try (TestPod late = TestPod.make("gone-late")) {
            CniRuntime.Outcome added = stopped.runtime().add(late.eth0());
            assertThat(added.json().path("code").asInt())
                    .as("ADD: %s", added.text())
                    .isEqualTo(11);
            assertThat(added.text()).as("why, and what to do").contains("taken for gone for good", "delete its pods");
            assertThat(stopped.runtime().del(late.eth0()).ok()).as("DEL").isTrue();
        }
        assertThat(blocksOf(STOPPED)).as("it has claimed nothing").isEmpty();
    }

    /** The next start of an installation begins with nothing; another installation is another owner. */
    private void assertNewLife(TestPod ofStopped, TestPod withSingle, TestPod ofKilled) throws IOException {
        listed = List.of(STOPPED, KILLED, STAYS);
        killed.start();
        assertThat(blocksOf(KILLED)).as("the next start").containsExactly(SECOND);
        assertThat(killed.runtime().del(ofKilled.eth0()).ok()).as("DEL").isTrue();
        NodeEpoch before = ownersOf(KILLED).iterator().next();
        assertThat(before.getCounter()).as("its starts").isEqualTo(2);

        assertThat(stopped.runtime().del(ofStopped.eth0()).ok()).as("DEL").isTrue();
        assertThat(stopped.runtime().del(withSingle.eth0()).ok()).as("DEL").isTrue();
        killed.shim().stop();
        var _ = Shell.output("rm", "-rf", killed.spool().getParent().toString());
        killed.start();
        assertThat(blocksOf(KILLED))
                .as("the installation before keeps its block in the boot that it was seen in")
                .containsExactly(SECOND, FOURTH);
        NodeEpoch now = ownersOf(KILLED).stream()
                .filter(owner -> !owner.getNodeUid().equals(before.getNodeUid()))
                .findFirst()
                .orElseThrow();
        assertThat(now.getCounter()).as("starts of the new installation").isEqualTo(1);
        assertThat(status(killed).getBlocksList()).containsExactly(FOURTH);
        try (TestPod pod = TestPod.make("gone-new")) {
            assertThat(assertAdded(killed, pod)).isIn(addressesOf(FOURTH));
            assertThat(killed.runtime().del(pod.eth0()).ok()).as("DEL").isTrue();
        }
        var _ = call(
                IPAM,
                channel -> BlocksGrpc.newBlockingStub(channel)
                        .forgetNode(ForgetNodeRequest.newBuilder()
                                .setNode(KILLED)
                                .setNodeUid(before.getNodeUid())
                                .build()));
        assertThat(blocksOf(KILLED)).as("once it is forgotten").containsExactly(FOURTH);
    }

    private static Set<String> addressesOf(String block29) {
        int last = Integer.parseInt(block29.substring(block29.lastIndexOf('.') + 1, block29.indexOf('/')));
        return IntStream.range(last, last + 8).mapToObj(i -> "10.247.0." + i).collect(Collectors.toSet());
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

    private long logged(String text) {
        return ipam.logged(text);
    }

    private static NodeStatus status(MeshNode node) {
        return node.api().status().orElseThrow();
    }

    private static String assertAdded(MeshNode node, TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
        return added.json().path("ips").path(0).path("address").asText().replace("/32", "");
    }

    private static List<String> blocksOf(String node) {
        return list(node).stream().map(Block::getCidr).toList();
    }

    private static Set<NodeEpoch> ownersOf(String node) {
        return list(node).stream().map(Block::getOwner).collect(Collectors.toSet());
    }

    private static List<Block> list(String node) {
        return call(
                        IPAM,
                        channel -> BlocksGrpc.newBlockingStub(channel)
                                .withDeadlineAfter(5, TimeUnit.SECONDS)
                                .listBlocks(ListBlocksRequest.newBuilder()
                                        .setNode(node)
                                        .build()))
                .getBlocksList();
    }

    /** What route-reflector has of a node. */
    private static List<String> announced(String node) {
        return call(
                        ROUTE,
                        channel -> RoutesGrpc.newBlockingStub(channel)
                                .withDeadlineAfter(5, TimeUnit.SECONDS)
                                .listRoutes(ListRoutesRequest.getDefaultInstance()))
                .getRoutesList()
                .stream()
                .filter(entry -> entry.getRoute().getNode().equals(node))
                .flatMap(entry -> entry.getRoute().getPrefixesList().stream())
                .toList();
    }

    private static <T> T call(String target, Function<ManagedChannel, T> call) {
        ManagedChannel channel = Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
                .build();
        try {
            return call.apply(channel);
        } finally {
            channel.shutdownNow();
        }
    }
}
