package io.podwire.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.ipam.v1.PoolPurpose;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPath;
import io.podwire.proto.route.v1.BgpRoute;
import io.podwire.proto.route.v1.BgpRouteKind;
import io.podwire.proto.route.v1.ListBgpRoutesRequest;
import io.podwire.proto.route.v1.ListRoutesRequest;
import io.podwire.proto.route.v1.RefusalReason;
import io.podwire.proto.route.v1.RefusedPrefix;
import io.podwire.proto.route.v1.RouteEntry;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** From nodes' words of Services to paths of BGP: the wired service over real channels. */
class ServiceAddressesTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    private final HandTime time = new HandTime();
    private final List<AutoCloseable> open = new ArrayList<>();
    private FakeIpam ipam;
    private RunningService service;
    private ManagedChannel channel;

    @BeforeEach
    void prepare() throws Exception {
        ipam = new FakeIpam();
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

    private void start(String... further) throws Exception {
        RouteOptions options = new RouteOptions();
        List<String> words = new ArrayList<>(List.of(
                "--listen=127.0.0.1:0",
                "--http-listen=127.0.0.1:0",
                "--shutdown-grace=PT0.05S",
                "--bgp-asn=64512",
                "--bgp-router-id=192.0.2.1"));
        words.addAll(Arrays.asList(further));
        ServiceRunner.command("route-reflector", options, Map.of()).parseArgs(words.toArray(String[]::new));
        options.check();
        service = ServiceRunner.start("route-reflector", options, (o, context) -> Main.wire(o, context, time));
        channel = service.channel();
    }

    private void startWithIpam(String services) throws Exception {
        start("--bgp-services=" + services, "--ipam-service=" + ipam.target(), "--ownership-interval=0.1s");
    }

    @Test
    void whatNodesServeIsToldToBgpAloneAndWhatIsOutsideIsRefusedByName() throws Exception {
        start("--bgp-services=203.0.113.0/24");
        NodeClient reader = node("reader", 1).announce("10.3.0.0/26").readAll();
        NodeClient a =
                node("a", 1).serve("203.0.113.7", "10.1.0.1", "203.0.113.9").readAll();
        NodeClient b = node("b", 1).serve("203.0.113.7").readAll();
        awaitServed(Map.of("203.0.113.7/32", List.of("a", "b"), "203.0.113.9/32", List.of("a")));
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(a))
                        .extracting(RefusedPrefix::getPrefix, RefusedPrefix::getReason)
                        .containsExactly(tuple("10.1.0.1/32", RefusalReason.REFUSAL_REASON_NOT_OF_SERVICES)));
        assertThat(entry("a").getRefusedList()).isEqualTo(refused(a));
        assertThat(entry("a").getServiceAddressesList()).containsExactly("203.0.113.7", "203.0.113.9");
        assertThat(entry("b").getRefusedList()).isEmpty();
        assertThat(nodesOf("203.0.113.0/24")).as("all").containsExactly("a", "b", "reader");

        a.serve("203.0.113.9");
        awaitServed(Map.of("203.0.113.7/32", List.of("b"), "203.0.113.9/32", List.of("a")));
        await().atMost(SOON).untilAsserted(() -> assertThat(refused(a)).isEmpty());
        b.serve();
        awaitServed(Map.of("203.0.113.9/32", List.of("a")));
        assertThat(reader.updates())
                .as("a node is told nothing of Services, not even that something has changed")
                .singleElement()
                .satisfies(
                        update -> assertThat(update.getFull().getRoutesList()).isEmpty());
    }

    @Test
    void aNodeThatStartsAgainKeepsItsAddressesUntilItKnowsOrIsStale() throws Exception {
        start("--bgp-services=203.0.113.0/24", "--stale-after=120s");
        NodeClient a = node("a", 1).serve("203.0.113.7").readAll();
        awaitServed(Map.of("203.0.113.7/32", List.of("a")));
        a.close();
        await().atMost(SOON).until(() -> !entry("a").getConnected());
        time.move(Duration.ofSeconds(119));
        NodeClient again = node("a", 1).announce("10.1.0.0/26").readAll();
        await().atMost(SOON)
                .until(() -> routes(BgpRouteKind.BGP_ROUTE_KIND_NODE).containsKey("10.1.0.0/26"));
        assertThat(served()).as("it does not know yet").containsOnlyKeys("203.0.113.7/32");
        again.serve("203.0.113.9");
        awaitServed(Map.of("203.0.113.9/32", List.of("a")));
        again.close();
        await().atMost(SOON).until(() -> !entry("a").getConnected());
        time.move(Duration.ofSeconds(121));
        awaitServed(Map.of());
    }

    @Test
    void withoutPrefixesOfServicesNothingIsTakenAndNothingIsRefused() throws Exception {
        start();
        NodeClient reader = node("reader", 1).announce().readAll();
        NodeClient a = node("a", 1).serve("203.0.113.7").readAll();
        a.announce("10.1.0.0/26");
        await().atMost(SOON).until(() -> reader.routes().containsKey("a"));
        assertThat(served()).isEmpty();
        assertThat(entry("a").getServiceAddressesList()).isEmpty();
        assertThat(refused(a)).isEmpty();
    }

    @Test
    void aLifeThatIsOverServesNothing() throws Exception {
        ipam.newest(FakeIpam.life("a", "uid-a", "boot-5", 5));
        startWithIpam("203.0.113.0/24");
        NodeClient old = node("a", 4).serve("203.0.113.7").readAll();
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(old)).singleElement().satisfies(refusal -> {
                    assertThat(refusal.getReason()).isEqualTo(RefusalReason.REFUSAL_REASON_STALE_EPOCH);
                    assertThat(refusal.getMessage())
                            .contains("service address 203.0.113.7 of node a (start 4", "over, by start 5");
                }));
        assertThat(served()).isEmpty();
        node("a", 5).serve("203.0.113.7").readAll();
        awaitServed(Map.of("203.0.113.7/32", List.of("a")));
        ipam.newest(FakeIpam.life("a", "uid-a", "reclaimed", 5));
        awaitServed(Map.of());
    }

    @Test
    void poolsForLoadBalancersAreFollowedAndTheLastWordHolds() throws Exception {
        ipam.pool("lb", "203.0.113.0/24", PoolPurpose.POOL_PURPOSE_LOAD_BALANCER, PoolState.POOL_STATE_ACTIVE);
        ipam.pool("pods", "10.1.0.0/16", PoolPurpose.POOL_PURPOSE_PODS, PoolState.POOL_STATE_ACTIVE);
        ipam.pool("old", "192.0.2.0/24", PoolPurpose.POOL_PURPOSE_LOAD_BALANCER, PoolState.POOL_STATE_RETIRED);
        startWithIpam("pools,198.51.100.0/24");
        NodeClient a = node("a", 1)
                .serve("203.0.113.7", "198.51.100.7", "2001:db8:9::7", "10.1.0.7", "192.0.2.7")
                .readAll();
        awaitServed(Map.of("198.51.100.7/32", List.of("a"), "203.0.113.7/32", List.of("a")));
        awaitRefused(a, "10.1.0.7/32", "192.0.2.7/32", "2001:db8:9::7/128");
        assertThat(routes(BgpRouteKind.BGP_ROUTE_KIND_SERVICES)).containsOnlyKeys("198.51.100.0/24", "203.0.113.0/24");

        ipam.pool("lb2", "192.0.2.0/25", PoolPurpose.POOL_PURPOSE_LOAD_BALANCER, PoolState.POOL_STATE_DRAINING);
        awaitServed(
                Map.of("192.0.2.7/32", List.of("a"), "198.51.100.7/32", List.of("a"), "203.0.113.7/32", List.of("a")));
        ipam.stop();
        int lists = ipam.lists();
        ipam.dropPool("lb");
        NodeClient b = node("b", 1).serve("203.0.113.7").readAll();
        await().atMost(SOON).until(() -> nodesOf("203.0.113.7/32").equals(List.of("a", "b")));
        ipam.start();
        await().atMost(SOON).until(() -> ipam.lists() > lists);
        awaitServed(Map.of("192.0.2.7/32", List.of("a"), "198.51.100.7/32", List.of("a")));
        awaitRefused(b, "203.0.113.7/32");
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(routes(BgpRouteKind.BGP_ROUTE_KIND_SERVICES))
                        .containsOnlyKeys("192.0.2.0/25", "198.51.100.0/24"));
    }

    private NodeClient node(String name, long counter) {
        NodeClient client = new NodeClient(service.grpcTarget(), name, "uid-" + name, counter);
        open.add(client);
        return client;
    }

    private static List<RefusedPrefix> refused(NodeClient node) {
        return node.updates().stream()
                .filter(RouteUpdate::hasRefused)
                .reduce((_, last) -> last)
                .map(update -> update.getRefused().getPrefixesList())
                .orElse(List.of());
    }

    private static void awaitRefused(NodeClient node, String... prefixes) {
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(refused(node))
                        .extracting(RefusedPrefix::getPrefix)
                        .containsExactly(prefixes));
    }

    private void awaitServed(Map<String, List<String>> nodes) {
        await().atMost(SOON).untilAsserted(() -> assertThat(served()).isEqualTo(nodes));
    }

    private Map<String, List<String>> served() {
        return routes(BgpRouteKind.BGP_ROUTE_KIND_SERVICE_ADDRESS);
    }

    /** The nodes of each prefix. */
    private Map<String, List<String>> routes(BgpRouteKind kind) {
        Map<String, List<String>> nodes = new TreeMap<>();
        bgp().stream()
                .filter(route -> route.getKind() == kind)
                .forEach(route -> nodes.put(route.getPrefix(), nodes(route)));
        return nodes;
    }

    private List<String> nodesOf(String prefix) {
        return bgp().stream()
                .filter(route -> route.getPrefix().equals(prefix))
                .findFirst()
                .map(ServiceAddressesTest::nodes)
                .orElse(List.of());
    }

    private static List<String> nodes(BgpRoute route) {
        return route.getPathsList().stream().map(BgpPath::getNode).sorted().toList();
    }

    private List<BgpRoute> bgp() {
        return BgpGrpc.newBlockingStub(channel)
                .listBgpRoutes(ListBgpRoutesRequest.getDefaultInstance())
                .getRoutesList();
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
}
