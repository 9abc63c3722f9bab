package io.podwire.node.witness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.groups.Tuple.tuple;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.ffm.TestNetns;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.DenialLog;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.DropCause;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PolicyRule;
import io.podwire.node.plan.PortRange;
import io.podwire.node.plan.RandomInputs;
import io.podwire.node.plan.RulesetInput;
import io.podwire.node.plan.RulesetPlan;
import io.podwire.node.plan.RulesetPlanner;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.witness.Testimony.Verdict;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Rules that somebody has tampered with are seen as they are, not as they were meant. That the witness is right about rules
 * as they are meant, PacketContract asks real packets.
 */
@Tag("netns")
@Timeout(60)
final class KernelWitnessNetnsTest {
    private static final LocalEndpoint A = RandomInputs.endpoint(1);
    private static final LocalEndpoint B = RandomInputs.endpoint(2);

    private TestNetns netns;
    private KernelNft nft;
    private NftRules rules;
    private NftTables tables;
    private KernelWitness witness;
    private RulesetInput input;

    /** B takes TCP 80 and 8080 to 8089 from A alone, and anything from two blocks. */
    @BeforeEach
    void open() throws Exception {
        netns = new TestNetns();
        nft = netns.call(KernelNft::open);
        rules = netns.call(NftRules::open);
        tables = netns.call(NftTables::open);
        witness = new KernelWitness(rules, tables, () -> List.of(A, B), _ -> false, "pw0", () -> 7);
        DirectionPolicy fromA = new DirectionPolicy(
                true,
                List.of(
                        new PolicyRule(
                                "ns/p",
                                0,
                                false,
                                List.of("a"),
                                false,
                                List.of(
                                        new PortRange(IpProtocol.TCP, 80, 80),
                                        new PortRange(IpProtocol.TCP, 8080, 8089))),
                        new PolicyRule("ns/p", 1, false, List.of("uneven", "even"), true, List.of())),
                List.of("ns/p"));
        SortedMap<EndpointKey, EndpointPolicy> policies = new TreeMap<>();
        policies.put(A.key(), EndpointPolicy.OPEN);
        policies.put(B.key(), new EndpointPolicy(fromA, DirectionPolicy.OPEN));
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        sets.put("a", new AddressSet("a", "pod a", List.of(IpPrefix.ofHost(address(A)))));
        sets.put("uneven", new AddressSet("uneven", "a block", List.of(IpPrefix.parse("172.16.0.0/14"))));
        sets.put("even", new AddressSet("even", "a block", List.of(IpPrefix.parse("203.0.113.0/24"))));
        input = new RulesetInput(
                "pw0", Set.of(IpFamily.V4), List.of(A, B), Optional.of(new NodeProgram(1, policies, sets)), 4789);
        nft.apply(Transaction.replaceAll(RulesetPlan.plan(input)));
    }

    @AfterEach
    void close() {
        nft.close();
        rules.close();
        tables.close();
        netns.close();
    }

    @Test
    void whatWasWrittenIsWhatItSays() {
        assertThat(ask(80)).isEqualTo(new Verdict.Passes());
        for (int port : List.of(8080, 8085, 8089)) {
            assertThat(ask(port)).as("port %d", port).isEqualTo(new Verdict.Passes());
        }
        for (int port : List.of(79, 81, 8079, 8090)) {
            assertThat(ask(port)).as("port %d", port).isInstanceOfSatisfying(Verdict.Dropped.class, dropped -> {
                assertThat(dropped.chain()).startsWith("ingress-");
                assertThat(dropped.rule()).isEqualTo("denied:ns/p");
                assertThat(dropped.reply()).isFalse();
            });
        }
        assertThat(ask(IpAddress.parse("192.168.9.2"), address(B), 80)).isInstanceOf(Verdict.Dropped.class);
        assertThat(ask(address(B), address(A), 9)).as("nobody isolates it").isEqualTo(new Verdict.Passes());
        assertThat(ask(IpAddress.parse("192.168.9.2"), IpAddress.parse("192.168.9.3"), 80))
                .as("no pod of this node")
                .isEqualTo(new Verdict.Elsewhere());
        assertThat(ask(address(B), address(B), 81)).as("within a pod").isEqualTo(new Verdict.Elsewhere());
    }

    @Test
    void aBlockInARuleIsReadAsWritten() {
        for (String inside : List.of("172.16.0.0", "172.19.255.255", "203.0.113.0", "203.0.113.255")) {
            assertThat(ask(IpAddress.parse(inside), address(B), 9)).as(inside).isEqualTo(new Verdict.Passes());
        }
        for (String outside : List.of("172.15.255.255", "172.20.0.0", "203.0.112.255", "203.0.114.0")) {
            assertThat(ask(IpAddress.parse(outside), address(B), 9)).as(outside).isInstanceOf(Verdict.Dropped.class);
        }
    }

    @Test
    void anAcceptThatSomebodyPutsInFrontIsSeen() throws Exception {
        tamper("insert rule inet podwire to-pods accept");
        assertThat(ask(81)).isEqualTo(new Verdict.Passes());
    }

    @Test
    void aDropThatSomebodyPutsInFrontIsSeen() throws Exception {
        tamper("insert rule inet podwire forward iifname \"pw*\" ct direction reply counter drop comment \"mine\"");
        assertThat(ask(80)).isEqualTo(new Verdict.Dropped("forward", "mine", true));
    }

    @Test
    void aMemberThatIsGoneIsMissed() throws Exception {
        tamper("delete element inet podwire sel-a-4 { " + address(A) + " }");
        assertThat(ask(80)).isInstanceOf(Verdict.Dropped.class);
    }

