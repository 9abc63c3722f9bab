package io.podwire.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.route.v1.ListRoutesRequest;
import io.podwire.proto.route.v1.RefusalReason;
import io.podwire.proto.route.v1.RefusedPrefix;
import io.podwire.proto.route.v1.RouteEntry;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a node announces is its own by ipam-service's word, or is refused by name: the wired service over real channels. */
class OwnershipTest {
    private static final String NEVER = "10m";
    private static final String OFTEN = "0.1s";
    private static final Duration SOON = Duration.ofSeconds(10);

    private final HandTime time = new HandTime();
    private final List<AutoCloseable> open = new ArrayList<>();
    private FakeIpam ipam;
    private RunningService service;
    private ManagedChannel channel;

    @BeforeEach
    void prepare() throws Exception {
        ipam = new FakeIpam();
        ipam.block("10.1.0.0/26", "a", "uid-a", 1);
        ipam.block("10.2.0.0/26", "b", "uid-b", 1);
    }

    private void start(String interval) throws Exception {
        RouteOptions options = new RouteOptions();
        ServiceRunner.command("route-reflector", options, Map.of())
                .parseArgs(
                        "--listen=127.0.0.1:0",
                        "--http-listen=127.0.0.1:0",
                        "--shutdown-grace=PT0.05S",
                        "--ipam-service=" + ipam.target(),
                        "--ownership-interval=" + interval);
        options.check();
        service = ServiceRunner.start("route-reflector", options, (o, context) -> Main.wire(o, context, time));
        channel = service.channel();
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable resource : open) {
            resource.close();
        }
        channel.shutdownNow();
        service.close();
        ipam.close();
    }

    @Test
    void aLyingNodeIsRefusedByNameAndTheRestOfItsAnnouncementLivesOn() throws Exception {
        start(NEVER);
        ipam.single("10.254.0.5", "a");
        ipam.single("10.254.0.6", "b");
        ipam.single("10.254.0.7", "");
        NodeClient reader = node("reader", "uid-reader", 1).announce().readAll();
        NodeClient liar = node("b", "uid-b", 1)
                .announce(
                        "10.1.0.0/26",
                        "10.2.0.0/26",
                        "10.9.0.0/26",
                        "10.254.0.5/32",
                        "10.254.0.6/32",
                        "10.254.0.7/32",
                        "10.254.0.64/26")
                .readAll();
        awaitRoutes(reader, Map.of("b", List.of("10.2.0.0/26", "10.254.0.6/32")));
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(liar))
                        .extracting(RefusedPrefix::getPrefix, RefusedPrefix::getReason)
                        .containsExactly(
                                tuple("10.1.0.0/26", RefusalReason.REFUSAL_REASON_OWNED_BY_OTHER),
                                tuple("10.9.0.0/26", RefusalReason.REFUSAL_REASON_NOT_OWNED),
                                tuple("10.254.0.5/32", RefusalReason.REFUSAL_REASON_OWNED_BY_OTHER),
                                tuple("10.254.0.7/32", RefusalReason.REFUSAL_REASON_NOT_OWNED),
                                tuple("10.254.0.64/26", RefusalReason.REFUSAL_REASON_NOT_OWNED)));
        assertThat(refused(liar).get(0).getMessage())
                .as("who, what and whose")
                .contains("10.1.0.0/26 of node b (start 1 of installation uid-b)", "a (start 1 of installation uid-a)");
        assertThat(refused(liar).get(2).getMessage()).contains("is used on node a");
        assertThat(liar.isOpen()).isTrue();

        NodeClient owner =
                node("a", "uid-a", 1).announce("10.1.0.0/26", "10.254.0.5/32").readAll();
        awaitRoutes(
                reader,
                Map.of("a", List.of("10.1.0.0/26", "10.254.0.5/32"), "b", List.of("10.2.0.0/26", "10.254.0.6/32")));
        assertThat(refused(owner)).as("though the liar came first").isEmpty();
        assertThat(entry("b").getRefusedList()).isEqualTo(refused(liar));
        assertThat(metrics())
                .contains("podwire_route_prefixes_refused{reason=\"owned_by_other\"} 2.0")
                .contains("podwire_route_prefixes_refused{reason=\"not_owned\"} 3.0");

        liar.announce("10.2.0.0/26");
        await().atMost(SOON).untilAsserted(() -> assertThat(refused(liar)).isEmpty());
        assertThat(metrics()).contains("podwire_route_prefixes_refused{reason=\"owned_by_other\"} 0.0");
    }

    @Test
    void aPrefixThatIsNewsIsAskedAboutAtOnce() throws Exception {
        start(NEVER);
        NodeClient reader = node("reader", "uid-reader", 1).announce().readAll();
        NodeClient a = node("a", "uid-a", 1).announce("10.1.0.0/26").readAll();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26")));
        ipam.block("10.1.0.64/26", "a", "uid-a", 1);
        ipam.single("10.254.0.5", "a");
        a.announce("10.1.0.0/26", "10.1.0.64/26", "10.254.0.5/32");
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26", "10.1.0.64/26", "10.254.0.5/32")));
        assertThat(refused(a)).isEmpty();
        assertThat(a.updates().stream().filter(RouteUpdate::hasRefused))
                .as("it never was refused")
                .isEmpty();

        // Given to another node: the answer for that one is the end of the first one's.
        ipam.free("10.1.0.64/26");
        ipam.block("10.1.0.64/26", "b", "uid-b", 1);
        ipam.single("10.254.0.5", "b");
        node("b", "uid-b", 1).announce("10.1.0.64/26", "10.254.0.5/32").readAll();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26"), "b", List.of("10.1.0.64/26", "10.254.0.5/32")));
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(a))
                        .extracting(RefusedPrefix::getReason)
                        .containsExactly(
                                RefusalReason.REFUSAL_REASON_OWNED_BY_OTHER,
                                RefusalReason.REFUSAL_REASON_OWNED_BY_OTHER));
        assertThat(ipam.lists()).as("nothing but questions").isEqualTo(1);
    }

    @Test
    void aLifeThatIsOverIsRefusedWhateverItAnnounces() throws Exception {
        ipam.block("10.1.0.0/26", "a", "uid-a", 5);
        ipam.single("10.254.0.5", "a");
        start(NEVER);
        NodeClient reader = node("reader", "uid-reader", 1).announce().readAll();
        NodeClient old =
                node("a", "uid-a", 4).announce("10.1.0.0/26", "10.254.0.5/32").readAll();
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(old))
                        .extracting(RefusedPrefix::getReason)
                        .containsExactly(
                                RefusalReason.REFUSAL_REASON_STALE_EPOCH, RefusalReason.REFUSAL_REASON_STALE_EPOCH));
        assertThat(refused(old).getFirst().getMessage())
                .contains("10.1.0.0/26 of node a (start 4", "over, by start 5 in boot boot-5");
        awaitRoutes(reader, Map.of());
        NodeClient now =
                node("a", "uid-a", 5).announce("10.1.0.0/26", "10.254.0.5/32").readAll();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26", "10.254.0.5/32")));
        assertThat(refused(now)).isEmpty();
        assertThat(entry("a").getRefusedList()).as("those of the life before").isEmpty();
    }

    @Test
    void whatIsTakenBackOfANodeIsWithdrawnWithItsSingleAddressesAlsoWhenItIsGone() throws Exception {
        ipam.block("10.3.0.0/26", "c", "uid-c", 1);
        ipam.single("10.254.0.5", "a");
        start(OFTEN);
        NodeClient reader = node("reader", "uid-reader", 1).announce().readAll();
        NodeClient a =
                node("a", "uid-a", 1).announce("10.1.0.0/26", "10.254.0.5/32").readAll();
        NodeClient gone = node("c", "uid-c", 1).announce("10.3.0.0/26").readAll();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26", "10.254.0.5/32"), "c", List.of("10.3.0.0/26")));
        gone.close();

        // The single address stays in use: its owner's node is taken for gone, and nobody has it yet.
        ipam.free("10.1.0.0/26");
        ipam.newest(FakeIpam.life("a", "uid-a", "reclaimed", 1));
        ipam.free("10.3.0.0/26");
        awaitRoutes(reader, Map.of());
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(a))
                        .extracting(RefusedPrefix::getReason)
                        .containsExactly(
                                RefusalReason.REFUSAL_REASON_STALE_EPOCH, RefusalReason.REFUSAL_REASON_STALE_EPOCH));
        assertThat(refused(a).getFirst().getMessage()).contains("over, by start 1 in boot reclaimed");
        assertThat(a.isOpen()).isTrue();
        ipam.block("10.3.0.0/26", "b", "uid-b", 1);
        node("b", "uid-b", 1).announce("10.3.0.0/26").readAll();
        awaitRoutes(reader, Map.of("b", List.of("10.3.0.0/26")));
    }

    @Test
    void anotherInstallationOfANodeDoesNotInherit() throws Exception {
        start(NEVER);
        NodeClient reader = node("reader", "uid-reader", 1).announce().readAll();
        NodeClient anew = node("a", "uid-new", 1).announce("10.1.0.0/26").readAll();
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(anew))
                        .singleElement()
                        .satisfies(refusal -> assertThat(refusal.getMessage())
                                .contains("of installation uid-new", "of installation uid-a")));
        awaitRoutes(reader, Map.of());
    }

    @Test
    void whileIpamServiceIsAwayItsLastWordHoldsAndNothingNewIsTaken() throws Exception {
        start(OFTEN);
        NodeClient reader = node("reader", "uid-reader", 1).announce().readAll();
        NodeClient a = node("a", "uid-a", 1).announce("10.1.0.0/26").readAll();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26")));
        ipam.stop();
        ipam.block("10.1.0.64/26", "a", "uid-a", 1);
        a.announce("10.1.0.0/26", "10.1.0.64/26");
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(a)).singleElement().satisfies(refusal -> {
                    assertThat(refusal.getReason()).isEqualTo(RefusalReason.REFUSAL_REASON_UNKNOWN);
                    assertThat(refusal.getMessage()).contains("10.1.0.64/26 of node a", "it is away");
                }));
        NodeClient b =
                node("b", "uid-b", 1).announce("10.2.0.0/26", "10.1.0.0/26").readAll();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26"), "b", List.of("10.2.0.0/26")));
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(b))
                        .extracting(RefusedPrefix::getReason)
                        .containsExactly(RefusalReason.REFUSAL_REASON_OWNED_BY_OTHER));
        time.move(Duration.ofSeconds(77));
        assertThat(ageOfOwners()).as("how old the word is").isGreaterThanOrEqualTo(77);

        ipam.start();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26", "10.1.0.64/26"), "b", List.of("10.2.0.0/26")));
        await().atMost(SOON).untilAsserted(() -> assertThat(refused(a)).isEmpty());
        assertThat(ageOfOwners()).isZero();
    }

    @Test
    void aReflectorThatBeginsWithoutIpamServiceLeavesPodsReachableUntilItsFirstWord() throws Exception {
        ipam.stop();
        start(OFTEN);
        NodeClient reader = node("reader", "uid-reader", 1).announce().readAll();
        NodeClient liar =
                node("b", "uid-b", 1).announce("10.1.0.0/26", "10.2.0.0/26").readAll();
        await("it is taken unchecked").atMost(SOON).until(() -> !liar.updates().isEmpty());
        NodeClient a =
                node("a", "uid-a", 1).announce("10.1.0.0/26", "10.1.0.64/26").readAll();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.64/26"), "b", List.of("10.1.0.0/26", "10.2.0.0/26")));
        assertThat(ageOfOwners()).isNaN();

        ipam.block("10.1.0.64/26", "a", "uid-a", 1);
        ipam.start();
        awaitRoutes(reader, Map.of("a", List.of("10.1.0.0/26", "10.1.0.64/26"), "b", List.of("10.2.0.0/26")));
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(liar))
                        .extracting(RefusedPrefix::getPrefix)
                        .containsExactly("10.1.0.0/26"));
        assertThat(refused(a)).isEmpty();
    }

    private NodeClient node(String name, String uid, long counter) {
        NodeClient client = new NodeClient(service.grpcTarget(), name, uid, counter);
        open.add(client);
        return client;
    }

    /** What a node was told last of its own announcement. */
    private static List<RefusedPrefix> refused(NodeClient node) {
        return node.updates().stream()
                .filter(RouteUpdate::hasRefused)
                .reduce((_, last) -> last)
                .map(update -> update.getRefused().getPrefixesList())
                .orElse(List.of());
    }

    private static void awaitRoutes(NodeClient node, Map<String, List<String>> routes) {
        await().atMost(SOON).untilAsserted(() -> {
            assertThat(node.updates()).as("a full state").isNotEmpty();
            assertThat(node.routes()).isEqualTo(routes);
        });
    }

    private RouteEntry entry(String node) {
        return RoutesGrpc.newBlockingStub(channel)
                .listRoutes(ListRoutesRequest.getDefaultInstance())
                .getRoutesList()
                .stream()
                .filter(entry -> entry.getRoute().getNode().equals(node))
                .findFirst()
                .orElseThrow();
    }

    private double ageOfOwners() throws Exception {
        return metrics()
                .lines()
                .filter(line -> line.startsWith("podwire_route_owners_age_seconds "))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.indexOf(' ') + 1)))
                .findFirst()
                .orElseThrow();
    }

    private String metrics() throws Exception {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.httpPort() + "/metrics"))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body();
        }
    }
}
