package io.podwire.node.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.node.plan.IpProtocol;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Which addresses of Services a node says it serves. */
final class LocalAddressesTest {
    private static final String LB = "203.0.113.7";
    private static final String EXTERNAL = "198.51.100.7";

    private static Ports.Draft web() {
        return Ports.port("ns/web", "10.96.0.1", 80).loadBalancerIps(LB).externalIps(EXTERNAL);
    }

    private static Ports.Draft more(String service, int port) {
        return Ports.port(service, "10.96.0.1", port).loadBalancerIps(LB);
    }

    private static Arguments of(String what, List<String> told, Ports.Draft... ports) {
        return Arguments.of(what, told, Stream.of(ports).map(Ports.Draft::build).toList());
    }

    static Stream<Arguments> cases() {
        return Stream.of(
                of(
                        "an endpoint here",
                        List.of(EXTERNAL, LB),
                        web().externalLocal().endpoints("10.1.0.1:80")),
                of(
                        "one here and one elsewhere",
                        List.of(EXTERNAL, LB),
                        web().externalLocal().endpoints("@10.1.1.1:80", "10.1.0.1:80")),
                of("endpoints elsewhere alone", List.of(), web().externalLocal().endpoints("@10.1.1.1:80")),
                of("no endpoints", List.of(), web().externalLocal()),
                of("policy Cluster: every node leads on", List.of(), web().endpoints("10.1.0.1:80")),
                of(
                        "internalTrafficPolicy says nothing of clients outside",
                        List.of(),
                        web().internalLocal().endpoints("10.1.0.1:80")),
                of(
                        "a node port alone has no address to tell",
                        List.of(),
                        Ports.port("ns/web", "10.96.0.1", 80)
                                .nodePort(30_000)
                                .externalLocal()
                                .endpoints("10.1.0.1:80")),
                of(
                        "IPv6",
                        List.of("2001:db8::7"),
                        Ports.port("ns/web", "fd96::1", 80)
                                .loadBalancerIps("2001:db8::7")
                                .externalLocal()
                                .endpoints("[fd00::1]:80")),
                of(
                        "clients of some networks alone: the rules refuse the others",
                        List.of(LB),
                        more("ns/web", 80)
                                .sources("192.0.2.0/24")
                                .externalLocal()
                                .endpoints("10.1.0.1:80")),
                of(
                        "one of two ports has an endpoint here",
                        List.of(LB),
                        more("ns/web", 80).externalLocal().endpoints("@10.1.1.1:80"),
                        more("ns/web", 81).externalLocal().endpoints("10.1.0.1:81")),
                of(
                        "TCP and UDP",
                        List.of(LB),
                        more("ns/dns", 53).externalLocal().endpoints("10.1.0.1:53"),
                        more("ns/dns", 53)
                                .protocol(IpProtocol.UDP)
                                .externalLocal()
                                .endpoints("10.1.0.1:53")),
                of(
                        "shared with a Service of policy Cluster, whose port works on any node",
                        List.of(LB),
                        more("ns/local", 80).externalLocal().endpoints("10.1.0.1:80"),
                        more("ns/cluster", 81).endpoints("@10.1.1.1:81")),
                of(
                        "shared with a Service of policy Cluster alone present here",
                        List.of(),
                        more("ns/local", 80).externalLocal().endpoints("@10.1.1.1:80"),
                        more("ns/cluster", 81).endpoints("10.1.0.1:81")),
                of(
                        "another Service had address and port before",
                        List.of(),
                        more("ns/first", 80).endpoints("10.1.0.1:80"),
                        more("ns/second", 80).externalLocal().endpoints("10.1.0.1:80")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void anAddressIsToldWhereClientsOutsideFindAnEndpointOfThisNodeAlone(
            String what, List<String> told, List<ServicePort> ports) {
        ServiceState state = new ServiceState();
        assertThat(state.localAddresses()).isEmpty();
        for (ServicePort port : ports) {
            var _ = state.change(List.of(port), List.of());
        }
        assertThat(told(state)).as(what).isEqualTo(told);
        ServiceState restarted = new ServiceState();
        var _ = restarted.replace(ports, Map.of());
        assertThat(told(restarted)).as("after a restart").isEqualTo(told);
        var _ = state.replace(List.of());
        assertThat(told(state)).as("all is gone").isEmpty();
    }

    @Test
    void anAddressFollowsItsEndpoints() {
        ServiceState state = new ServiceState();
        var _ = state.change(List.of(more("ns/web", 80).externalLocal().build()), List.of());
        var _ = state.change(
                List.of(more("ns/web", 81)
                        .externalLocal()
                        .endpoints("10.1.0.1:81")
                        .build()),
                List.of());
        assertThat(told(state)).containsExactly(LB);
        var _ = state.change(
                List.of(
                        more("ns/web", 80)
                                .externalLocal()
                                .endpoints("10.1.0.1:80")
                                .build(),
                        more("ns/web", 81)
                                .externalLocal()
                                .endpoints("@10.1.1.1:81")
                                .build()),
                List.of());
        assertThat(told(state)).as("another port has one").containsExactly(LB);
        var _ = state.change(List.of(), List.of("ns/web:80tcp/IPv4"));
        assertThat(told(state)).isEmpty();
    }

    @Test
    void whoWaitsForAnAddressServesItWhenTheFirstIsGone() {
        ServiceState state = new ServiceState();
        ServicePort first = more("ns/first", 80).build();
        var _ = state.change(List.of(first), List.of());
        var _ = state.change(
                List.of(more("ns/second", 80)
                        .externalLocal()
                        .endpoints("10.1.0.1:80")
                        .build()),
                List.of());
        assertThat(told(state)).isEmpty();
        var _ = state.change(List.of(), List.of(first.id()));
        assertThat(told(state)).containsExactly(LB);
    }

    @Test
    void afterAnyChangesItIsAsIfMadeAnew() {
        for (long seed = 0; seed < 40; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            ServiceState state = new ServiceState();
            TreeMap<String, ServicePort> ports = new TreeMap<>();
            for (int i = 0; i < 40; i++) {
                List<ServicePort> changed = new ArrayList<>();
                for (int n = random.nextInt(4); n > 0; n--) {
                    // A port of its own for each Service: who came first plays no part.
                    int number = random.nextInt(6);
                    Ports.Draft draft = Ports.port("ns/s" + number, "10.96.0." + (number + 1), 80 + number);
                    if (random.nextBoolean()) {
                        draft.externalLocal();
                    }
                    if (random.nextInt(3) > 0) {
                        draft.loadBalancerIps("203.0.113." + random.nextInt(3));
                    }
                    if (random.nextInt(3) > 0) {
                        draft.externalIps("203.0.113." + random.nextInt(3));
                    }
                    draft.endpoints((random.nextBoolean() ? "" : "@") + "10.1.0.1:80");
                    changed.add(draft.build());
                }
                changed.forEach(port -> ports.put(port.id(), port));
                List<String> removed = ports.isEmpty() || random.nextBoolean() ? List.of() : List.of(ports.lastKey());
                removed.forEach(ports::remove);
                var _ = state.change(
                        changed.stream()
                                .filter(port -> ports.containsValue(port))
                                .toList(),
                        removed);
                assertThat(state.localAddresses())
                        .as("seed %d, change %d", seed, i)
                        .isEqualTo(List.copyOf(slow(ports.values())));
            }
        }
    }

    private static Set<IpAddress> slow(Iterable<ServicePort> ports) {
        Set<IpAddress> all = new TreeSet<>();
        for (ServicePort port : ports) {
            if (port.externalLocal() && port.local().stream().anyMatch(ServicePort.Target::here)) {
                all.addAll(port.externalIps());
                all.addAll(port.loadBalancerIps());
            }
        }
        return all;
    }

    private static List<String> told(ServiceState state) {
        return state.localAddresses().stream().map(IpAddress::toString).toList();
    }
}
