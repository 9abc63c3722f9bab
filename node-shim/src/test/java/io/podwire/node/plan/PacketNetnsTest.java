package io.podwire.node.plan;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.testing.Seeds;
import io.podwire.node.nft.backend.ListedTable;
import io.podwire.node.nft.diff.NftDiff;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.TableId;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Real packets through the real kernel meet what was planned, and what {@link PacketTracer} says. */
@Tag("netns")
class PacketNetnsTest {
    private static final int PODS = 3;
    private static final double QUIET_SECONDS = 0.4;
    private static final String A = "10.1.0.1";
    private static final String B = "10.1.0.2";
    private static final String C = "10.1.0.3";
    private static final List<LocalEndpoint> ENDPOINTS =
            IntStream.rangeClosed(1, PODS).mapToObj(RandomInputs::endpoint).toList();
    private static final DirectionPolicy CLOSED = new DirectionPolicy(true, List.of(), List.of("ns/deny"));

    private static PodLab lab;

    private Ruleset applied;

    @BeforeAll
    static void startLab() throws Exception {
        lab = new PodLab(PODS);
    }

    @AfterAll
    static void stopLab() throws Exception {
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
        Seeds.forEach(PacketNetnsTest.class, 2, random -> {
            RandomInputs inputs = new RandomInputs(random);
            for (int step = 0; step < 3; step++) {
                checkAll("random, step " + step, Optional.of(inputs.program()));
            }
        });
    }

    @Test
    void changedPolicyCutsOpenFlowsBothWaysAtOnce() throws Exception {
        PodLab.Agent a = lab.agents().get(A);
        PodLab.Agent b = lab.agents().get(B);
        for (String proto : List.of("tcp", "udp")) {
            apply(program(Map.of(2, new EndpointPolicy(fromA(80, 80), DirectionPolicy.OPEN))));
            String id = "cut-" + proto;
            a.tell(Map.of("op", "call", "id", id, "proto", proto, "ip", B, "port", 80));
            assertThat(echo(a, id, "one", 5)).as("%s: open", proto).isEqualTo("one");

            apply(program(Map.of(2, new EndpointPolicy(fromA(81, 81), DirectionPolicy.OPEN))));
            assertThat(echo(a, id, "two", QUIET_SECONDS))
                    .as("%s: the caller is cut", proto)
                    .isEmpty();
            b.tell(Map.of("op", "shout", "text", "three"));
            assertThat(heard(a, id, QUIET_SECONDS))
                    .as("%s: replies are cut too", proto)
                    .isEmpty();

            apply(program(Map.of(2, new EndpointPolicy(fromA(80, 80), DirectionPolicy.OPEN))));
            assertThat(echo(a, id, "four", 10))
                    .as("%s: allowed again, the same flow goes on", proto)
                    .isNotEmpty();
        }
    }

    @Test
    void icmpErrorsOfAllowedFlowsArrive() throws Exception {
        // a opens only UDP 9999 and takes nothing in: the error of the closed port comes by itself.
        PolicyRule rule =
                new PolicyRule("ns/p", 0, true, List.of(), false, List.of(new PortRange(IpProtocol.UDP, 9999, 9999)));
        apply(program(Map.of(1, new EndpointPolicy(CLOSED, isolated(rule)))));
        PodLab.Agent a = lab.agents().get(A);
        for (String to : List.of(C, PodLab.NODE, PodLab.ELSEWHERE)) {
            a.tell(Map.of("op", "call", "id", to, "proto", "udp", "ip", to, "port", 9999));
            a.tell(Map.of("op", "say", "id", to, "text", "anyone"));
            assertThat(heard(a, to, 5)).as("from %s", to).isEqualTo("refused");
        }
    }