    @Test
    void anEntryThatLeadsElsewhereIsFollowed() throws Exception {
        tamper("delete element inet podwire ingress-4 { " + address(B) + " }");
        assertThat(ask(80)).as("nobody covers it").isEqualTo(new Verdict.Dropped("to-pods", "not-covered", false));
        tamper("add element inet podwire ingress-4 { " + address(B) + " : return }");
        assertThat(ask(81)).isEqualTo(new Verdict.Passes());
    }

    @Test
    void aTableThatSleepsOrIsGoneStopsNothing() throws Exception {
        tamper("add table inet podwire { flags dormant; }");
        assertThat(ask(81)).isEqualTo(new Verdict.Passes());
        tamper("delete table inet podwire");
        assertThat(ask(81)).isEqualTo(new Verdict.Passes());
    }

    @Test
    void whatItDoesNotUnderstandIsSaidAndNotGuessed() throws Exception {
        tamper("insert rule inet podwire to-pods meta mark 7 accept");
        assertThat(ask(80))
                .isInstanceOfSatisfying(
                        Verdict.Unknown.class,
                        unknown -> assertThat(unknown.why()).contains("to-pods").contains("meta key"));
        tamper("flush chain inet podwire to-pods");
        tamper("insert rule inet podwire to-pods limit rate 1/second accept");
        assertThat(ask(80))
                .isInstanceOfSatisfying(
                        Verdict.Unknown.class,
                        unknown -> assertThat(unknown.why()).contains("limit"));
    }

    @Test
    void tablesOfOthersInTheWayAreNamed() throws Exception {
        tamper("add table ip theirs");
        tamper("add chain ip theirs c { type filter hook forward priority 5; policy drop; }");
        tamper("add table inet elsewhere");
        tamper("add chain inet elsewhere c { type filter hook output priority 5; }");
        Testimony testimony = witness.ask(question(address(A), address(B), 80));
        assertThat(testimony.otherTables()).containsExactly("ip theirs");
        assertThat(testimony.verdict()).as("theirs are not walked").isEqualTo(new Verdict.Passes());
        assertThat(testimony.revision()).isEqualTo(7);
    }

    @Test
    void rulesThatLogDecideNothing() throws Exception {
        nft.apply(Transaction.replaceAll(new RulesetPlanner(Optional.of(new DenialLog(7471, 10))).plan(input)));
        assertThat(netns.sh("nft list table inet podwire"))
                .contains("limit rate 10/second burst 10 packets log prefix \"ingress-denied:ns/p\" group 7471");
        assertThat(ask(80)).isEqualTo(new Verdict.Passes());
        assertThat(ask(81)).isInstanceOf(Verdict.Dropped.class);
    }

    @Test
    void podsOnADeviceMeetWhereNoRuleIsAsked() {
        KernelWitness onDevice =
                new KernelWitness(rules, tables, () -> List.of(onDevice(A), onDevice(B)), _ -> false, "pw0", () -> 7);
        assertThat(onDevice.ask(question(address(A), address(B), 81)).verdict()).isEqualTo(new Verdict.Elsewhere());
        assertThat(onDevice.ask(question(IpAddress.parse("192.168.9.2"), address(B), 81))
                        .verdict())
                .as("from elsewhere it comes by")
                .isNotEqualTo(new Verdict.Elsewhere());
    }

    private static LocalEndpoint onDevice(LocalEndpoint e) {
        return new LocalEndpoint(
                e.key(),
                e.pod(),
                e.podUid(),
                "pwmpabcdefghijk",
                WiringMode.HostSide.SHARED_DEVICE,
                e.mac(),
                e.addresses(),
                List.of());
    }

    @Test
    void dropsAreCountedByPolicyAndDirection() throws Exception {
        SimpleMeterRegistry meters = new SimpleMeterRegistry();
        Drops drops = new Drops(rules, TimeSource.SYSTEM, meters);
        drops.look();
        tamper("add chain inet podwire egress-x");
        tamper("add rule inet podwire egress-x counter packets 5 bytes 300 drop comment \"denied:ns/q:ns/r\"");
        tamper("add rule inet podwire egress-x counter packets 9 bytes 540 return comment \"ns/q:0\"");
        tamper("add rule bridge podwire prerouting counter packets 2 bytes 120 drop comment \"spoofed\"");
        List<Drops.Line> lines = drops.lines();
        assertThat(lines)
                .extracting(line -> line.cause().orElseThrow().toString(), Drops.Line::packets, Drops.Line::bytes)
                .containsExactly(tuple("default deny by ns/q, ns/r", 5L, 300L), tuple("spoofed", 2L, 120L));
        assertThat(lines.getFirst().cause())
                .contains(new DropCause.DefaultDeny(DropCause.Direction.EGRESS, List.of("ns/q", "ns/r")));
        assertThat(meters.get("podwire.policy.drops")
                        .tags("direction", "egress", "policy", "ns/q,ns/r", "rule", "default-deny")
                        .counter()
                        .count())
                .isEqualTo(5);
        assertThat(meters.get("podwire.guard.drops")
                        .tag("guard", "spoofed")
                        .counter()
                        .count())
                .isEqualTo(2);
    }

    private void tamper(String command) throws Exception {
        var _ = netns.sh("nft '" + command + "'");
    }

    private Verdict ask(int port) {
        return ask(address(A), address(B), port);
    }

    private Verdict ask(IpAddress from, IpAddress to, int port) {
        return witness.ask(question(from, to, port)).verdict();
    }

    private static KernelWitness.Question question(IpAddress from, IpAddress to, int port) {
        return new KernelWitness.Question(from, to, IpProtocol.TCP, port);
    }

    private static IpAddress address(LocalEndpoint endpoint) {
        return endpoint.addresses().first();
    }
}
