package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.HostPort;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.PolicyRule;
import io.podwire.node.plan.PortRange;
import io.podwire.node.plan.RulesetInput;
import io.podwire.node.plan.RulesetPlan;
import io.podwire.node.testing.Attachments;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.node.testing.Peers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Real packets to host ports: a node with two pods wired as ADD wires them, and a machine elsewhere. */
@Tag("netns")
@Timeout(120)
final class HostPortNetnsTest {
    private static final Set<IpFamily> FAMILIES = EnumSet.allOf(IpFamily.class);
    private static final String NODE = "192.168.9.1";
    private static final String NODE_6 = "fd09::1";
    private static final String ELSEWHERE = "192.168.9.2";
    private static final String ELSEWHERE_6 = "fd09::2";
    private static final String A = "10.1.0.1";
    private static final String A_6 = "fd00::1";
    private static final String B = "10.1.0.2";
    private static final String B_6 = "fd00::2";
    private static final DirectionPolicy CLOSED = new DirectionPolicy(true, List.of(), List.of("ns/deny"));

    private static final NetnsSandbox sandbox = new NetnsSandbox();
    private static final Peers peers = new Peers();
    private static final RtnetlinkPool sockets = new RtnetlinkPool();
    private static final List<LocalEndpoint> endpoints = new ArrayList<>();
    private static Space node;
    private static Space elsewhere;
    private static Space a;
    private static Space b;
    private static KernelNft nft;

    @BeforeAll
    static void wire() throws Exception {
        node = sandbox.add();
        elsewhere = sandbox.add();
        a = sandbox.add();
        b = sandbox.add();
        node.ip("link", "set", "lo", "up");
        node.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", elsewhere.name());
        address(node, NODE, NODE_6);
        address(elsewhere, ELSEWHERE, ELSEWHERE_6);
        nft = NetnsThread.call(node.netns(), KernelNft::open);
        try (LinkEvents events = LinkEvents.open(node.netns())) {
            BridgeWiring wiring = new BridgeWiring(
                    sockets, events, Runnable::run, new Sysctl(Path.of("/proc/sys")), FAMILIES, FailPoints.none());
            NetnsThread.call(node.netns(), () -> {
                wiring.prepare(1450, Set.of());
                attach(wiring, a, "a", A + "," + A_6, ports());
                attach(wiring, b, "b", B + "," + B_6, List.of());
                return true;
            });
        }
        a.ip("link", "set", "lo", "up");
        peers.serve(a, 80, 81, 82, 83, 84);
        // Somebody on the node who serves a port that no pod has on every address.
        peers.serve(node, 9002);
    }

    private static void address(Space space, String v4, String v6) {
        space.ip("addr", "add", v4 + "/24", "dev", "eth0");
        space.ip("addr", "add", v6 + "/64", "dev", "eth0", "nodad");
        space.ip("link", "set", "eth0", "up");
    }

    private static List<HostPort> ports() {
        return List.of(
                port(IpProtocol.TCP, 8080, 80, ""),
                port(IpProtocol.UDP, 8080, 81, ""),
                port(IpProtocol.TCP, 9001, 82, NODE),
                port(IpProtocol.TCP, 9002, 83, "127.0.0.1"),
                port(IpProtocol.TCP, 9002, 84, "::1"));
    }

    private static HostPort port(IpProtocol protocol, int host, int container, String ip) {
        return new HostPort(
                protocol, host, container, ip.isEmpty() ? Optional.empty() : Optional.of(IpAddress.parse(ip)));
    }

    private static void attach(BridgeWiring wiring, Space pod, String id, String addresses, List<HostPort> ports) {
        Attachment attachment = Attachments.in(pod, id, addresses);
        wiring.attach(attachment, wiring.enter(pod.netns()));
        endpoints.add(new LocalEndpoint(
                attachment.key(),
                new PodName("ns", id),
                "",
                attachment.hostIfname(),
                attachment.mac(),
                attachment.addresses(),
                ports));
    }

    @AfterAll
    static void stop() {
        peers.close();
        nft.close();
        sockets.close();
        sandbox.close();
    }

