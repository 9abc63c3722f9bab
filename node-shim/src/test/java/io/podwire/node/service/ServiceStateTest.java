package io.podwire.node.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.service.ServiceChange.Step;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class ServiceStateTest {
    private final ServiceState state = new ServiceState();
    private final Map<Member.Place, Member.Value> kernel = new HashMap<>();

    @Test
    void anEndpointThatGoesIsAHandfulOfMembersHoweverManyThereAre() {
        List<ServicePort> many = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            many.add(Ports.port("ns/s" + i, "10.96." + i / 250 + "." + (i % 250 + 1), 80)
                    .endpoints(endpoints(20))
                    .build());
        }
        apply(state.replace(many));
        String[] fewer = endpoints(20);
        fewer[3] = fewer[19];
        ServiceState.Outcome outcome = state.change(
                List.of(Ports.port("ns/s7", "10.96.0.8", 80)
                        .endpoints(Arrays.copyOf(fewer, 19))
                        .build()),
                List.of());
        assertThat(outcome.change().size())
                .as("its slot, the last slot, the choices of inside and outside")
                .isEqualTo(4);
    }

    private static String[] endpoints(int count) {
        String[] endpoints = new String[count];
        for (int i = 0; i < count; i++) {
            endpoints[i] = "@10.1.0." + (i + 1) + ":8080";
        }
        return endpoints;
    }

    @Test
    void theFirstThatNamesAnAddressHasItAndTheNextGetsItWhenThatOneIsGone() {
        ServicePort first = Ports.port("z/first", "10.96.0.1", 80)
                .externalIps("192.0.2.7")
                .endpoints("10.1.0.1:80")
                .build();
        ServicePort second = Ports.port("a/second", "10.96.0.2", 80)
                .externalIps("192.0.2.7")
                .endpoints("10.1.0.2:80")
                .build();
        apply(state.change(List.of(first), List.of()));
        ServiceState.Outcome outcome = state.change(List.of(second), List.of());
        apply(outcome);
        assertThat(outcome.passedOver())
                .containsExactly("service a/second does not get 192.0.2.7 port 80/tcp: z/first:80tcp/IPv4 has it");
        assertThat(leadsTo("192.0.2.7", 80)).containsExactly("10.1.0.1");
        apply(state.change(List.of(), List.of(first.id())));
        assertThat(leadsTo("192.0.2.7", 80)).containsExactly("10.1.0.2");
        assertThat(kernel).isEqualTo(anew(List.of(second)));
    }

    @Test
    void aServiceMadeAnewUnderAnotherNameTakesOverItsAddress() {
        apply(state.change(
                List.of(Ports.port("ns/old", "10.96.0.1", 80)
                        .endpoints("10.1.0.1:80")
                        .build()),
                List.of()));
        ServicePort made =
                Ports.port("ns/new", "10.96.0.1", 80).endpoints("10.1.0.2:80").build();
        apply(state.change(List.of(made), List.of("ns/old:80tcp/IPv4")));
        assertThat(leadsTo("10.96.0.1", 80)).containsExactly("10.1.0.2");
    }

    @Test
    void whatCalledAnEndpointThatIsGoneIsForgotten() {
        ServicePort two = udp("10.1.0.1:53", "10.1.0.2:53");
        assertThat(state.change(List.of(two), List.of()).called())
                .as("flows may be older than the Service")
                .extracting(Called::allowed)
                .containsExactly(Set.of(endpoint("10.1.0.1"), endpoint("10.1.0.2")));
        assertThat(state.change(List.of(udp("10.1.0.2:53")), List.of()).called())
                .extracting(Called::allowed)
                .containsExactly(Set.of(endpoint("10.1.0.2")));
        assertThat(state.change(List.of(udp("10.1.0.2:53", "10.1.0.3:53")), List.of())
                        .called())
                .as("one more leads nobody astray")
                .isEmpty();
        assertThat(state.change(List.of(), List.of(two.id())).called())
                .extracting(Called::allowed)
                .containsExactly(Set.of());
    }

    @Test
    void whatCalledAServiceOfTcpBeforeItWasThereIsForgottenIfNobodyAnswered() {
        ServicePort two = Ports.port("ns/web", "10.96.0.11", 80)
                .endpoints("10.1.0.1:53", "10.1.0.2:53")
                .build();
        assertThat(state.change(List.of(two), List.of()).called())
                .extracting(Called::protocol, Called::allowed)
                .containsExactly(tuple(IpProtocol.TCP, Set.of(endpoint("10.1.0.1"), endpoint("10.1.0.2"))));
        ServicePort one =
                Ports.port("ns/web", "10.96.0.11", 80).endpoints("10.1.0.2:53").build();
        assertThat(state.change(List.of(one), List.of()).called())
                .as("connections to its endpoints may finish")
                .isEmpty();
        assertThat(state.change(List.of(), List.of(one.id())).called()).isEmpty();
    }

    private static ServicePort udp(String... endpoints) {
        return Ports.port("ns/dns", "10.96.0.10", 53)
                .protocol(IpProtocol.UDP)
                .endpoints(endpoints)
                .build();
    }

    private static Called.Endpoint endpoint(String address) {
        return new Called.Endpoint(IpAddress.parse(address), 53);
    }

    @Test
    void afterAnyChangesAllIsAsIfMadeAnewAndNoStepLeavesAChoiceWithoutItsEndpoints() {
        long seed = Long.getLong("seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        Map<String, ServicePort> all = new HashMap<>();
        for (int round = 0; round < 150; round++) {
            List<ServicePort> changed = new ArrayList<>();
            List<String> removed = new ArrayList<>();
            for (int i = 0; i <= random.nextInt(3); i++) {
                ServicePort port = port(random);
                if (removed.contains(port.id())
                        || changed.stream().anyMatch(one -> one.id().equals(port.id()))) {
                    continue;
                }
                if (random.nextInt(3) == 0 && all.remove(port.id()) != null) {
                    removed.add(port.id());
                } else {
                    all.put(port.id(), port);
                    changed.add(port);
                }
            }
            apply(state.change(changed, removed));
            assertThat(state.size()).as("seed %d round %d", seed, round).isEqualTo(all.size());
            if (round % 20 == 0) {
                ServiceState restarted = new ServiceState();
                ServiceState.Outcome outcome = restarted.replace(state.ports(), Map.copyOf(kernel));
                // Who has a place that two name is the first that came, which a restarted node does not know.
                if (outcome.passedOver().isEmpty()) {
                    assertThat(outcome.change().steps())
                            .as("a restart finds all right, seed %d round %d", seed, round)
                            .isEmpty();
                }
            }
        }
        apply(state.replace(List.of()));
        assertThat(kernel).as("seed %d", seed).isEmpty();
    }

    private static ServicePort port(SplittableRandom random) {
        int number = random.nextInt(6);
        boolean six = random.nextInt(4) == 0;
        Ports.Draft port =
                Ports.port("ns/s" + number, six ? "fd00:96::" + number : "10.96.0." + number, 80 + random.nextInt(2));
        if (random.nextBoolean()) {
            port.protocol(IpProtocol.UDP);
        }
        if (random.nextInt(3) == 0) {
            port.nodePort(30_000 + random.nextInt(3));
        }
        if (random.nextInt(3) == 0) {
            String ip = (six ? "2001:db8::" : "192.0.2.") + random.nextInt(3);
            if (random.nextBoolean()) {
                port.externalIps(ip);
            } else {
                port.loadBalancerIps(ip).sources(six ? "2001:db8::/64" : "198.51.100.0/24");
            }
        }
        if (random.nextInt(4) == 0) {
            port.affinity(1 + random.nextInt(2));
        }
        if (random.nextInt(4) == 0) {
            port.internalLocal();
        }
        if (random.nextInt(4) == 0) {
            port.externalLocal();
        }
        List<String> endpoints = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            if (random.nextBoolean()) {
                String address = six ? "[fd00::" + (i + 1) + "]" : "10.1.0." + (i + 1);
                endpoints.add((i % 2 == 0 ? "" : "@") + address + ":80");
            }
        }
        return port.endpoints(endpoints.toArray(String[]::new)).build();
    }

    /** Each step refuses what the kernel would refuse, and leaves what a packet may find. */
    private void apply(ServiceState.Outcome outcome) {
        for (Step step : outcome.change().steps()) {
            step.remove()
                    .forEach(place ->
                            assertThat(kernel.remove(place)).as("%s", place).isNotNull());
            step.add()
                    .forEach(member -> assertThat(kernel.put(member.place(), member.value()))
                            .as("%s", member.place())
                            .isNull());
            wholeChoices();
        }
    }

    private Map<Member.Place, Member.Value> anew(List<ServicePort> ports) {
        Map<Member.Place, Member.Value> members = new HashMap<>();
        for (Step step : new ServiceState().replace(ports, Map.of()).change().steps()) {
            step.add().forEach(member -> members.put(member.place(), member.value()));
        }
        return members;
    }

    private void wholeChoices() {
        kernel.forEach((place, value) -> {
            if (value instanceof Member.Chain(String chain, boolean jump) && chain.contains("pick-")) {
                int count = Integer.parseInt(chain.substring(chain.lastIndexOf('-') + 1));
                for (int i = 0; i < count; i++) {
                    assertThat(kernel.get(slot(place, chain, i)))
                            .as("%s of %s", i, chain)
                            .isNotNull();
                }
                assertThat(jump).isFalse();
            }
        });
    }

    private static Member.Place slot(Member.Place choice, String chain, int index) {
        int number = index + (chain.contains("-local-") ? ServiceChains.LOCAL : 0);
        byte[] key = choice.key().toBytes();
        boolean port = choice.map() == ServiceMap.INSIDE_PORTS || choice.map() == ServiceMap.OUTSIDE_PORTS;
        int address = port ? 0 : choice.family().bits() / 8;
        IpProtocol protocol = Arrays.stream(IpProtocol.values())
                .filter(one -> one.number() == Byte.toUnsignedInt(key[address]))
                .findFirst()
                .orElseThrow();
        byte[] slot = ByteBuffer.allocate(address + 2 * Integer.BYTES)
                .order(ByteOrder.nativeOrder())
                .put(key, 0, address)
                .put(key, address + Integer.BYTES, Integer.BYTES)
                .putInt(number)
                .array();
        return new Member.Place(ServiceMap.endpoints(protocol, port), choice.family(), Octets.of(slot));
    }

    private List<String> leadsTo(String address, int port) {
        byte[] start = ByteBuffer.allocate(8)
                .put(IpAddress.parse(address).bytes())
                .putShort((short) port)
                .array();
        return kernel.entrySet().stream()
                .filter(entry -> entry.getKey().map() == ServiceMap.TCP_ENDPOINTS
                        && entry.getKey().family() == IpFamily.V4)
                .filter(entry ->
                        Arrays.equals(Arrays.copyOf(entry.getKey().key().toBytes(), start.length), start))
                .map(entry -> ((Member.Data) entry.getValue()).octets().toBytes())
                .map(target -> IpAddress.ofBytes(Arrays.copyOf(target, 4)).toString())
                .sorted()
                .toList();
    }
}
