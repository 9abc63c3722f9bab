package io.podwire.e2e.service;

import static io.podwire.e2e.service.ServiceWorld.at;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.SharedMesh;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many connections to one service: how they are spread, and that changes of its endpoints harm no other one's. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class ServiceLoadLabTest {
    private static final int CONNECTIONS = Integer.getInteger("podwire.soak.count", 300);
    /**
     * What chi-square of an even spread exceeds once in 10,000 times, by degrees of freedom; from
     * {@code scipy.stats.chi2.isf(1e-4, freedom)}.
     */
    private static final Map<Integer, Double> ONCE_IN_10_000 = Map.of(1, 15.137, 2, 18.421, 4, 23.513, 6, 27.856);

    private static final int HELD = 200;
    private static final int CHANGES = 20;
    private static final Duration SOON = Duration.ofSeconds(20);

    private final Mesh mesh;
    private final List<ServerPod> servers = new ArrayList<>();
    private ServiceWorld world;
    private ServerPod client;

    ServiceLoadLabTest(Mesh mesh) {
        this.mesh = mesh;
    }

    @BeforeAll
    void start() throws IOException {
        world = new ServiceWorld(mesh);
        for (int i = 0; i < 7; i++) {
            servers.add(world.pod("load-" + i, i % 2 == 0 ? world.one() : world.two()));
        }
        client = world.pod("load-client", world.one());
    }

    @AfterAll
    void close() throws IOException {
        world.close();
    }

    @AfterEach
    void remove() throws IOException {
        world.removeAll();
    }

    private static ServerPod[] first(List<ServerPod> pods, int count) {
        return pods.subList(0, count).toArray(ServerPod[]::new);
    }

    private TestService service(String name, int endpoints) {
        return TestService.of(name, world.nextIps().toArray(String[]::new))
                .port("", "TCP", 80)
                .to(List.of(8080), first(servers, endpoints));
    }

    private void awaitServed(InetSocketAddress to, int endpoints) {
        await("all endpoints answer")
                .atMost(SOON)
                .until(() -> client.place().connect(to, 60).stream()
                                .map(answer -> answer instanceof Answer.From from ? from.server() : answer.toString())
                                .distinct()
                                .count()
                        == endpoints);
    }

    @ParameterizedTest(name = "connections are spread evenly over {0} endpoints")
    @ValueSource(ints = {2, 3, 5, 7})
    void connectionsAreSpreadEvenly(int endpoints) throws IOException {
        TestService service = service("even-" + endpoints, endpoints);
        world.apply(service);
        InetSocketAddress to = at(service.ips().getFirst(), 80);
        awaitServed(to, endpoints);
        Map<String, Long> counts = client.place().connect(to, CONNECTIONS).stream()
                .map(answer -> answer instanceof Answer.From from ? from.server() : answer.toString())
                .collect(Collectors.groupingBy(Function.identity(), TreeMap::new, Collectors.counting()));
        assertThat(counts).as("who answered").hasSize(endpoints);
        double expected = (double) CONNECTIONS / endpoints;
        double chiSquare = counts.values().stream()
                .mapToDouble(count -> (count - expected) * (count - expected) / expected)
                .sum();
        System.out.println("services: " + CONNECTIONS + " connections over " + endpoints + " endpoints: " + counts
                + ", chi-square " + chiSquare);
        assertThat(chiSquare)
                .as("chi-square of %s, exceeded by chance once in 10,000 times", counts)
                .isLessThan(ONCE_IN_10_000.get(endpoints - 1));
    }

    @Test
    void changesOfEndpointsHarmNoConnectionToThoseThatStay() throws Exception {
        int stay = 5;
        TestService all = service("changing", servers.size());
        TestService some = all.noBackends().to(List.of(8080), first(servers, stay));
        world.apply(all);
        InetSocketAddress to = at(all.ips().getFirst(), 80);
        awaitServed(to, servers.size());
        List<Place.Held> held = new ArrayList<>();
        AtomicBoolean ending = new AtomicBoolean();
        try {
            for (int i = 0; i < HELD; i++) {
                held.add(client.place().hold(to));
            }
            List<String> staying =
                    servers.subList(0, stay).stream().map(ServerPod::name).toList();
            List<Place.Held> kept = held.stream()
                    .filter(one -> staying.contains(one.server().server()))
                    .toList();
            assertThat(kept).as("connections to those that stay").hasSizeGreaterThan(HELD / 2);
            // Those that leave the service still run, so that no new connection has an excuse.
            CompletableFuture<List<Answer>> load = CompletableFuture.supplyAsync(() -> {
                List<Answer> failed = new ArrayList<>();
                while (!ending.get()) {
                    client.place().connect(to, 50).stream()
                            .filter(answer -> !(answer instanceof Answer.From))
                            .forEach(failed::add);
                }
                return failed;
            });
            IntStream.range(0, CHANGES).forEach(change -> {
                try {
                    boolean fewer = change % 2 == 0;
                    world.apply(fewer ? some : all);
                    awaitServed(to, fewer ? stay : servers.size());
                    assertThat(kept.stream().filter(one -> !one.echoes(100)).toList())
                            .as("connections lost after change %d", change)
                            .isEmpty();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            ending.set(true);
            assertThat(load.join()).as("new connections that failed meanwhile").isEmpty();
        } finally {
            ending.set(true);
            held.forEach(Place.Held::close);
        }
    }
}