    @BeforeEach
    void open() throws Exception {
        enforce(Optional.empty());
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp", "udp"})
    void whoeverCallsIsSeen(String protocol) {
        assertThat(Peers.ask(elsewhere, protocol, NODE, 8080)).isEqualTo(ELSEWHERE);
        assertThat(Peers.ask(elsewhere, protocol, NODE_6, 8080)).isEqualTo(ELSEWHERE_6);
        assertThat(Peers.ask(b, protocol, NODE, 8080)).as("another pod here").isEqualTo(B);
        assertThat(Peers.ask(b, protocol, NODE_6, 8080)).isEqualTo(B_6);
        assertThat(Peers.ask(b, protocol, "169.254.1.1", 8080))
                .as("by the gateway, which is the node too")
                .isEqualTo(B);
        assertThat(Peers.ask(node, protocol, NODE, 8080)).as("the node").isEqualTo(NODE);
        assertThat(Peers.ask(node, protocol, NODE_6, 8080)).isEqualTo(NODE_6);
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp", "udp"})
    void aPodReachesItselfByTheNode(String protocol) {
        assertThat(Peers.ask(a, protocol, NODE, 8080)).isNotEqualTo("nothing").isNotEqualTo(A);
        assertThat(Peers.ask(a, protocol, NODE_6, 8080)).isNotEqualTo("nothing").isNotEqualTo(A_6);
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp", "udp"})
    void theNodesLoopbackLeadsToHostPorts(String protocol) {
        assertThat(Peers.ask(node, protocol, "127.0.0.1", 8080)).isEqualTo("169.254.1.1");
        assertThat(Peers.ask(node, protocol, "::1", 8080)).isEqualTo("fe80::1");
        assertThat(Peers.ask(node, protocol, "127.0.0.1", 8081))
                .as("others of its ports do as ever")
                .isEqualTo("refused");
        assertThat(node.run("sh", "-c", "cat /proc/sys/net/ipv4/conf/*/route_localnet"))
                .as("without the kernel's way for it")
                .doesNotContain("1");
    }

    @Test
    void aPortOnOneAddressIsOnThatOneAlone() {
        assertThat(Peers.ask(elsewhere, "tcp", NODE, 9001)).isEqualTo(ELSEWHERE);
        assertThat(Peers.ask(elsewhere, "tcp", NODE_6, 9001)).isEqualTo("refused");
        assertThat(Peers.ask(node, "tcp", "127.0.0.1", 9001)).isEqualTo("refused");
        assertThat(Peers.ask(b, "tcp", "169.254.1.1", 9001)).isEqualTo("refused");
    }

    @Test
    void aPortOfTheLoopbackIsTheNodesAlone() {
        assertThat(Peers.ask(node, "tcp", "127.0.0.1", 9002)).as("the pod's").isEqualTo("169.254.1.1");
        assertThat(Peers.ask(node, "tcp", "::1", 9002)).isEqualTo("fe80::1");
        assertThat(Peers.ask(elsewhere, "tcp", NODE, 9002))
                .as("the program's on the node")
                .isEqualTo(ELSEWHERE);
        assertThat(Peers.ask(b, "tcp", NODE, 9002)).isEqualTo(B);
    }

    @Test
    void aNeighbourDoesNotReachTheNodesLoopback() {
        // What CVE-2020-8558 was: packets to 127.0.0.1 from the same link, and from pods.
        for (Space space : List.of(elsewhere, b)) {
            space.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet");
            space.ip("link", "set", "lo", "down");
        }
        elsewhere.ip("route", "add", "127.0.0.1/32", "via", NODE);
        b.ip("route", "add", "127.0.0.1/32", "via", "169.254.1.1", "onlink", "dev", "eth0");
        for (Space space : List.of(elsewhere, b)) {
            assertThat(Peers.ask(space, "tcp", "127.0.0.1", 9002)).isEqualTo("nothing");
            assertThat(Peers.ask(space, "tcp", "127.0.0.1", 8080)).isEqualTo("nothing");
        }
    }

    @Test
    void packetsToOtherMachinesAreNobodysHostPort() throws Exception {
        peers.serve(elsewhere, 8080);
        elsewhere.ip("route", "add", A + "/32", "via", NODE);
        elsewhere.ip("route", "add", B + "/32", "via", NODE);
        assertThat(Peers.ask(b, "tcp", ELSEWHERE, 8080))
                .as("elsewhere's own port")
                .isEqualTo(B);
        assertThat(Peers.ask(node, "tcp", ELSEWHERE, 8080)).isEqualTo(NODE);
        assertThat(Peers.ask(elsewhere, "tcp", A, 8080))
                .as("the pod has no such port itself")
                .isEqualTo("refused");
    }

    @Test
    void policyJudgesWhoCallsAndThePodsOwnPort() throws Exception {
        // a takes TCP 80 from b alone: the port of the pod counts, not the one of the node.
        enforce(policies(Map.of(0, new EndpointPolicy(from("b", 80, 80), DirectionPolicy.OPEN))));
        assertThat(Peers.ask(b, "tcp", NODE, 8080)).isEqualTo(B);
        assertThat(Peers.ask(b, "tcp", NODE_6, 8080)).isEqualTo(B_6);
        assertThat(Peers.ask(elsewhere, "tcp", NODE, 8080)).isEqualTo("nothing");
        assertThat(Peers.ask(elsewhere, "tcp", NODE_6, 8080)).isEqualTo("nothing");
        assertThat(Peers.ask(b, "udp", NODE, 8080)).isEqualTo("nothing");
        assertThat(Peers.ask(node, "tcp", NODE, 8080)).as("its own node may").isEqualTo(NODE);
        assertThat(Peers.ask(node, "tcp", "127.0.0.1", 8080)).isEqualTo("169.254.1.1");

        enforce(policies(Map.of(0, new EndpointPolicy(from("b", 8080, 8080), DirectionPolicy.OPEN))));
        assertThat(Peers.ask(b, "tcp", NODE, 8080)).isEqualTo("nothing");
    }

    @Test
    void policyJudgesTheCallerByThePodItReaches() throws Exception {
        enforce(policies(Map.of(1, new EndpointPolicy(DirectionPolicy.OPEN, from("a", 80, 80)))));
        assertThat(Peers.ask(b, "tcp", NODE, 8080)).isEqualTo(B);
        assertThat(Peers.ask(b, "udp", NODE, 8080)).isEqualTo("nothing");
        enforce(policies(Map.of(1, new EndpointPolicy(DirectionPolicy.OPEN, CLOSED))));
        assertThat(Peers.ask(b, "tcp", NODE, 8080)).isEqualTo("nothing");
    }

    @Test
    void noPolicyKeepsAPodFromItself() throws Exception {
        enforce(policies(Map.of(0, new EndpointPolicy(CLOSED, CLOSED))));
        assertThat(Peers.ask(a, "tcp", NODE, 8080)).isNotEqualTo("nothing").isNotEqualTo("refused");
        assertThat(Peers.ask(a, "tcp", NODE_6, 8080)).isNotEqualTo("nothing").isNotEqualTo("refused");
        assertThat(Peers.ask(b, "tcp", NODE, 8080)).isEqualTo("nothing");
    }

    @Test
    void aPodThatNoProgramCoversIsNotReached() throws Exception {
        enforce(Optional.of(NodeProgram.EMPTY));
        assertThat(Peers.ask(elsewhere, "tcp", NODE, 8080))
                .as("nobody listens there")
                .isEqualTo("refused");
    }

    private static void enforce(Optional<NodeProgram> program) throws Exception {
        nft.apply(Transaction.replaceAll(
                RulesetPlan.plan(new RulesetInput(PodNames.BRIDGE, FAMILIES, endpoints, program, 4789))));
    }

    /** Everyone open but these, by their index. */
    private static Optional<NodeProgram> policies(Map<Integer, EndpointPolicy> policies) {
        SortedMap<EndpointKey, EndpointPolicy> all = new TreeMap<>();
        for (int i = 0; i < endpoints.size(); i++) {
            all.put(endpoints.get(i).key(), policies.getOrDefault(i, EndpointPolicy.OPEN));
        }
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        sets.put("a", set("a", A, A_6));
        sets.put("b", set("b", B, B_6));
        return Optional.of(new NodeProgram(1, all, sets));
    }

    private static AddressSet set(String id, String v4, String v6) {
        return new AddressSet(id, id, List.of(IpPrefix.parse(v4 + "/32"), IpPrefix.parse(v6 + "/128")));
    }

    private static DirectionPolicy from(String set, int first, int last) {
        return new DirectionPolicy(
                true,
                List.of(new PolicyRule(
                        "ns/p", 0, false, List.of(set), false, List.of(new PortRange(IpProtocol.TCP, first, last)))),
                List.of("ns/p"));
    }
}
