package io.podwire.node.dataplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.NftEvent;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.EstablishedFlows;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.RulesetInput;
import io.podwire.node.plan.RulesetPlan;
import io.podwire.node.service.Called;
import io.podwire.node.service.Ports;
import io.podwire.node.service.ServicePort;
import io.podwire.node.testing.Attachments;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.node.testing.Peers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Real packets to Services: a node with two pods, a client on one side of it and an endpoint on the other. */
@Tag("netns")
@Timeout(120)
final class ServiceReconcilerNetnsTest {
    private static final Set<IpFamily> FAMILIES = EnumSet.allOf(IpFamily.class);
    private static final String NODE = "192.168.9.1";
    private static final String NODE_6 = "fd09::1";
    private static final String CLIENT = "192.168.9.2";
    private static final String CLIENT_6 = "fd09::2";
    private static final String FAR = "192.168.10.2";
    private static final String FAR_6 = "fd10::2";
    private static final String NODE_TO_FAR = "192.168.10.1";
    private static final String NODE_TO_FAR_6 = "fd10::1";
    private static final String A = "10.1.0.1";
    private static final String A_6 = "fd00::1";
    private static final String B = "10.1.0.2";
    private static final String B_6 = "fd00::2";
    private static final String VIP = "10.96.0.1";
    private static final String VIP_6 = "fd96::1";
    private static final String EXTERNAL = "203.0.113.1";

    private static final NetnsSandbox sandbox = new NetnsSandbox();
    private static final Peers peers = new Peers();
    private static final RtnetlinkPool sockets = new RtnetlinkPool();
    private static final List<LocalEndpoint> endpoints = new ArrayList<>();
    private static final EventLoop loop = new EventLoop("services");
    private static Space node;
    private static Space client;
    private static Space far;
    private static Space a;
    private static Space b;
    private static KernelNft nft;
    private static NftRules kernel;
    private static NftTables tables;
    private static Conntrack conntrack;
    private static final List<Called> called = new ArrayList<>();
    private static ServiceReconciler services;

    @BeforeAll
    static void wire() throws Exception {
        node = sandbox.add();
        client = sandbox.add();
        far = sandbox.add();
        a = sandbox.add();
        b = sandbox.add();
        node.ip("link", "set", "lo", "up");
        node.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", client.name());
        node.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", far.name());
        address(node, "eth0", NODE, NODE_6);
        address(client, "eth0", CLIENT, CLIENT_6);
        address(node, "eth1", NODE_TO_FAR, NODE_TO_FAR_6);
        address(far, "eth0", FAR, FAR_6);
        // A client that does not know the pods, and an endpoint's node that does.
        client.ip("route", "add", "default", "via", NODE);
        client.ip("-6", "route", "add", "default", "via", NODE_6);
        far.ip("route", "add", "10.1.0.0/24", "via", NODE_TO_FAR);
        far.ip("-6", "route", "add", "fd00::/64", "via", NODE_TO_FAR_6);
        node.ip("route", "add", "default", "via", FAR);
        node.ip("-6", "route", "add", "default", "via", FAR_6);
        nft = NetnsThread.call(node.netns(), KernelNft::open);
        try (LinkEvents events = LinkEvents.open(node.netns())) {
            BridgeWiring wiring = new BridgeWiring(
                    sockets, events, Runnable::run, new Sysctl(Path.of("/proc/sys")), FAMILIES, FailPoints.none());
            NetnsThread.call(node.netns(), () -> {
                wiring.prepare(1450, Set.of());
                attach(wiring, a, "a", A + "," + A_6);
                attach(wiring, b, "b", B + "," + B_6);
                return true;
            });
        }
        peers.serve(a, 80, 81);
        peers.serve(b, 85);
        peers.serve(far, 90);
        kernel = NftRules.open(node.netns());
        tables = NetnsThread.call(node.netns(), NftTables::open);
        conntrack = Conntrack.open(node.netns());
        services = reconciler();
        policy(DirectionPolicy.OPEN);
    }

