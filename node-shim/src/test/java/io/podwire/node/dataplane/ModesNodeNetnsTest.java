package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.node.cni.Node;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.RulesetPlanner;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.plan.WiringMode.Macvlan.Reach;
import io.podwire.node.testing.Attachments;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One node with pods of several modes and the ruleset in its kernel: who reaches whom, and what forgers can send. */
@Tag("netns")
final class ModesNodeNetnsTest {
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);
    private static final WiringMode MACVLAN = new WiringMode.Macvlan("m0", Reach.BRIDGE, false);
    private static final WiringMode PRIVATE = new WiringMode.Macvlan("m0", Reach.PRIVATE, false);

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final EventLoop loop = new EventLoop("modes-test");
    private final Map<String, Space> pods = new LinkedHashMap<>();
    private final Map<String, Attachment> attachments = new LinkedHashMap<>();
    private Space node;
    private Space wire;
    private RtnetlinkPool sockets;
    private LinkEvents events;
    private KernelNft nft;
    private Wirings wirings;
    private RulesetReconciler ruleset;

    @BeforeEach
    void wire() throws Exception {
        node = sandbox.add();
        wire = sandbox.add();
        node.ip("link", "set", "lo", "up");
        // With equal indexes at both ends the kernel takes a second to tell of a carrier: linkwatch_urgent_event().
        node.ip("link", "add", "m0", "index", "100", "type", "veth", "peer", "name", "s0", "netns", wire.name());
        node.ip("link", "set", "m0", "up");
        // A switch that sends frames back to where they came from, which pods of mode private need to reach the node.
        wire.ip("link", "add", "sw0", "type", "bridge");
        wire.ip("link", "set", "s0", "master", "sw0");
        wire.ip("link", "set", "s0", "type", "bridge_slave", "hairpin", "on");
        wire.ip("link", "set", "s0", "up");
        wire.ip("link", "set", "sw0", "up");
        sockets = new RtnetlinkPool();
        events = LinkEvents.open(node.netns());
        nft = onNode(KernelNft::open);
        Sysctl sysctl = new Sysctl(Path.of("/proc/sys"));
        FailPoints none = FailPoints.none();
        BridgeWiring bridge = new BridgeWiring(sockets, events, Runnable::run, sysctl, BOTH, none);
        onNode(() -> {
            bridge.prepare(1450, Set.of());
            return true;
        });
        wirings = new Wirings(
                bridge,
                new RoutedWiring(sockets, events, Runnable::run, sysctl, BOTH, none),
                new DeviceWiring(sockets, sysctl, BOTH, none));
        ruleset = new RulesetReconciler(nft, loop, BOTH, 4789, Masquerade.NONE);
        ruleset.start(List.of(), Optional.empty());
        add("bridged", new WiringMode.Bridge());
        add("routed", new WiringMode.Routed());
        add("routed2", new WiringMode.Routed());
        add("macvlan", MACVLAN);
        add("macvlan2", MACVLAN);
        add("private", PRIVATE);
        add("private2", PRIVATE);
        // The kernel tells a bridge of a port's carrier some time after the link is up.
        await().atMost(Duration.ofSeconds(10))
                .until(() -> !wire.run("bridge", "link").contains("state disabled"));
        assertThat(node.run("bridge", "link"))
                .as("ports of pods that are attached")
                .doesNotContain("state disabled");
    }

    private void add(String id, WiringMode mode) throws Exception {
        Space pod = sandbox.add();
        Attachment attachment = attachment(id, mode, pod);
        ruleset.expectUnbridged().orTimeout(5, TimeUnit.SECONDS).join();
        CompletableFuture<Long> covered = ruleset.attach(Node.endpoint(attachment));
        onNode(() -> wirings.attach(attachment, wirings.enter(pod.netns())));
        covered.orTimeout(5, TimeUnit.SECONDS).join();
    }

    private Attachment attachment(String id, WiringMode mode, Space pod) throws Exception {
        int number = pods.size() + 1;
        Attachment asked = Attachments.in(pod, id, "10.1.0." + number + ",fd00:1::" + number);
        Attachment planned =
                onNode(() -> wirings.plan(asked.wired(mode, asked.hostIfname(), asked.mac(), asked.mtu())));
        pods.put(id, pod);
        attachments.put(id, planned);
        return planned;
    }

    private <T> T onNode(Callable<T> body) throws Exception {
        return NetnsThread.call(node.netns(), body);
    }

    @AfterEach
    void remove() {
        loop.close();
        nft.close();
        events.close();
        sockets.close();
        sandbox.close();
    }

    @Test
    void podsOfAllModesReachEachOtherButThosePrivate() throws Exception {
        for (String from : pods.keySet()) {
            for (String to : pods.keySet()) {
                if (from.equals(to)) {
                    continue;
                }
                boolean apart =
                        (from.startsWith("private") && onDevice(to)) || (to.startsWith("private") && onDevice(from));
                for (IpFamily family : BOTH) {
                    assertThat(pings(from, address(to, family)))
                            .as("%s to %s by %s", from, to, family)
                            .isEqualTo(!apart);
                }
            }
            assertThat(node.run("ping", "-c1", "-W2", address(from, IpFamily.V4)))
                    .as("the node to %s", from)
                    .contains("1 received");
        }
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "spoofed")).isZero();
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "private"))
                .as("kept apart")
                .isPositive();
        assertThat(onNode(() -> wirings.audit(List.copyOf(attachments.values()))))
                .isEmpty();
    }

    private static boolean onDevice(String id) {
        return id.startsWith("macvlan") || id.startsWith("private");
    }

    @ParameterizedTest
    @ValueSource(strings = {"routed", "macvlan"})
    void nobodySendsFromAnothersAddress(String forger) throws Exception {
        Space pod = pods.get(forger);
        String other = address(forger + "2", IpFamily.V4);
        pod.ip("addr", "add", other + "/32", "dev", "eth0");
        pod.ip("addr", "add", "10.66.0.1/32", "dev", "eth0");
        pod.ip("addr", "add", address(forger + "2", IpFamily.V6) + "/128", "dev", "eth0", "nodad");
        pod.ip("addr", "add", "fd66::1/128", "dev", "eth0", "nodad");
        assertThat(pingsFrom(forger, other, address("bridged", IpFamily.V4)))
                .as("another pod's")
                .isFalse();
        assertThat(pingsFrom(forger, "10.66.0.1", address("bridged", IpFamily.V4)))
                .as("its own choice")
                .isFalse();
        assertThat(pingsFrom(forger, "10.66.0.1", "169.254.1.1"))
                .as("to the node")
                .isFalse();
        String other6 = address(forger + "2", IpFamily.V6);
        assertThat(pingsFrom(forger, other6, address("bridged", IpFamily.V6)))
                .as("IPv6")
                .isFalse();
        assertThat(pingsFrom(forger, "fd66::1", "fe80::1%eth0"))
                .as("IPv6 to the node")
                .isFalse();
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "spoofed"))
                .as(() -> "forged packets that were dropped; ICMPv6 that pods sent: " + sent())
                .isEqualTo(5);
        assertThat(pings(forger, address("bridged", IpFamily.V4)))
                .as("from its own")
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"routed", "macvlan"})
    void nobodySendsFromAnotherMacAddress(String forger) throws Exception {
        pods.get(forger).ip("link", "set", "eth0", "address", "02:00:00:00:00:66");
        pods.get(forger)
                .ip("neigh", "replace", "169.254.1.1", "lladdr", gatewayMac(forger), "dev", "eth0", "nud", "permanent");
        pods.get(forger).run("sh", "-c", "ping -c1 -W1 " + address("bridged", IpFamily.V4) + " || true");
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "spoofed")).isEqualTo(1);
    }

    /** A switch's IGMP reports, say: by chance of its hash the node's own macvlan hears some that it never joined. */
    @Test
    void whatTheNetworkTellsAllIsNoForgeryOfAPod() throws Exception {
        wire.ip("addr", "add", "10.77.0.1/24", "dev", "sw0");
        wire.run("sh", "-c", "ping -c1 -W0.3 -b 10.77.0.255 2>&1 || true");
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "lan-multicast")).isPositive();
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "spoofed")).isZero();
    }

    private String gatewayMac(String id) {
        return node.ipJson("link", "show", PodNames.port(attachments.get(id)))
                .path(0)
                .path("address")
                .asText();
    }

    @ParameterizedTest
    @ValueSource(strings = {"routed", "macvlan"})
    void whoAsksForANeighbourGetsNoAnswer(String id) throws Exception {
        Space pod = pods.get(id);
        pod.ip("-6", "neigh", "del", "fe80::1", "dev", "eth0");
        assertThat(pings(id, address("bridged", IpFamily.V6))).isFalse();
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "nd")).isPositive();
    }

    /** Wired, its link up, and not in the ruleset yet. */
    @ParameterizedTest
    @CsvSource({"routed", "macvlan"})
    void beforeItsRulesNothingOfAPodPasses(String mode) throws Exception {
        Space pod = sandbox.add();
        Attachment late = attachment("late", mode.equals("routed") ? new WiringMode.Routed() : MACVLAN, pod);
        onNode(() -> wirings.attach(late, wirings.enter(pod.netns())));
        assertThat(pings("late", "169.254.1.1")).isFalse();
        assertThat(pings("late", address("bridged", IpFamily.V6))).isFalse();
        assertThat(counter(RulesetPlanner.POLICY_TABLE, "spoofed")).isEqualTo(2);
        ruleset.attach(Node.endpoint(late)).orTimeout(5, TimeUnit.SECONDS).join();
        assertThat(pings("late", "169.254.1.1")).isTrue();
    }

    @Test
    void policyOfARoutedPodHoldsBothWays() {
        DirectionPolicy closed = new DirectionPolicy(true, List.of(), List.of("ns/closed"));
        enforce("routed", new EndpointPolicy(closed, DirectionPolicy.OPEN));
        for (IpFamily family : BOTH) {
            assertThat(pings("routed2", address("routed", family))).as("in").isFalse();
            assertThat(pings("bridged", address("routed", family))).as("in").isFalse();
            assertThat(pings("routed", address("bridged", family))).as("out").isTrue();
        }
        enforce("routed", new EndpointPolicy(DirectionPolicy.OPEN, closed));
        for (IpFamily family : BOTH) {
            assertThat(pings("routed2", address("routed", family))).as("in").isTrue();
            assertThat(pings("routed", address("routed2", family))).as("out").isFalse();
            assertThat(pings("routed", address("bridged", family))).as("out").isFalse();
        }
        assertThat(pings("routed", "169.254.1.1"))
                .as("egress to the node is judged too")
                .isFalse();
    }

    @Test
    void policyThatAModeCannotKeepIsKnown() {
        DirectionPolicy closed = new DirectionPolicy(true, List.of(), List.of("ns/closed"));
        for (String id : pods.keySet()) {
            assertThat(ruleset.isolatesInVain(Node.endpoint(attachments.get(id))))
                    .isFalse();
            enforce(id, new EndpointPolicy(closed, DirectionPolicy.OPEN));
            assertThat(ruleset.isolatesInVain(Node.endpoint(attachments.get(id))))
                    .as(id)
                    .isEqualTo(onDevice(id));
        }
    }

    private void enforce(String id, EndpointPolicy policy) {
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        attachments.values().forEach(a -> endpoints.put(a.key(), EndpointPolicy.OPEN));
        endpoints.put(attachments.get(id).key(), policy);
        ruleset.program(new NodeProgram(ruleset.revision() + 1, endpoints, new TreeMap<>()))
                .orTimeout(5, TimeUnit.SECONDS)
                .join();
    }

    private String address(String id, IpFamily family) {
        return attachments.get(id).addresses().of(family).orElseThrow().toString();
    }

    private boolean pings(String from, String to) {
        return ping(from, to);
    }

    private boolean pingsFrom(String from, String source, String to) {
        return ping(from, "-I " + source + " " + to);
    }

    private boolean ping(String from, String arguments) {
        return pods.get(from)
                .run("sh", "-c", "ping -c1 -W0.3 " + arguments + " 2>&1 || true")
                .contains(" 1 received");
    }

    private Map<String, String> sent() {
        Map<String, String> sent = new TreeMap<>();
        pods.forEach((id, pod) -> sent.put(
                id,
                pod.run("sh", "-c", "grep -E 'OutType|OutMcast|OutRequests' /proc/net/snmp6; ip -s link show eth0")));
        return sent;
    }

    private long counter(TableId table, String comment) throws Exception {
        return nft.list(table).orElseThrow().counters().entrySet().stream()
                .filter(entry -> entry.getKey().comment().equals(comment))
                .mapToLong(entry -> entry.getValue().packets())
                .sum();
    }
}