    @Test
    void impostorsAndStrangeFramesAreDroppedAndCounted() throws Exception {
        String mac = ENDPOINTS.getFirst().mac().toString().replace(":", "");
        String head = PodLab.BRIDGE_MAC.replace(":", "") + mac;
        Map<String, String> frames = new TreeMap<>(Map.of(
                "vlan 7", head + "81000007" + "0800" + udp(A, C, 5000, 80),
                "vlan priority tag", head + "8100e000" + "0800" + udp(A, C, 5000, 80),
                "vlan q-in-q", head + "88a80007" + "81000008" + "0800" + udp(A, C, 5000, 80),
                "arp", head + "0806" + "0001080006040002" + mac + "0a010003" + mac + "0a010003",
                "ipv6", head + "86dd" + "6000000000083aff" + "00".repeat(48),
                "ether-type snap", head + "0060" + "aaaa030000000800" + udp(A, C, 5000, 80),
                "dhcp-server", head + "0800" + udp(A, C, 67, 68),
                "vxlan", head + "0800" + udp(A, "192.168.9.2", 5000, 4789),
                "vxlan ours", head + "0800" + udp(A, "192.168.9.2", 5000, 8472),
                "spoofed address", head + "0800" + udp(B, C, 5000, 80)));
        frames.put("spoofed mac", PodLab.BRIDGE_MAC.replace(":", "") + "020000000002" + "0800" + udp(A, C, 5000, 80));
        frames.put("spoofed node", head + "0800" + udp(PodLab.NODE, C, 5000, 80));
        // Straight at another pod's port, past the router.
        frames.put("spoofed at a neighbour", "020000000003" + mac + "0800" + udp(B, C, 5000, 80));
        for (Map.Entry<String, String> frame : frames.entrySet()) {
            String counter = frame.getKey().replaceFirst(" .*", "");
            long before = counted(RulesetPlanner.SPOOF_TABLE, "prerouting", counter);
            lab.agents().get(A).tell(Map.of("op", "frame", "hex", frame.getValue()));
            assertThat(counted(RulesetPlanner.SPOOF_TABLE, "prerouting", counter))
                    .as(frame.getKey())
                    .isEqualTo(before + 1);
        }
        long spoofed = counted(RulesetPlanner.SPOOF_TABLE, "prerouting", "spoofed");
        lab.agents().get(A).tell(Map.of("op", "frame", "hex", head + "0800" + udp(A, C, 5000, 80)));
        assertThat(counted(RulesetPlanner.SPOOF_TABLE, "prerouting", "spoofed"))
                .as("the honest frame passes")
                .isEqualTo(spoofed);
    }

    @Test
    void framesAreNotBridgedBetweenPorts() throws Exception {
        String frame =
                "020000000003" + ENDPOINTS.getFirst().mac().toString().replace(":", "") + "0800" + udp(A, C, 5000, 80);
        lab.sh("bridge link set dev pw1 isolated off; bridge link set dev pw3 isolated off");
        try {
            lab.agents().get(A).tell(Map.of("op", "frame", "hex", frame));
            assertThat(counted(RulesetPlanner.SPOOF_TABLE, "forward", "bridged-from"))
                    .as("even where isolation is lost")
                    .isEqualTo(1);
        } finally {
            lab.sh("bridge link set dev pw1 isolated on; bridge link set dev pw3 isolated on");
        }
    }

    @Test
    void redirectsOfTheKernelNeverReachPods() throws Exception {
        // From a pod that made none yet: the kernel stops after nine to the same source.
        lab.sh("echo 1 > /proc/sys/net/ipv4/conf/pw0/send_redirects");
        try {
            lab.agents().get(A).tell(Map.of("op", "probe", "targets", List.of(List.of("icmp", B, 0))));
            assertThat(counted(RulesetPlanner.POLICY_TABLE, "output", "icmp-redirect"))
                    .as("the kernel made one, as the packet leaves where it came in")
                    .isPositive();
        } finally {
            lab.sh("echo 0 > /proc/sys/net/ipv4/conf/pw0/send_redirects");
        }
    }

