package io.podwire.route.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.session.PeerSettings;
import io.podwire.route.session.SpeakerSettings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** BGPPeers and cordoned nodes of an API server that answers lists alone. */
class KubernetesBgpTest {
    private static final String LEAF = """
        {"apiVersion":"podwire.io/v1","kind":"BGPPeer","metadata":{"name":"leaf"},
         "spec":{"address":"192.0.2.20","asn":64513,"addPaths":4,"importRules":["192.0.2.0/24"]}}\
        """;

    private HttpServer server;
    private KubernetesBgp kubernetes;
    private final AtomicInteger lists = new AtomicInteger();
    private final AtomicBoolean emptyOnce = new AtomicBoolean();
    private final List<Integer> timesTold = new CopyOnWriteArrayList<>();
    private volatile boolean broken;
    private volatile List<String> peers = List.of(LEAF);
    private volatile List<String> cordoned = List.of("node-1");
    private volatile String nodesAskedFor = "";
    private volatile List<PeerSettings> told = List.of();
    private volatile Set<NodeName> leaving = Set.of();

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/api/v1/nodes", exchange -> {
            nodesAskedFor = String.valueOf(exchange.getRequestURI().getQuery());
            answer(
                    exchange,
                    "v1",
                    "NodeList",
                    cordoned.stream()
                            .map(name ->
                                    "{\"metadata\":{\"name\":\"" + name + "\"},\"spec\":{\"unschedulable\":true}}"));
        });
        server.createContext("/apis/podwire.io/v1/bgppeers", exchange -> {
            lists.incrementAndGet();
            boolean empty = emptyOnce.getAndSet(false);
            answer(exchange, "podwire.io/v1", "BGPPeerList", empty ? Stream.of() : peers.stream());
        });
        server.start();
        IpAddress identifier = IpAddress.parse("192.0.2.1");
        PeerRegistry registry = new PeerRegistry(
                new SpeakerSettings(
                        new LocalRouter(64512, identifier, identifier),
                        "",
                        0,
                        List.of(),
                        Origination.NONE,
                        Duration.ZERO),
                Optional.empty(),
                further -> {
                    told = further;
                    timesTold.add(further.size());
                },
                nodes -> leaving = nodes);
        kubernetes = new KubernetesBgp(
                new KubernetesClientBuilder()
                        .withConfig(new ConfigBuilder()
                                .withMasterUrl("http://127.0.0.1:"
                                        + server.getAddress().getPort())
                                .withRequestRetryBackoffLimit(0)
                                .build())
                        .build(),
                registry,
                Duration.ofMillis(20));
    }

    @AfterEach
    void stop() {
        kubernetes.close();
        server.stop(0);
    }

    @Test
    void peersAndCordonedNodesAreWhatKubernetesSays() {
        await().untilAsserted(() -> assertThat(told).hasSize(1));
        PeerSettings leaf = told.getFirst();
        assertThat(leaf.name()).isEqualTo("leaf");
        assertThat(leaf.address()).isEqualTo(IpAddress.parse("192.0.2.20"));
        assertThat(leaf.addPaths()).isEqualTo(4);
        assertThat(leaving).containsExactly(new NodeName("node-1"));
        assertThat(nodesAskedFor).contains("spec.unschedulable=true");

        cordoned = List.of();
        peers = List.of(LEAF, LEAF.replace("\"leaf\"", "\"wrong\"").replace("addPaths", "noSuchKey"));
        await().untilAsserted(() -> assertThat(leaving).isEmpty());
        assertThat(told)
                .extracting(PeerSettings::name)
                .as("one that is wrong hurts no other")
                .containsExactly("leaf");

        peers = List.of();
        await("two lists agree").untilAsserted(() -> assertThat(told).isEmpty());
    }

    @Test
    void aListThatLostMostIsNotBelievedAtOnce() {
        await().untilAsserted(() -> assertThat(told).hasSize(1));
        int before = lists.get();
        emptyOnce.set(true);
        await("it was told nothing once, and all again").until(() -> !emptyOnce.get() && lists.get() > before + 2);
        assertThat(timesTold).as("the peers of the start, and then this one").containsExactly(0, 1);
    }

    @Test
    void whatWasKnownHoldsWhileTheServerIsAway() {
        await().untilAsserted(() -> assertThat(told).hasSize(1));
        broken = true;
        peers = List.of();
        nodesAskedFor = "";
        await("it is asked again").until(() -> !nodesAskedFor.isEmpty());
        assertThat(told).hasSize(1);
        assertThat(leaving).hasSize(1);
        broken = false;
        await("it answers").untilAsserted(() -> assertThat(told).isEmpty());
    }

    private void answer(HttpExchange exchange, String version, String kind, Stream<String> items) throws IOException {
        byte[] body = ("{\"apiVersion\":\"" + version + "\",\"kind\":\"" + kind + "\",\"metadata\":{},\"items\":["
                        + items.collect(Collectors.joining(",")) + "]}")
                .getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().add("Content-Type", "application/json");
        exchange.sendResponseHeaders(broken ? 503 : 200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
