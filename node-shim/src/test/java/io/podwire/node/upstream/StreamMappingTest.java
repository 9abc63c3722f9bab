package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.common.testing.Seeds;
import io.podwire.node.address.NamespacePools;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.AddressSetDelta;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import io.podwire.node.plan.PolicyRule;
import io.podwire.node.plan.PortRange;
import io.podwire.node.plan.RandomInputs;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.TierRule;
import io.podwire.node.plan.UnderlayEnd;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.PoolNamespaces;
import io.podwire.proto.policy.v1.EndpointPolicy;
import io.podwire.proto.policy.v1.Program;
import io.podwire.proto.policy.v1.ProgramDelta;
import io.podwire.proto.policy.v1.Rule;
import io.podwire.proto.policy.v1.RuleAction;
import io.podwire.proto.policy.v1.Tier;
import io.podwire.proto.route.v1.NodeRoute;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class StreamMappingTest {
    @Test
    void routesComeBackAsTheyWere() {
        Seeds.forEach(StreamMappingTest.class, 200, random -> {
            int number = random.nextInt(200);
            UnderlayEnd v4 = new UnderlayEnd(IpAddress.ofV4(random.nextInt()), random.nextInt(33));
            UnderlayEnd v6 = new UnderlayEnd(
                    new IpAddress(IpFamily.V6, random.nextLong(), random.nextLong()), random.nextInt(129));
            RemoteNode node = new RemoteNode(
                    new NodeName("node-" + number),
                    random.nextBoolean() ? List.of(v4) : List.of(v4, v6),
                    random.nextBoolean()
                            ? Optional.of(new RemoteNode.Vtep(
                                    MacAddress.locallyAdministered(random.nextLong()),
                                    IpAddress.ofV4(random.nextInt())))
                            : Optional.empty(),
                    IntStream.range(0, random.nextInt(5))
                            .mapToObj(i -> IpPrefix.parse("10." + i + "." + number + ".0/26"))
                            .toList());
            assertThat(StreamMapping.remote(StreamMapping.route(node))).isEqualTo(node);
        });
    }

    @Test
    void halfAVtepIsNone() {
        NodeRoute route = NodeRoute.newBuilder()
                .setNode("n")
                .setUnderlayAddress("192.0.2.1")
                .setVtepMac("02:00:00:00:00:01")
                .build();
        assertThat(StreamMapping.remote(route).vtep()).isEmpty();
    }

    @Test
    void programsComeBackAsTheyWere() {
        Seeds.forEach(StreamMappingTest.class, 200, random -> {
            NodeProgram program = new RandomInputs(random).program();
            assertThat(StreamMapping.program(program.revision(), StreamMapping.program(program)))
                    .isEqualTo(program);
        });
    }

    @Test
    void everyFieldOfAProgramArrives() {
        Program message = Program.newBuilder()
                .addEndpoints(endpoint(rule().build()))
                .addAddressSets(io.podwire.proto.policy.v1.AddressSet.newBuilder()
                        .setId("s1")
                        .setDescription("app=web")
                        .addCidrs("10.2.0.9/32")
                        .addCidrs("10.2.0.1/32"))
                .build();
        NodeProgram program = StreamMapping.program(7, message);
        assertThat(program.revision()).isEqualTo(7);
        assertThat(program.addressSets().values())
                .containsExactly(new AddressSet(
                        "s1", "app=web", List.of(IpPrefix.parse("10.2.0.1/32"), IpPrefix.parse("10.2.0.9/32"))));
        assertThat(program.endpoints())
                .containsExactly(Map.entry(
                        new EndpointKey("c1", "eth0"),
                        new io.podwire.node.plan.EndpointPolicy(
                                new DirectionPolicy(
                                        true,
                                        List.of(new PolicyRule(
                                                "ns/web",
                                                2,
                                                false,
                                                List.of("s1"),
                                                false,
                                                List.of(new PortRange(IpProtocol.UDP, 53, 54)))),
                                        List.of("ns/web")),
                                DirectionPolicy.OPEN)));
    }

    @Test
    void everyFieldOfADeltaArrives() {
        NodeProgramDelta delta = StreamMapping.delta(
                8,
                ProgramDelta.newBuilder()
                        .addEndpoints(endpoint())
                        .addRemovedEndpoints("c2/net1")
                        .addAddressSets(io.podwire.proto.policy.v1.AddressSetDelta.newBuilder()
                                .setId("s1")
                                .setDescription("d")
                                .addAdded("10.2.0.1/32")
                                .addRemoved("10.2.0.2/32"))
                        .addRemovedAddressSets("s9")
                        .build());
        assertThat(delta.revision()).isEqualTo(8);
        assertThat(delta.endpoints()).containsOnlyKeys(new EndpointKey("c1", "eth0"));
        assertThat(delta.removedEndpoints()).containsExactly(new EndpointKey("c2", "net1"));
        assertThat(delta.changedSets().values())
                .containsExactly(new AddressSetDelta(
                        "s1", "d", Set.of(IpPrefix.parse("10.2.0.1/32")), Set.of(IpPrefix.parse("10.2.0.2/32"))));
        assertThat(delta.removedSets()).containsExactly("s9");
    }

    @Test
    void anUnknownProtocolFailsClosed() {
        for (Rule.Builder rule : List.of(
                rule().clearPorts()
                        .addPorts(io.podwire.proto.policy.v1.PortRange.newBuilder()
                                .setLast(9)),
                rule().clearPorts()
                        .addPorts(io.podwire.proto.policy.v1.PortRange.newBuilder()
                                .setProtocolValue(1)
                                .setLast(9)))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> StreamMapping.program(
                            1,
                            Program.newBuilder()
                                    .addEndpoints(endpoint(rule.build()))
                                    .build()))
                    .withMessageContaining("protocol");
        }
    }

    @Test
    void tiersArriveAndOneThatIsNotKnownFailsClosed() {
        io.podwire.proto.policy.v1.TierRule known = io.podwire.proto.policy.v1.TierRule.newBuilder()
                .setTier(Tier.TIER_BASELINE)
                .setAction(RuleAction.RULE_ACTION_PASS)
                .setRule(rule())
                .setPriority(1000)
                .setName("some")
                .build();
        assertThat(StreamMapping.program(1, tiers(known))
                        .endpoints()
                        .get(new EndpointKey("c1", "eth0"))
                        .ingress()
                        .tiers())
                .containsExactly(new TierRule(
                        TierRule.Tier.BASELINE,
                        TierRule.RuleAction.PASS,
                        StreamMapping.rule(rule().build()),
                        1000,
                        "some"));
        for (io.podwire.proto.policy.v1.TierRule wrong : List.of(
                known.toBuilder().setTierValue(9).build(),
                known.toBuilder().clearTier().build(),
                known.toBuilder().setActionValue(9).build(),
                known.toBuilder().clearAction().build())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> StreamMapping.program(1, tiers(wrong)))
                    .withMessageContaining("node-shim does not know");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> StreamMapping.program(
                        1,
                        tiers(known, known.toBuilder().setTier(Tier.TIER_ADMIN).build())))
                .withMessageContaining("order");
    }

    private static Program tiers(io.podwire.proto.policy.v1.TierRule... tiers) {
        EndpointPolicy.Builder endpoint = endpoint(rule().build()).toBuilder();
        endpoint.getIngressBuilder().addAllTiers(List.of(tiers));
        return Program.newBuilder().addEndpoints(endpoint).build();
    }

    @Test
    void wrongValuesAreRefused() {
        for (Program.Builder wrong : List.of(
                Program.newBuilder().addEndpoints(EndpointPolicy.newBuilder().setKey("no-slash")),
                Program.newBuilder().addEndpoints(EndpointPolicy.newBuilder().setKey("/eth0")),
                Program.newBuilder().addEndpoints(EndpointPolicy.newBuilder().setKey("a/b/eth0")),
                Program.newBuilder()
                        .addEndpoints(endpoint(rule().setAnyPeer(true).build())),
                Program.newBuilder()
                        .addEndpoints(endpoint(rule().setAnyPort(true).build())),
                Program.newBuilder()
                        .addEndpoints(endpoint(rule().clearPorts()
                                .addPorts(io.podwire.proto.policy.v1.PortRange.newBuilder()
                                        .setProtocol(Protocol.PROTOCOL_TCP)
                                        .setFirst(9)
                                        .setLast(8))
                                .build())),
                Program.newBuilder()
                        .addAddressSets(io.podwire.proto.policy.v1.AddressSet.newBuilder()
                                .setId("UPPER")),
                Program.newBuilder()
                        .addAddressSets(io.podwire.proto.policy.v1.AddressSet.newBuilder()
                                .setId("s")
                                .addCidrs("10.0.0.0/8")
                                .addCidrs("10.1.0.0/16")))) {
            assertThatIllegalArgumentException()
                    .as("%s", wrong)
                    .isThrownBy(() -> StreamMapping.program(1, wrong.build()));
        }
    }

    private static EndpointPolicy endpoint(Rule... ingress) {
        EndpointPolicy.Builder endpoint = EndpointPolicy.newBuilder().setKey("c1/eth0");
        if (ingress.length > 0) {
            endpoint.getIngressBuilder()
                    .setIsolated(true)
                    .addAllRules(List.of(ingress))
                    .addIsolatedBy("ns/web");
        }
        return endpoint.build();
    }

    private static Rule.Builder rule() {
        return Rule.newBuilder()
                .setPolicy("ns/web")
                .setIndex(2)
                .addAddressSets("s1")
                .addPorts(io.podwire.proto.policy.v1.PortRange.newBuilder()
                        .setProtocol(Protocol.PROTOCOL_UDP)
                        .setFirst(53)
                        .setLast(54));
    }

    @Test
    void aReplicaThatKnowsLessOrNothingNewChangesNothingOfNamespaces() {
        PoolNamespaces red = PoolNamespaces.newBuilder()
                .setPool("red")
                .setFamily(io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6)
                .addNamespaces("shop")
                .build();
        ListBlocksResponse told = ListBlocksResponse.newBuilder()
                .setNamespacesVersion("1")
                .addPoolNamespaces(red)
                .build();
        NamespacePools known = StreamMapping.namespaces(told, NamespacePools.NONE);
        assertThat(known)
                .isEqualTo(new NamespacePools(
                        "1",
                        new TreeMap<>(Map.of(
                                "red",
                                new NamespacePools.Selected(
                                        IpFamily.V6, Optional.of(new TreeSet<>(List.of("shop"))))))));
        ListBlocksResponse same = told.toBuilder().clearPoolNamespaces().build();
        assertThat(StreamMapping.namespaces(same, known)).isEqualTo(known);
        ListBlocksResponse unread = ListBlocksResponse.newBuilder()
                .addPoolNamespaces(red.toBuilder().clearNamespaces().setUnresolved(true))
                .build();
        assertThat(StreamMapping.namespaces(unread, known)).isEqualTo(known);
        assertThat(StreamMapping.namespaces(unread, NamespacePools.NONE).pools())
                .as("who knows nothing yet keeps the pool from other pods")
                .containsExactly(Map.entry("red", new NamespacePools.Selected(IpFamily.V6, Optional.empty())));
        assertThat(StreamMapping.namespaces(
                        same.toBuilder().setNamespacesVersion("2").build(), known))
                .isEqualTo(new NamespacePools("2", new TreeMap<>()));
    }
}