    /** Applies it, then compares every pair of ends on every protocol with the tracer. */
    private void checkAll(String name, Optional<NodeProgram> program) throws Exception {
        apply(program);
        PacketTracer tracer = new PacketTracer(applied);
        List<String> ends = List.copyOf(lab.agents().keySet());
        SortedMap<String, List<List<Object>>> targets = new TreeMap<>();
        for (String from : ends) {
            List<List<Object>> list = new ArrayList<>();
            for (String to : ends) {
                if (!from.equals(to) && (pod(from) || pod(to))) {
                    list.add(List.of("tcp", to, 79));
                    list.add(List.of("tcp", to, 80));
                    list.add(List.of("udp", to, 79));
                    list.add(List.of("udp", to, 80));
                    list.add(List.of("icmp", to, 0));
                }
            }
            targets.put(from, list);
            lab.agents().get(from).ask(Map.of("op", "probe", "targets", list));
        }
        SortedMap<String, Boolean> real = new TreeMap<>();
        SortedMap<String, Boolean> traced = new TreeMap<>();
        for (String from : ends) {
            JsonNode answers = lab.agents().get(from).reply();
            for (int i = 0; i < answers.size(); i++) {
                List<Object> target = targets.get(from).get(i);
                String to = (String) target.get(1);
                String label = from + " -> " + target;
                real.put(label, answers.get(i).asBoolean());
                traced.put(
                        label,
                        tracer.passes(new PacketTracer.Flow(
                                side(from),
                                IpAddress.parse(from),
                                side(to),
                                IpAddress.parse(to),
                                (String) target.get(0),
                                (Integer) target.get(2))));
            }
        }
        assertThat(real).as("%s: %s", name, program).isEqualTo(traced);
    }

    private static boolean pod(String address) {
        return side(address) == PacketTracer.Side.POD;
    }

    private static PacketTracer.Side side(String address) {
        return switch (address) {
            case PodLab.NODE -> PacketTracer.Side.NODE;
            case PodLab.ELSEWHERE -> PacketTracer.Side.ELSEWHERE;
            default -> PacketTracer.Side.POD;
        };
    }

    private static Ruleset plan(Optional<NodeProgram> program) {
        return RulesetPlan.plan(new RulesetInput("pw0", Set.of(IpFamily.V4), ENDPOINTS, program, 8472));
    }

    private void apply(Optional<NodeProgram> program) throws Exception {
        Ruleset desired = plan(program);
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
        sets.put("a", new AddressSet("a", "pod a", List.of(IpPrefix.parse(A + "/32"))));
        sets.put(
                "net",
                new AddressSet(
                        "net",
                        "b and elsewhere",
                        List.of(IpPrefix.parse(B + "/32"), IpPrefix.parse("192.168.9.0/24"))));
        return Optional.of(new NodeProgram(1, endpoints, sets));
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

    private static long counted(TableId table, String chain, String comment) throws Exception {
        return lab.nft()
                .list(table)
                .orElseThrow()
                .counters()
                .get(new ListedTable.CounterKey(chain, comment))
                .packets();
    }

    /** An IPv4 UDP packet in hex, without UDP checksum. */
    private static String udp(String source, String destination, int from, int to) {
        ByteBuffer packet = ByteBuffer.allocate(28)
                .putShort((short) 0x4500)
                .putShort((short) 28)
                .putInt(0)
                .putShort((short) 0x4011)
                .putShort((short) 0)
                .put(IpAddress.parse(source).bytes())
                .put(IpAddress.parse(destination).bytes())
                .putShort((short) from)
                .putShort((short) to)
                .putInt(0x00080000);
        int sum = 0;
        for (int i = 0; i < 20; i += 2) {
            sum += packet.getShort(i) & 0xFFFF;
        }
        packet.putShort(10, (short) ~((sum & 0xFFFF) + (sum >>> 16)));
        return HexFormat.of().formatHex(packet.array());
    }
}
