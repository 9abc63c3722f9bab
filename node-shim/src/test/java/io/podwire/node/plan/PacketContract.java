package io.podwire.node.plan;

import static io.podwire.node.plan.EstablishedFlows.FINISH;
import static io.podwire.node.plan.EstablishedFlows.JUDGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.NftDiff;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.witness.KernelWitness;
import io.podwire.node.witness.Testimony;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Real packets through the real kernel meet what was planned, and what {@link PacketTracer} says. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class PacketContract {
    private static final int PODS = 3;
    private static final double QUIET_SECONDS = 0.4;
    private static final DirectionPolicy CLOSED = new DirectionPolicy(true, List.of(), List.of("ns/deny"));
    private static final Set<IpFamily> BOTH = EnumSet.allOf(IpFamily.class);
    /** Counters that the pods' own kernels move: they tell routers of the groups that they join. */
    private static final Set<String> RESTLESS = Set.of("mld");

    private final Set<IpFamily> families;
    private final List<LocalEndpoint> endpoints;
    private final PodLab.Host a;
    private final PodLab.Host b;
    private final PodLab.Host c;
    private PodLab lab;
    private Ruleset applied;

    /** On a node that serves these families. */
    PacketContract(IpFamily... families) {
        this.families = EnumSet.copyOf(List.of(families));
        this.endpoints = IntStream.rangeClosed(1, PODS)
                .mapToObj(number -> RandomInputs.endpoint(number, this.families))
                .toList();
        this.a = PodLab.Host.of(endpoints.get(0));
        this.b = PodLab.Host.of(endpoints.get(1));
        this.c = PodLab.Host.of(endpoints.get(2));
    }

    @BeforeAll
    void startLab() throws Exception {
        lab = new PodLab(PODS, families);
    }

    @AfterAll
    void stopLab() throws Exception {
        lab.close();
    }

    @BeforeEach
    void startOpen() throws Exception {
        applied = plan(Optional.empty());
        lab.nft().apply(Transaction.replaceAll(applied));
    }

    @Test
    void everyFlowMeetsTheVerdictOfTheTracer() throws Exception {
        checkAll("no policy-service", Optional.empty());
        checkAll("nobody covered", Optional.of(NodeProgram.EMPTY));
        checkAll("all open", program(Map.of()));
        checkAll("b closed for ingress", program(Map.of(2, new EndpointPolicy(CLOSED, DirectionPolicy.OPEN))));
        checkAll("a closed for egress", program(Map.of(1, new EndpointPolicy(DirectionPolicy.OPEN, CLOSED))));
        checkAll(
                "b takes TCP 80 from a only",
                program(Map.of(2, new EndpointPolicy(fromA(80, 80), DirectionPolicy.OPEN))));
        checkAll(
                "a may leave to prefixes, UDP",
                program(Map.of(
                        1,
                        new EndpointPolicy(
                                DirectionPolicy.OPEN,
                                isolated(new PolicyRule(
                                        "ns/p",
                                        0,
                                        false,
                                        List.of("net"),
                                        false,
                                        List.of(new PortRange(IpProtocol.UDP, 0, 65535))))))));
        checkAll(
                "b takes two ports from anyone",
                program(Map.of(
                        2,
                        new EndpointPolicy(
                                isolated(new PolicyRule(
                                        "ns/p",
                                        0,
                                        true,
                                        List.of(),
                                        false,
                                        List.of(
                                                new PortRange(IpProtocol.TCP, 70, 79),
                                                new PortRange(IpProtocol.TCP, 81, 82),
                                                new PortRange(IpProtocol.UDP, 80, 80)))),
                                DirectionPolicy.OPEN))));
    }

    @Test
    void randomProgramsMeetTheVerdictOfTheTracer() {
        Seeds.forEach(getClass(), 2, random -> {
            RandomInputs inputs = new RandomInputs(random);
            for (int step = 0; step < 3; step++) {
                checkAll("random, step " + step, Optional.of(inputs.program()));
            }
        });
    }

    @Test
    void changedPolicyCutsOpenFlowsBothWaysAtOnce() throws Exception {
        PodLab.Agent caller = lab.agents().get(a);
        PodLab.Agent called = lab.agents().get(b);
        for (IpFamily family : families) {
            for (String proto : List.of("tcp", "udp")) {
                apply(program(Map.of(2, new EndpointPolicy(fromA(80, 80), DirectionPolicy.OPEN))));
                String id = "cut-" + proto + family;
                caller.tell(Map.of("op", "call", "id", id, "proto", proto, "ip", b.address(family), "port", 80));
                assertThat(echo(caller, id, "one", 5)).as("%s: open", id).isEqualTo("one");

                apply(program(Map.of(2, new EndpointPolicy(fromA(81, 81), DirectionPolicy.OPEN))));
                assertThat(echo(caller, id, "two", QUIET_SECONDS))
                        .as("%s: the caller is cut", id)
                        .isEmpty();
                called.tell(Map.of("op", "shout", "text", "three"));
                assertThat(heard(caller, id, QUIET_SECONDS))
                        .as("%s: replies are cut too", id)
                        .isEmpty();

                apply(program(Map.of(2, new EndpointPolicy(fromA(80, 80), DirectionPolicy.OPEN))));
                assertThat(echo(caller, id, "four", 10))
                        .as("%s: allowed again, the same flow goes on", id)
                        .isNotEmpty();
            }
        }
    }

    @Test
    void whereOpenFlowsAreToFinishAChangedPolicyIsForThoseThatBegin() throws Exception {
        PodLab.Agent caller = lab.agents().get(a);
        PodLab.Agent called = lab.agents().get(b);
        for (IpFamily family : families) {
            for (String proto : List.of("tcp", "udp")) {
                apply(program(Map.of(2, new EndpointPolicy(fromA(80, 80), DirectionPolicy.OPEN))), FINISH);
                String id = "finish-" + proto + family;
                Map<String, Object> call =
                        Map.of("op", "call", "id", id, "proto", proto, "ip", b.address(family), "port", 80);
                caller.tell(call);
                assertThat(echo(caller, id, "one", 5)).as("%s: open", id).isEqualTo("one");

                apply(
                        program(Map.of(1, new EndpointPolicy(CLOSED, CLOSED), 2, new EndpointPolicy(CLOSED, CLOSED))),
                        FINISH);
                assertThat(echo(caller, id, "two", 5)).as("%s: it goes on", id).isEqualTo("two");
                called.tell(Map.of("op", "shout", "text", "three"));
                // By UDP it comes once for each packet that was answered before.
                assertThat(heard(caller, id, 5)).as("%s: so do replies", id).startsWith("three");
                assertThat(reaches(a, b, family, proto))
                        .as("%s: another flow of the same pods", id)
                        .isFalse();

                apply(
                        program(Map.of(1, new EndpointPolicy(CLOSED, CLOSED), 2, new EndpointPolicy(CLOSED, CLOSED))),
                        JUDGE);
                assertThat(echo(caller, id, "four", QUIET_SECONDS))
                        .as("%s: the switch holds for flows that are open", id)
                        .doesNotContain("four");
            }
        }
    }

    private boolean reaches(PodLab.Host from, PodLab.Host to, IpFamily family, String proto) throws Exception {
        lab.agents().get(from).ask(Map.of("op", "probe", "targets", List.of(List.of(proto, to.address(family), 80))));
        return lab.agents().get(from).reply().get(0).asBoolean();
    }

    @Test
    void icmpErrorsOfAllowedFlowsArrive() throws Exception {
        // a opens only UDP 9999 and takes nothing in: the error of the closed port comes by itself.
        PolicyRule rule =
                new PolicyRule("ns/p", 0, true, List.of(), false, List.of(new PortRange(IpProtocol.UDP, 9999, 9999)));
        apply(program(Map.of(1, new EndpointPolicy(CLOSED, isolated(rule)))));
        PodLab.Agent caller = lab.agents().get(a);
        for (IpFamily family : families) {
            for (PodLab.Host host : List.of(c, PodLab.NODE, PodLab.ELSEWHERE)) {
                String to = host.address(family);
                caller.tell(Map.of("op", "call", "id", to, "proto", "udp", "ip", to, "port", 9999));
                caller.tell(Map.of("op", "say", "id", to, "text", "anyone"));
                assertThat(heard(caller, to, 5)).as("from %s", to).isEqualTo("refused");
            }
        }
    }

    @Test
    void impostorsAndStrangeFramesAreDroppedAndCounted() throws Exception {
        Frames frames = new Frames(endpoints.get(0), endpoints.get(1), endpoints.get(2));
        Map<String, String> wrong = new TreeMap<>(families.contains(IpFamily.V4) ? frames.wrongV4() : Map.of());
        wrong.putAll(families.contains(IpFamily.V6) ? frames.wrongV6() : Map.of());
        if (!families.contains(IpFamily.V4)) {
            wrong.put("ipv4", frames.notServedV4());
        }
        if (!families.contains(IpFamily.V6)) {
            wrong.put("ipv6", frames.notServedV6());
        }
        for (Map.Entry<String, String> frame : wrong.entrySet()) {
            String counter = frame.getKey().replaceFirst(" .*", "");
            Map<String, Long> before = spoofCounters();
            lab.agents().get(a).tell(Map.of("op", "frame", "hex", frame.getValue()));
            Map<String, Long> after = spoofCounters();
            before.computeIfPresent(counter, (_, count) -> count + 1);
            if (RESTLESS.contains(counter)) {
                assertThat(after.get(counter)).as(frame.getKey()).isGreaterThanOrEqualTo(before.get(counter));
            }
            after.keySet().removeAll(RESTLESS);
            before.keySet().removeAll(RESTLESS);
            assertThat(after).as(frame.getKey()).isEqualTo(before);
        }
        Map<String, String> honest = new TreeMap<>(families.contains(IpFamily.V4) ? frames.honestV4() : Map.of());
        honest.putAll(families.contains(IpFamily.V6) ? frames.honestV6() : Map.of());
        for (Map.Entry<String, String> frame : honest.entrySet()) {
            Map<String, Long> before = spoofCounters();
            lab.agents().get(a).tell(Map.of("op", "frame", "hex", frame.getValue()));
            Map<String, Long> after = spoofCounters();
            after.keySet().removeAll(RESTLESS);
            before.keySet().removeAll(RESTLESS);
            assertThat(after).as("%s passes", frame.getKey()).isEqualTo(before);
        }
    }

    /** Frames dropped by each rule of anti-spoofing. */
    private Map<String, Long> spoofCounters() throws Exception {
        Map<String, Long> counters = new TreeMap<>();
        lab.nft().list(RulesetPlanner.SPOOF_TABLE).orElseThrow().counters().forEach((key, counter) -> {
            // The digest's own counter counts every frame.
            if (key.chain().equals("prerouting") && !key.comment().matches("[a-z2-7]{13}")) {
                counters.put(key.comment(), counter.packets());
            }
        });
        return counters;
    }

    @Test
    void framesAreNotBridgedBetweenPorts() throws Exception {
        String frame = new Frames(endpoints.get(0), endpoints.get(1), endpoints.get(2)).toNeighbour();
        lab.sh("bridge link set dev pw1 isolated off; bridge link set dev pw3 isolated off");
        try {
            lab.agents().get(a).tell(Map.of("op", "frame", "hex", frame));
            assertThat(counted(RulesetPlanner.SPOOF_TABLE, "forward", "bridged-from"))
                    .as("even where isolation is lost")
                    .isEqualTo(1);
        } finally {
            lab.sh("bridge link set dev pw1 isolated on; bridge link set dev pw3 isolated on");
        }
    }

    @Test
    void redirectsOfTheKernelNeverReachPods() throws Exception {
        // IPv6 has no such setting. IPv4: the kernel stops for a while after nine to the same source, and
        // no other test lets it make any.
        lab.sh("echo 1 > /proc/sys/net/ipv4/conf/pw0/send_redirects");
        try {
            for (IpFamily family : families) {
                String counter = family == IpFamily.V4 ? "icmp-redirect" : "icmpv6-redirect";
                // What other tests made the kernel say counts against its limit for this pod.
                await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
                    lab.agents()
                            .get(a)
                            .tell(Map.of("op", "probe", "targets", List.of(List.of("icmp", b.address(family), 0))));
                    assertThat(counted(RulesetPlanner.POLICY_TABLE, "output", counter))
                            .as("the kernel made one, as the packet leaves where it came in")
                            .isPositive();
                });
            }
        } finally {
            lab.sh("echo 0 > /proc/sys/net/ipv4/conf/pw0/send_redirects");
        }
    }

    @Test
    void podsWithPermanentNeighboursAskForNone() throws Exception {
        Map<String, Long> before = spoofCounters();
        checkAll("all open", program(Map.of()));
        Map<String, Long> after = spoofCounters();
        before.keySet().removeAll(RESTLESS);
        after.keySet().removeAll(RESTLESS);
        assertThat(after).as("no ARP, no discovery").isEqualTo(before);
    }

    /** Applies it, then compares every pair of ends on every protocol of every family with the tracer. */
    private void checkAll(String name, Optional<NodeProgram> program) throws Exception {
        apply(program);
        PacketTracer tracer = new PacketTracer(applied);
        Map<PodLab.Host, List<PacketTracer.Flow>> flows = new LinkedHashMap<>();
        for (PodLab.Host from : lab.agents().keySet()) {
            List<PacketTracer.Flow> list = flowsFrom(from);
            flows.put(from, list);
            lab.agents()
                    .get(from)
                    .ask(Map.of(
                            "op",
                            "probe",
                            "targets",
                            list.stream()
                                    .map(f -> List.of(
                                            f.protocol(), f.destination().toString(), f.port()))
                                    .toList()));
        }
        SortedMap<String, Boolean> real = new TreeMap<>();
        SortedMap<String, Boolean> traced = new TreeMap<>();
        KernelWitness witness = lab.witness(endpoints);
        for (Map.Entry<PodLab.Host, List<PacketTracer.Flow>> of : flows.entrySet()) {
            JsonNode answers = lab.agents().get(of.getKey()).reply();
            for (int i = 0; i < answers.size(); i++) {
                PacketTracer.Flow flow = of.getValue().get(i);
                boolean answer = answers.get(i).asBoolean();
                real.put(flow.toString(), answer);
                traced.put(flow.toString(), tracer.passes(flow));
                testimony(witness, flow)
                        .ifPresent(verdict -> assertThat(verdict instanceof Testimony.Verdict.Passes)
                                .as("%s: %s, of which the kernel's rules say %s", name, flow, verdict)
                                .isEqualTo(answer));
            }
        }
        assertThat(real).as("%s: %s", name, program).isEqualTo(traced);
    }

    /** What the rules read back from the kernel say; empty for ICMP, which policies do not name. */
    private static Optional<Testimony.Verdict> testimony(KernelWitness witness, PacketTracer.Flow flow) {
        return IpProtocol.of(flow.protocol())
                .map(protocol -> witness.ask(
                                new KernelWitness.Question(flow.source(), flow.destination(), protocol, flow.port()))
                        .verdict());
    }

    private List<PacketTracer.Flow> flowsFrom(PodLab.Host from) {
        List<PacketTracer.Flow> flows = new ArrayList<>();
        for (PodLab.Host to : lab.agents().keySet()) {
            if (from.equals(to) || (from.side() != PacketTracer.Side.POD && to.side() != PacketTracer.Side.POD)) {
                continue;
            }
            for (IpFamily family : families) {
                for (String protocol : List.of("tcp", "udp", "icmp")) {
                    for (int port : protocol.equals("icmp") ? new int[] {0} : new int[] {79, 80}) {
                        flows.add(new PacketTracer.Flow(
                                from.side(),
                                IpAddress.parse(from.address(family)),
                                to.side(),
                                IpAddress.parse(to.address(family)),
                                protocol,
                                port));
                    }
                }
            }
        }
        return flows;
    }

    private Ruleset plan(Optional<NodeProgram> program) {
        return plan(program, JUDGE);
    }

    private Ruleset plan(Optional<NodeProgram> program, EstablishedFlows established) {
        return RulesetPlan.plan(
                new RulesetInput("pw0", families, endpoints, program, 8472, false, established, Masquerade.NONE));
    }

    private void apply(Optional<NodeProgram> program) throws Exception {
        apply(program, JUDGE);
    }

    private void apply(Optional<NodeProgram> program, EstablishedFlows established) throws Exception {
        Ruleset desired = plan(program, established);
        lab.nft().apply(NftDiff.between(applied, desired));
        applied = desired;
    }

    /** Everyone open but these, with a set of a alone and one of prefixes. */
    private static Optional<NodeProgram> program(Map<Integer, EndpointPolicy> policies) {
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        for (int i = 1; i <= PODS; i++) {
            endpoints.put(RandomInputs.endpoint(i).key(), policies.getOrDefault(i, EndpointPolicy.OPEN));
        }
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        sets.put("a", new AddressSet("a", "pod a", prefixes(RandomInputs.endpoint(1, BOTH), List.of())));
        sets.put(
                "net",
                new AddressSet(
                        "net",
                        "b and elsewhere",
                        prefixes(RandomInputs.endpoint(2, BOTH), List.of("192.168.9.0/24", "fd00:9::/64"))));
        return Optional.of(new NodeProgram(1, endpoints, sets));
    }

    private static List<IpPrefix> prefixes(LocalEndpoint pod, List<String> more) {
        return Stream.concat(
                        pod.addresses().stream().map(IpPrefix::ofHost),
                        more.stream().map(IpPrefix::parse))
                .sorted()
                .toList();
    }

    private static DirectionPolicy fromA(int first, int last) {
        return isolated(new PolicyRule(
                "ns/p",
                0,
                false,
                List.of("a"),
                false,
                List.of(new PortRange(IpProtocol.TCP, first, last), new PortRange(IpProtocol.UDP, first, last))));
    }

    private static DirectionPolicy isolated(PolicyRule... rules) {
        return new DirectionPolicy(true, List.of(rules), List.of("ns/p"));
    }

    private static String echo(PodLab.Agent agent, String id, String text, double wait) throws Exception {
        agent.tell(Map.of("op", "say", "id", id, "text", text));
        return heard(agent, id, wait);
    }

    private static String heard(PodLab.Agent agent, String id, double wait) throws Exception {
        return agent.tell(Map.of("op", "heard", "id", id, "wait", wait)).asText();
    }

    private long counted(TableId table, String chain, String comment) throws Exception {
        return lab.nft()
                .list(table)
                .orElseThrow()
                .counters()
                .get(new ListedTable.CounterKey(chain, comment))
                .packets();
    }
}
