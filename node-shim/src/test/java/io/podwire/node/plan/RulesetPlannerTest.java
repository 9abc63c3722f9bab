package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.node.nft.diff.NftDiff;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Hook;
import io.podwire.node.nft.model.Ruleset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RulesetPlannerTest {
    @Test
    void unchangedPartsAreTheSameObjects() {
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        sets.put("big", new AddressSet("big", "", hosts(10_000)));
        PolicyRule rule = new PolicyRule("ns/p", 0, false, List.of("big"), true, List.of());
        DirectionPolicy policy = new DirectionPolicy(true, List.of(rule), List.of("ns/p"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        IntStream.range(1, 4)
                .forEach(i -> endpoints.put(RandomInputs.endpoint(i).key(), new EndpointPolicy(policy, policy)));
        NodeProgram program = new NodeProgram(1, endpoints, sets);
        RulesetPlanner planner = new RulesetPlanner();
        Ruleset before = planner.plan(input(2, program));
        Ruleset after = planner.plan(input(3, program));
        Map<String, ?> setsBefore =
                before.tables().get(RulesetPlanner.POLICY_TABLE).sets();
        Map<String, ?> setsAfter =
                after.tables().get(RulesetPlanner.POLICY_TABLE).sets();
        assertThat(setsAfter.get("sel-big-4")).as("the set").isSameAs(setsBefore.get("sel-big-4"));
        Map<String, Chain> chains =
                after.tables().get(RulesetPlanner.POLICY_TABLE).chains();
        before.tables().get(RulesetPlanner.POLICY_TABLE).chains().forEach((name, chain) -> {
            if (name.startsWith("ingress-") || name.startsWith("egress-")) {
                assertThat(chains.get(name)).as(name).isSameAs(chain);
            }
        });
        assertThat(NftDiff.between(before, after).commands())
                .as("two entries and a source: the chains are there already")
                .hasSize(3)
                .noneMatch(command -> command instanceof Command.FlushChain);
    }

    @Test
    void aPodThatWasExpectedAddsMembersOnly() {
        PolicyRule rule = new PolicyRule(
                "ns/web",
                0,
                true,
                List.of(),
                false,
                List.of(new PortRange(IpProtocol.TCP, 80, 80), new PortRange(IpProtocol.TCP, 443, 443)));
        DirectionPolicy isolated = new DirectionPolicy(true, List.of(rule), List.of("ns/web"));
        LocalEndpoint pod = RandomInputs.endpoint(1);
        NodeProgram program = new NodeProgram(
                1,
                new TreeMap<>(),
                new TreeMap<>(),
                new TreeMap<>(Map.of(
                        pod.pod(), new ExpectedPod(pod.pod(), "", new EndpointPolicy(isolated, isolated), List.of()))));
        RulesetPlanner planner = new RulesetPlanner();
        Ruleset before = planner.plan(input(0, program));
        Ruleset after = planner.plan(input(1, program.withArrived(List.of(pod))));
        assertThat(NftDiff.between(before, after).commands())
                .as("what an ADD changes in the kernel")
                .hasSize(3)
                .allMatch(command -> command instanceof Command.AddElements);
        assertThat(NftDiff.between(after, planner.plan(input(0, program))).commands())
                .as("what a DEL changes")
                .hasSize(3)
                .allMatch(command -> command instanceof Command.DeleteElements);
    }

    @Test
    void twoOwnersOfAnAddressAreRefused() {
        LocalEndpoint one = RandomInputs.endpoint(1);
        LocalEndpoint two = RandomInputs.endpoint(2, one.addresses().first());
        assertThatThrownBy(
                        () -> new RulesetInput("pw0", Set.of(IpFamily.V4), List.of(one, two), Optional.empty(), 4789))
                .as("one owner ever")
                .hasMessageContaining("10.1.0.1 has two owners: c1/eth0 and c2/eth0");
    }

    @Test
    void hostileNamesNeverLeaveComments() {
        String hostile = "ns/\" } drop; add rule inet x y accept #\n" + "x".repeat(200);
        PolicyRule rule = new PolicyRule(hostile, 0, true, List.of(), true, List.of());
        DirectionPolicy policy = new DirectionPolicy(true, List.of(rule), List.of(hostile));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(RandomInputs.endpoint(1).key(), new EndpointPolicy(policy, policy));
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        sets.put("s", new AddressSet("s", hostile, List.of()));
        Ruleset ruleset = RulesetPlan.plan(input(1, new NodeProgram(1, endpoints, sets)));
        assertThat(Transaction.replaceAll(ruleset).text())
                .as("as a comment it is tame")
                .contains("ns/____drop__add_rule_inet_x_y_accept__")
                .doesNotContain(hostile.substring(0, 10));
    }

    @Test
    void everyPathBetweenNamedStatesEndsTheSame() {
        Map<String, Ruleset> states = new HashMap<>();
        GoldenCases.all().forEach((name, input) -> states.put(name, RulesetPlan.plan(input)));
        RulesetPlanner planner = new RulesetPlanner();
        List<String> names = new ArrayList<>(GoldenCases.all().keySet());
        for (String from : names) {
            for (String to : names) {
                planner.plan(GoldenCases.all().get(from));
                assertThat(planner.plan(GoldenCases.all().get(to)))
                        .as("from %s to %s", from, to)
                        .isEqualTo(states.get(to));
            }
        }
    }

    @Test
    void spoofingIsToldByInterfaceMacAndAddressTogether() {
        PacketTracer tracer = new PacketTracer(RulesetPlan.plan(input(2, NodeProgram.EMPTY)));
        String mac1 = RandomInputs.endpoint(1).mac().toString();
        String mac2 = RandomInputs.endpoint(2).mac().toString();
        assertThat(frame(tracer, "pw1", mac1, "10.1.0.1")).as("itself").isEmpty();
        assertThat(frame(tracer, "pw1", mac1, "10.1.0.2"))
                .as("another's address")
                .isEqualTo("spoofed");
        assertThat(frame(tracer, "pw1", mac2, "10.1.0.2"))
                .as("another altogether")
                .isEqualTo("spoofed");
        assertThat(frame(tracer, "pw3", mac1, "10.1.0.1"))
                .as("a port nobody has")
                .isEqualTo("spoofed");
        assertThat(frame(tracer, "eth0", mac1, "10.9.9.9")).as("not our bridge").isEmpty();
    }

    @Test
    void spoofingIsToldInBothFamiliesOfADualStackNode() {
        Set<IpFamily> both = Set.of(IpFamily.V4, IpFamily.V6);
        List<LocalEndpoint> endpoints = List.of(
                RandomInputs.endpoint(1, both),
                RandomInputs.endpoint(2, both),
                RandomInputs.endpoint(3, Set.of(IpFamily.V6)));
        PacketTracer tracer = new PacketTracer(
                RulesetPlan.plan(new RulesetInput("pw0", both, endpoints, Optional.of(NodeProgram.EMPTY), 4789)));
        String mac1 = endpoints.get(0).mac().toString();
        String mac3 = endpoints.get(2).mac().toString();
        assertThat(frame(tracer, "pw1", mac1, "10.1.0.1")).as("itself").isEmpty();
        assertThat(frame(tracer, "pw1", mac1, "fd00:1::1")).as("itself").isEmpty();
        assertThat(frame(tracer, "pw1", mac1, "fd00:1::2")).as("another's").isEqualTo("spoofed");
        assertThat(frame(tracer, "pw2", mac1, "fd00:1::1"))
                .as("by another's port")
                .isEqualTo("spoofed");
        assertThat(frame(tracer, "pw3", mac3, "fd00:1::3")).as("of one family").isEmpty();
        assertThat(frame(tracer, "pw3", mac3, "10.1.0.3")).as("it has none").isEqualTo("spoofed");
    }

    @Test
    void anEndpointOfAFamilyThatIsNotServedIsRefused() {
        LocalEndpoint six = RandomInputs.endpoint(1, Set.of(IpFamily.V6));
        assertThatThrownBy(() -> new RulesetInput("pw0", Set.of(IpFamily.V4), List.of(six), Optional.empty(), 4789))
                .hasMessageContaining("c1/eth0 has fd00:1::1");
    }

    @Test
    void deltasAccumulateToTheSameProgram() {
        Seeds.forEach(RulesetPlannerTest.class, 200, random -> {
            RandomInputs inputs = new RandomInputs(random);
            NodeProgram program = inputs.program();
            for (int i = 0; i < 5; i++) {
                NodeProgram wanted = inputs.program();
                wanted = new NodeProgram(program.revision() + 1, wanted.endpoints(), wanted.addressSets());
                program = program.with(ProgramDeltas.between(program, wanted));
                assertThat(program).as("delta %s", i).isEqualTo(wanted);
            }
        });
    }

    @Test
    void deltasThatDoNotFitAreRefusedByName() {
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        sets.put("s", new AddressSet("s", "", List.of(IpPrefix.parse("10.0.0.1/32"))));
        NodeProgram program = new NodeProgram(5, new TreeMap<>(), sets);
        refused(program, ProgramDeltas.ofSet(6, "s", List.of("10.0.0.1/32"), List.of()), "has 10.0.0.1/32 already");
        refused(program, ProgramDeltas.ofSet(6, "s", List.of(), List.of("10.0.0.2/32")), "no 10.0.0.2/32 to remove");
        refused(program, ProgramDeltas.ofSet(6, "s", List.of("10.0.0.0/24"), List.of()), "overlap");
        refused(program, ProgramDeltas.ofSet(5, "s", List.of(), List.of()), "revision 5 does not follow revision 5");
        refused(program, ProgramDeltas.removal(6, "t"), "no address set t to remove");
    }

    private static void refused(NodeProgram program, NodeProgramDelta delta, String why) {
        assertThatThrownBy(() -> program.with(delta))
                .as(why)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(why);
    }

    private static String frame(PacketTracer tracer, String port, String mac, String address) {
        boolean v4 = IpAddress.parse(address).family() == IpFamily.V4;
        return tracer.trace(
                        RulesetPlanner.SPOOF_TABLE,
                        Hook.PREROUTING,
                        Map.of(
                                Field.IIFNAME,
                                port,
                                Field.ETHER_TYPE,
                                v4 ? "ip" : "ip6",
                                Field.ETHER_SOURCE,
                                mac,
                                Field.TRANSPORT_START,
                                "0",
                                v4 ? Field.IP_SOURCE : Field.IP6_SOURCE,
                                address))
                .by();
    }

    private static RulesetInput input(int endpoints, NodeProgram program) {
        return new RulesetInput(
                "pw0",
                Set.of(IpFamily.V4),
                IntStream.rangeClosed(1, endpoints)
                        .mapToObj(RandomInputs::endpoint)
                        .toList(),
                Optional.of(program),
                4789);
    }

    private static List<IpPrefix> hosts(int count) {
        IpAddress first = IpAddress.parse("10.64.0.0");
        return IntStream.range(0, count)
                .mapToObj(i -> IpPrefix.ofHost(first.plus(i)))
                .toList();
    }
}