    private static ServiceReconciler reconciler() throws Exception {
        StaleServiceFlows flows = new StaleServiceFlows(conntrack, sockets);
        return new ServiceReconciler(
                nft,
                kernel,
                tables,
                loop,
                () -> List.of(IpPrefix.parse(NODE + "/32"), IpPrefix.parse(NODE_6 + "/128")),
                (Collection<Called> places) -> {
                    called.addAll(places);
                    try {
                        NetnsThread.call(node.netns(), () -> {
                            flows.forget(places);
                            return true;
                        });
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                });
    }

    private static void address(Space space, String device, String v4, String v6) {
        space.ip("addr", "add", v4 + "/24", "dev", device);
        space.ip("addr", "add", v6 + "/64", "dev", device, "nodad");
        space.ip("link", "set", device, "up");
    }

    private static void attach(BridgeWiring wiring, Space pod, String id, String addresses) {
        Attachment attachment = Attachments.in(pod, id, addresses);
        wiring.attach(attachment, wiring.enter(pod.netns()));
        endpoints.add(new LocalEndpoint(
                attachment.key(),
                new PodName("ns", id),
                "",
                attachment.hostIfname(),
                attachment.mac(),
                attachment.addresses(),
                List.of()));
    }

    private static void policy(DirectionPolicy ofA) throws Exception {
        SortedMap<EndpointKey, EndpointPolicy> all = new TreeMap<>();
        all.put(endpoints.get(0).key(), new EndpointPolicy(ofA, ofA));
        all.put(endpoints.get(1).key(), EndpointPolicy.OPEN);
        nft.apply(Transaction.replaceAll(RulesetPlan.plan(new RulesetInput(
                PodNames.BRIDGE,
                FAMILIES,
                endpoints,
                Optional.of(new NodeProgram(1, all, new TreeMap<>())),
                4789,
                false,
                EstablishedFlows.JUDGE,
                Masquerade.NONE,
                true))));
    }

    @AfterAll
    static void stop() {
        peers.close();
        loop.close();
        conntrack.close();
        kernel.close();
        tables.close();
        nft.close();
        sockets.close();
        sandbox.close();
    }

    @AfterEach
    void nothing() throws Exception {
        serve();
        policy(DirectionPolicy.OPEN);
    }

    private static void serve(Ports.Draft... ports) {
        services.replace(Stream.of(ports).map(Ports.Draft::build).toList()).join();
        assertThat(services.healthy()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp", "udp"})
    void podsAndTheNodeReachAClusterIpAndAreSeen(String protocol) {
        IpProtocol of = IpProtocol.of(protocol).orElseThrow();
        serve(
                Ports.port("ns/s", VIP, 8080).protocol(of).endpoints(A + ":80"),
                Ports.port("ns/s", VIP_6, 8080).protocol(of).endpoints("[" + A_6 + "]:80"));
        assertThat(Peers.ask(b, protocol, VIP, 8080)).isEqualTo(B);
        assertThat(Peers.ask(b, protocol, VIP_6, 8080)).isEqualTo(B_6);
        assertThat(Peers.ask(node, protocol, VIP, 8080)).isNotEqualTo("nothing").isNotEqualTo("refused");
        assertThat(Peers.ask(node, protocol, VIP_6, 8080))
                .isNotEqualTo("nothing")
                .isNotEqualTo("refused");
        assertThat(Peers.ask(client, protocol, VIP, 8080))
                .as("the answer comes by this node, so nothing has to hide")
                .isEqualTo(CLIENT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp", "udp"})
    void aPodReachesItselfWhateverThePolicy(String protocol) throws Exception {
        IpProtocol of = IpProtocol.of(protocol).orElseThrow();
        serve(
                Ports.port("ns/s", VIP, 8080).protocol(of).endpoints(A + ":80"),
                Ports.port("ns/s", VIP_6, 8080).protocol(of).endpoints("[" + A_6 + "]:80"));
        policy(new DirectionPolicy(true, List.of(), List.of("ns/deny")));
        assertThat(Peers.ask(a, protocol, VIP, 8080)).isNotIn("nothing", "refused", A);
        assertThat(Peers.ask(a, protocol, VIP_6, 8080)).isNotIn("nothing", "refused", A_6);
        assertThat(Peers.ask(b, protocol, VIP, 8080)).as("others do not").isEqualTo("nothing");
    }

    @Test
    void endpointsOnOtherNodesSeePodsAndNotClientsFromOutside() {
        serve(
                Ports.port("ns/s", VIP, 8080)
                        .nodePort(30080)
                        .externalIps(EXTERNAL)
                        .endpoints("@" + FAR + ":90"),
                Ports.port("ns/s", VIP_6, 8080).nodePort(30080).endpoints("@[" + FAR_6 + "]:90"));
        assertThat(Peers.ask(b, "tcp", VIP, 8080)).isEqualTo(B);
        assertThat(Peers.ask(b, "tcp", EXTERNAL, 8080))
                .as("by the external IP too")
                .isEqualTo(B);
        assertThat(Peers.ask(b, "tcp", NODE, 30080)).as("by the node port").isEqualTo(B);
        assertThat(Peers.ask(client, "tcp", NODE, 30080)).isEqualTo(NODE_TO_FAR);
        assertThat(Peers.ask(client, "tcp", NODE_6, 30080)).isEqualTo(NODE_TO_FAR_6);
        assertThat(Peers.ask(client, "tcp", EXTERNAL, 8080)).isEqualTo(NODE_TO_FAR);
        assertThat(Peers.ask(client, "tcp", VIP, 8080)).isEqualTo(NODE_TO_FAR);
        assertThat(Peers.ask(client, "tcp", NODE_TO_FAR, 30080))
                .as("node ports are open at the primary addresses")
                .isEqualTo("refused");
    }

    @Test
    void underPolicyLocalClientsFromOutsideFindThisNodesEndpointsAloneAndAreSeen() {
        serve(Ports.port("ns/s", VIP, 8080)
                .nodePort(30080)
                .externalIps(EXTERNAL)
                .externalLocal()
                .endpoints("@" + FAR + ":90"));
        assertThat(Peers.ask(client, "tcp", NODE, 30080)).as("no endpoint here").isEqualTo("nothing");
        assertThat(Peers.ask(client, "tcp", EXTERNAL, 8080)).isEqualTo("nothing");
        assertThat(Peers.ask(b, "tcp", EXTERNAL, 8080))
                .as("who is inside need not care")
                .isEqualTo(B);
        serve(Ports.port("ns/s", VIP, 8080)
                .nodePort(30080)
                .externalIps(EXTERNAL)
                .externalLocal()
                .endpoints(A + ":80", "@" + FAR + ":91"));
        for (int i = 0; i < 10; i++) {
            assertThat(Peers.ask(client, "tcp", NODE, 30080)).isEqualTo(CLIENT);
            assertThat(Peers.ask(client, "tcp", EXTERNAL, 8080)).isEqualTo(CLIENT);
        }
    }

    @Test
    void underInternalPolicyLocalPodsFindThisNodesEndpointsAlone() {
        serve(Ports.port("ns/s", VIP, 8080).internalLocal().endpoints("@" + FAR + ":90"));
        assertThat(Peers.ask(b, "tcp", VIP, 8080)).isEqualTo("nothing");
        serve(Ports.port("ns/s", VIP, 8080).internalLocal().endpoints(A + ":80", "@" + FAR + ":91"));
        for (int i = 0; i < 10; i++) {
            assertThat(Peers.ask(b, "tcp", VIP, 8080)).isEqualTo(B);
        }
    }

    @Test
    void whatNobodyServesIsRefused() {
        serve(
                Ports.port("ns/none", VIP, 8080).nodePort(30080).endpoints(),
                Ports.port("ns/none", VIP, 8080).protocol(IpProtocol.UDP).endpoints(),
                Ports.port("ns/none", VIP_6, 8080).endpoints());
        assertThat(Peers.ask(b, "tcp", VIP, 8080)).isEqualTo("refused");
        assertThat(Peers.ask(b, "udp", VIP, 8080)).isEqualTo("refused");
        assertThat(Peers.ask(b, "tcp", VIP_6, 8080)).isEqualTo("refused");
        assertThat(Peers.ask(client, "tcp", NODE, 30080)).isEqualTo("refused");
        assertThat(Peers.ask(node, "tcp", VIP, 8080)).isEqualTo("refused");
        assertThat(Peers.ask(b, "tcp", VIP, 8081)).as("another port of it").isEqualTo("refused");
    }

    @Test
    void aLoadBalancerTakesCallsFromItsRangesAlone() {
        serve(Ports.port("ns/s", VIP, 8080)
                .loadBalancerIps(EXTERNAL)
                .sources("198.51.100.0/24")
                .endpoints(A + ":80"));
        assertThat(Peers.ask(client, "tcp", EXTERNAL, 8080)).isEqualTo("nothing");
        assertThat(Peers.ask(client, "tcp", VIP, 8080))
                .as("its other addresses are no matter")
                .isEqualTo(CLIENT);
        serve(Ports.port("ns/s", VIP, 8080)
                .loadBalancerIps(EXTERNAL)
                .sources("198.51.100.0/24", CLIENT + "/32")
                .endpoints(A + ":80"));
        assertThat(Peers.ask(client, "tcp", EXTERNAL, 8080)).isEqualTo(CLIENT);
    }

    @ParameterizedTest
    @CsvSource({"false,false", "false,true", "true,false", "true,true"})
    void aClientComesBackToItsEndpoint(boolean six, boolean nodePort) {
        // One of them refuses, so that an answer tells which it was.
        String vip = six ? VIP_6 : VIP;
        String to = nodePort ? (six ? NODE_6 : NODE) : vip;
        int port = nodePort ? 30080 : 8080;
        String a = six ? "[" + A_6 + "]:80" : A + ":80";
        String b = six ? "[" + B_6 + "]:80" : B + ":80";
        serve(Ports.port("ns/s", vip, 8080).nodePort(30080).endpoints(a, b));
        Set<String> answers = new HashSet<>();
        for (int i = 0; i < 40; i++) {
            answers.add(Peers.ask(client, "tcp", to, port));
        }
        assertThat(answers).as("without affinity").containsExactlyInAnyOrder(six ? CLIENT_6 : CLIENT, "refused");
        serve(Ports.port("ns/s", vip, 8080).nodePort(30080).affinity(100).endpoints(a, b));
        answers.clear();
        for (int i = 0; i < 20; i++) {
            answers.add(Peers.ask(client, "tcp", to, port));
        }
        assertThat(answers).hasSize(1);
        String map = (nodePort ? "port-affinity-" : "affinity-") + (six ? "6" : "4");
        assertThat(node.run("nft", "list", "map", "inet", "podwire-services", map))
                .as("what is remembered, for how long")
                .contains(six ? CLIENT_6 : CLIENT)
                .contains("timeout 1m40s");
        String left = answers.contains("refused") ? a : b;
        serve(Ports.port("ns/s", vip, 8080).nodePort(30080).affinity(100).endpoints(left));
        assertThat(Peers.ask(client, "tcp", to, port))
                .as("its endpoint is gone: it gets another")
                .isNotIn(answers);
    }

    /** Operators list it; and libnftables reads it back before each script. */
    @Test
    void nftListsTheRulesThatRemember() {
        serve(
                Ports.port("ns/s", VIP, 8080).nodePort(30080).affinity(100).endpoints(A + ":80"),
                Ports.port("ns/s", VIP_6, 8080).nodePort(30080).affinity(100).endpoints("[" + A_6 + "]:80"));
        assertThat(node.run("nft", "list", "table", "inet", "podwire-services"))
                .contains("update @affinity-4 { ct original ip saddr . ct original ip daddr . ct protocol"
                        + " . ct original proto-dst timeout 1m40s : ip daddr . th dport }")
                .contains("update @affinity-6 { ct original ip6 saddr . ct original ip6 daddr . ct protocol"
                        + " . ct original proto-dst timeout 1m40s : ip6 daddr . th dport }")
                .contains("update @port-affinity-6 { ct original ip6 saddr . ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp", "udp"})
    void everyEndpointGetsCalls(String protocol) {
        IpProtocol of = IpProtocol.of(protocol).orElseThrow();
        serve(
                Ports.port("ns/s", VIP, 8080).protocol(of).nodePort(30080).endpoints(A + ":80", B + ":80"),
                Ports.port("ns/s", VIP_6, 8080)
                        .protocol(of)
                        .nodePort(30080)
                        .endpoints("[" + A_6 + "]:80", "[" + B_6 + "]:80"));
        for (String to : List.of(VIP, VIP_6, NODE, NODE_6)) {
            Set<String> answers = new HashSet<>();
            for (int i = 0; i < 40; i++) {
                answers.add(Peers.ask(client, protocol, to, to.equals(VIP) || to.equals(VIP_6) ? 8080 : 30080));
            }
            // A pod rejects a few datagrams a second, and is silent about more.
            assertThat(answers).as(to).contains("refused").hasSizeGreaterThan(1);
            answers.removeAll(Set.of("refused", "nothing"));
            assertThat(answers).as(to).hasSize(1);
        }
    }

    @Test
    void flowsToAnEndpointThatIsGoneAreForgotten() {
        serve(Ports.port("ns/s", VIP, 53)
                .protocol(IpProtocol.UDP)
                .nodePort(30053)
                .endpoints(A + ":81"));
        assertThat(Peers.ask(client, "udp", VIP, 53, 5353)).isEqualTo(CLIENT);
        assertThat(Peers.ask(client, "udp", NODE, 30053, 5354)).isEqualTo(CLIENT);
        assertThat(flowsTo(A, 81)).isEqualTo(2);
        serve(Ports.port("ns/s", VIP, 53)
                .protocol(IpProtocol.UDP)
                .nodePort(30053)
                .endpoints(B + ":85"));
        assertThat(flowsTo(A, 81)).isZero();
        assertThat(Peers.ask(client, "udp", VIP, 53, 5353)).isEqualTo(CLIENT);
        assertThat(Peers.ask(client, "udp", NODE, 30053, 5354)).isEqualTo(CLIENT);
        assertThat(flowsTo(B, 85)).isEqualTo(2);
    }

    /** Its SYN was sent on as it was, and conntrack would do the same with each that follows from this port. */
    @ParameterizedTest
    @ValueSource(strings = {VIP, VIP_6})
    void whoCalledBeforeTheServiceWasThereIsServedByTheNextSyn(String vip) {
        boolean six = vip.contains(":");
        assertThat(Peers.ask(client, "tcp", vip, 8081, 5355)).isEqualTo("nothing");
        serve(Ports.port("ns/late", vip, 8081).endpoints(six ? "[" + A_6 + "]:80" : A + ":80"));
        assertThat(Peers.ask(client, "tcp", vip, 8081, 5355)).isEqualTo(six ? CLIENT_6 : CLIENT);
    }

    private static long flowsTo(String address, int port) {
        return conntrack
                .connections(
                        IpFamily.V4,
                        connection -> connection.reply().source().equals(IpAddress.parse(address))
                                && connection.reply().sourcePort() == port)
                .size();
    }

    @Test
    void aRestartFindsAllThatIsRightAndRepairsWhatIsNot() throws Exception {
        List<ServicePort> ports = List.of(
                Ports.port("ns/s", VIP, 8080)
                        .nodePort(30080)
                        .affinity(100)
                        .externalLocal()
                        .loadBalancerIps(EXTERNAL)
                        .sources("198.51.100.0/24")
                        .endpoints(A + ":80", B + ":85", "@" + FAR + ":90")
                        .build(),
                Ports.port("ns/t", VIP, 53)
                        .protocol(IpProtocol.UDP)
                        .endpoints(A + ":81")
                        .build());
        services.replace(ports).join();
        assertThat(reconciler().replace(ports).join()).as("nothing to write").isZero();
        node.run("nft", "delete element inet podwire-services inside-4 { " + VIP + " . tcp . 8080 }");
        assertThat(Peers.ask(node, "tcp", VIP, 8080)).isEqualTo("refused");
        assertThat(reconciler().replace(ports).join()).isEqualTo(1);
        assertThat(Peers.ask(node, "tcp", VIP, 8080)).isNotIn("refused", "nothing");
    }

    static Stream<NftEvent> whatSomebodyElseDid() {
        return Stream.of(new NftEvent.TableChanged("inet", "podwire-services", false, "nft (1)"), new NftEvent.Lost());
    }

    @ParameterizedTest
    @MethodSource("whatSomebodyElseDid")
    void whatOthersChangeIsPutRight(NftEvent event) {
        serve(Ports.port("ns/s", VIP, 8080).endpoints(A + ":80"));
        node.run("nft", "flush map inet podwire-services inside-4");
        assertThat(Peers.ask(b, "tcp", VIP, 8080)).isEqualTo("refused");
        services.told(event);
        await().untilAsserted(() -> assertThat(Peers.ask(b, "tcp", VIP, 8080)).isEqualTo(B));
    }

    @Test
    void switchedOffNothingIsLeft() throws Exception {
        serve(Ports.port("ns/s", VIP, 8080).endpoints(A + ":80"));
        ServiceReconciler.switchOff(nft, tables);
        assertThat(node.run("nft", "list", "tables")).doesNotContain("podwire-services");
        services = reconciler();
        serve(Ports.port("ns/s", VIP, 8080).endpoints(A + ":80"));
        assertThat(Peers.ask(b, "tcp", VIP, 8080)).isEqualTo(B);
    }
}
