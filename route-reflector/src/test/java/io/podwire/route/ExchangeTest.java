package io.podwire.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.ListRoutesRequest;
import io.podwire.proto.route.v1.RouteEntry;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The wired service over real channels. */
class ExchangeTest {
    private final HandTime time = new HandTime();
    private final List<AutoCloseable> open = new ArrayList<>();
    private RunningService service;
    private ManagedChannel channel;
    private RoutesGrpc.RoutesBlockingStub api;

    @BeforeEach
    void start() throws Exception {
        RouteOptions options = new RouteOptions();
        ServiceRunner.command("route-reflector", options, Map.of())
                .parseArgs("--listen=127.0.0.1:0", "--http-listen=127.0.0.1:0", "--shutdown-grace=PT0.05S");
        service = ServiceRunner.start("route-reflector", options, (o, context) -> Main.wire(o, context, time));
        channel = service.channel();
        api = RoutesGrpc.newBlockingStub(channel);
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable resource : open) {
            resource.close();
        }
        channel.shutdownNow();
        service.close();
    }

    @Test
    void nodesLearnOfEachOtherInFullThenByDelta() {
        NodeClient a = node("a").announce("10.1.0.0/26").readAll();
        awaitRoutes(a, Map.of());
        NodeClient b = node("b").announce("10.1.0.64/26").readAll();

        awaitRoutes(b, Map.of("a", List.of("10.1.0.0/26")));
        awaitRoutes(a, Map.of("b", List.of("10.1.0.64/26")));
        assertThat(b.updates()).as("all in its full state").hasSize(1);
        assertThat(a.updates()).as("an empty full state, one delta").hasSize(2);

        a.announce("10.1.0.0/26", "10.2.0.0/26");
        awaitRoutes(b, Map.of("a", List.of("10.1.0.0/26", "10.2.0.0/26")));
        a.announce();
        awaitRoutes(b, Map.of());
    }

    @Test
    void endOfAStreamWithdrawsNothingUntilTheStaleTime() throws Exception {
        NodeClient a = node("a").announce("10.1.0.0/26").readAll();
        NodeClient c = node("c").announce("10.3.0.0/26").readAll();
        NodeClient b = node("b").announce("10.2.0.0/26").readAll();
        var all = Map.of("a", List.of("10.1.0.0/26"), "c", List.of("10.3.0.0/26"));
        awaitRoutes(b, all);

        a.halfClose();
        assertThat(a.ended()).as("half-close is answered").isEqualTo(Status.OK);
        c.close();
        await().untilAsserted(() -> assertThat(connected()).isEqualTo(Map.of("a", false, "b", true, "c", false)));
        time.move(Duration.ofSeconds(119));
        NodeClient back = node("c").announce("10.3.0.0/26").readAll();
        awaitRoutes(back, Map.of("a", List.of("10.1.0.0/26"), "b", List.of("10.2.0.0/26")));
        assertThat(b.routes()).isEqualTo(all);
        assertThat(b.updates()).as("nothing changed for others").hasSizeLessThanOrEqualTo(3);

        time.move(Duration.ofSeconds(1));
        awaitRoutes(b, Map.of("c", List.of("10.3.0.0/26")));
        awaitRoutes(back, Map.of("b", List.of("10.2.0.0/26")));
        assertThat(connected()).isEqualTo(Map.of("b", true, "c", true));
    }

    @Test
    void newerStreamReplacesTheOlderOneAndOlderStartsAreRefused() throws Exception {
        NodeClient first = node("a").announce("10.1.0.0/26").readAll();
        awaitRoutes(first, Map.of());
        NodeClient same = node("a").announce("10.1.0.0/26").readAll();
        assertThat(first.refused().reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);

        NodeClient restarted = node("a", "uid-a", 2).announce("10.1.0.0/26").readAll();
        assertThat(same.refused().reason()).isEqualTo(ErrorReason.STALE_EPOCH);
        NodeClient late = node("a", "uid-a", 1).announce("10.9.0.0/26").readAll();
        assertThat(late.ended().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(late.refused().reason()).isEqualTo(ErrorReason.STALE_EPOCH);

        assertThat(restarted.isOpen()).isTrue();
        assertThat(list(100)).singleElement().satisfies(entry -> {
            assertThat(entry.getEpoch().getCounter()).isEqualTo(2);
            assertThat(entry.getConnected())
                    .as("the end of replaced streams does not count")
                    .isTrue();
            assertThat(entry.getRoute().getPrefixesList()).containsExactly("10.1.0.0/26");
        });
    }

    @Test
    void otherInstallationWaitsUntilTheNameIsFree() throws Exception {
        NodeClient first = node("a").announce("10.1.0.0/26").readAll();
        awaitRoutes(first, Map.of());

        NodeClient other = node("a", "reinstalled", 1).announce("10.1.0.0/26").readAll();
        assertThat(other.refused().reason()).isEqualTo(ErrorReason.OWNED_BY_OTHER);
        assertThat(other.refused()).hasMessageContaining("uid-a");

        first.close();
        await().until(() -> !connected().get("a"));
        awaitRoutes(node("a", "reinstalled", 1).announce("10.1.0.0/26").readAll(), Map.of());
    }

    @Test
    void overlapIsRefusedWholeAndNamesTheHolder() throws Exception {
        NodeClient a = node("a").announce("10.1.0.0/24").readAll();
        awaitRoutes(a, Map.of());
        NodeClient b = node("b").announce("10.2.0.0/26").readAll();
        awaitRoutes(a, Map.of("b", List.of("10.2.0.0/26")));

        b.announce("10.2.0.64/26", "10.1.0.64/26");

        assertThat(b.ended().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(b.refused().reason()).isEqualTo(ErrorReason.OWNED_BY_OTHER);
        assertThat(b.refused()).hasMessageContaining("10.1.0.64/26").hasMessageContaining("node a");
        assertThat(a.routes()).isEqualTo(Map.of("b", List.of("10.2.0.0/26")));
        assertThat(connected()).isEqualTo(Map.of("a", true, "b", false));
    }

    @Test
    void nonsenseEndsTheStreamAndNamesTheField() throws Exception {
        NodeClient silent = node("a").send(Announcement.getDefaultInstance()).readAll();
        assertThat(silent.refused().reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT);
        assertThat(silent.refused()).hasMessageContaining("handshake.protocol");

        NodeClient wrong = node("a").announce("10.1.0.1/26").readAll();
        assertThat(wrong.refused()).hasMessageContaining("route.prefixes").hasMessageContaining("10.1.0.1/26");
        assertThat(list(100)).isEmpty();
    }

    @Test
    void slowReaderGetsTheNewestStateNotAQueue() throws Exception {
        NodeClient slow = node("slow").announce();
        NodeClient fast = node("fast").announce().readAll();
        await().until(() -> connected().size() == 2);
        List<String> many = IntStream.range(0, 500)
                .mapToObj(i -> "10." + i / 250 + "." + i % 250 + ".0/26")
                .toList();
        int rounds = 300;
        for (int i = 1; i <= rounds; i++) {
            fast.announce(many.subList(0, 400 + i % 100));
        }
        fast.announce("10.200.0.0/26");
        await().untilAsserted(() ->
                assertThat(list(100).getFirst().getRoute().getPrefixesList()).containsExactly("10.200.0.0/26"));

        slow.readAll();

        awaitRoutes(slow, Map.of("fast", List.of("10.200.0.0/26")));
        assertThat(slow.updates().size()).as("%d changes of 7 kB each", rounds).isLessThan(rounds / 3);
    }

    @Test
    void listIsPagedAndMetricsCount() throws Exception {
        for (String name : List.of("c", "a", "b")) {
            int third = name.charAt(0) - 'a';
            awaitRoutesOf(node(name).announce("10." + third + ".0.0/26").readAll());
        }

        assertThat(list(2)).extracting(e -> e.getRoute().getNode()).containsExactly("a", "b", "c");
        assertThat(get("/metrics"))
                .contains("podwire_route_nodes{state=\"connected\"} 3.0")
                .contains("podwire_route_nodes{state=\"gone\"} 0.0")
                .contains("podwire_route_prefixes 3.0")
                .contains("podwire_route_updates_sent_total{kind=\"full\"} 3.0")
                .contains("podwire_route_updates_sent_total{kind=\"delta\"} 3.0");
        assertThat(get("/readyz")).isEqualTo("ok\n");
    }

    private NodeClient node(String name) {
        return node(name, "uid-" + name, 1);
    }

    private NodeClient node(String name, String uid, long counter) {
        NodeClient client = new NodeClient(service.grpcTarget(), name, uid, counter);
        open.add(client);
        return client;
    }

    private static void awaitRoutes(NodeClient node, Map<String, List<String>> routes) {
        await().untilAsserted(() -> {
            assertThat(node.updates()).as("a full state").isNotEmpty();
            assertThat(node.routes()).isEqualTo(routes);
        });
    }

    private static void awaitRoutesOf(NodeClient node) {
        await().until(() -> !node.updates().isEmpty());
    }

    private Map<String, Boolean> connected() {
        return list(100).stream().collect(Collectors.toMap(e -> e.getRoute().getNode(), RouteEntry::getConnected));
    }

    private List<RouteEntry> list(int pageSize) {
        List<RouteEntry> all = new ArrayList<>();
        String token = "";
        do {
            var page = api.listRoutes(ListRoutesRequest.newBuilder()
                    .setPageSize(pageSize)
                    .setPageToken(token)
                    .build());
            all.addAll(page.getRoutesList());
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        return all;
    }

    private String get(String path) throws Exception {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.httpPort() + path))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body();
        }
    }
}
