package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.util.concurrent.Striped;
import com.google.protobuf.ByteString;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.AddressBook;
import io.podwire.node.dataplane.BridgeWiring;
import io.podwire.node.dataplane.DeviceWiring;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.PodExtras;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.RoutedWiring;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.dataplane.StaleConnections;
import io.podwire.node.dataplane.Sysctl;
import io.podwire.node.dataplane.Wirings;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.AttachmentTable;
import io.podwire.node.journal.IntentFolder;
import io.podwire.node.journal.Journal;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.ModelNft;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.RulesetPlanner;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.proto.cni.v1.CniReply;
import io.podwire.proto.cni.v1.CniRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The verbs in modes other than bridge: real journal and kernel, nftables in memory. */
@Tag("netns")
final class ModeFlowsNetnsTest {
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);
    private static final String MACVLAN = "\"mode\":\"macvlan\",\"master\":\"m0\"";

    @TempDir
    Path folder;

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private ModelNft nft;
    private EventLoop loop;
    private RulesetReconciler ruleset;
    private RtnetlinkPool sockets;
    private LinkEvents events;
    private Space host;
    private Space pod;
    private Conntrack conntrack;
    private Journal journal;
    private AttachmentTable attachments;
    private AddressBook<EndpointKey> book;
    private Wirings wiring;
    private CniGrpcService cni;

    @BeforeEach
    void prepare() throws Exception {
        host = sandbox.add();
        pod = sandbox.add();
        host.ip("link", "set", "lo", "up");
        host.ip("link", "add", "m0", "type", "veth", "peer", "name", "m1");
        host.ip("link", "set", "m0", "up");
        host.ip("link", "set", "m1", "up");
        start(FailPoints.none(), Optional.empty());
    }

    /** Starts node-shim, or starts it again. */
    private void start(FailPoints failPoints, Optional<NodeProgram> program) throws Exception {
        stopNode();
        nft = new ModelNft();
        loop = new EventLoop("ruleset-test");
        ruleset = new RulesetReconciler(nft, loop, BOTH, 4789, Masquerade.NONE);
        sockets = new RtnetlinkPool();
        events = LinkEvents.open(host.netns());
        conntrack = Conntrack.open(host.netns());
        journal = Journal.open(folder.resolve("journal.mv"));
        journal.begin("boot", Optional.empty());
        attachments = new AttachmentTable(journal, new IntentFolder(folder.resolve("intents")), Runnable::run);
        book = new AddressBook<>(Duration.ofSeconds(60));
        book.addBlock(IpPrefix.parse("10.1.0.0/28"));
        book.addBlock(IpPrefix.parse("fd00:1::/124"));
        attachments.all().forEach(a -> a.addresses().stream().forEach(address -> book.restore(a.key(), address)));
        Sysctl sysctl = new Sysctl(Path.of("/proc/sys"));
        BridgeWiring bridge = new BridgeWiring(sockets, events, Runnable::run, sysctl, BOTH, failPoints);
        DeviceWiring device = new DeviceWiring(sockets, sysctl, BOTH, failPoints);
        onHost(() -> {
            bridge.prepare(1450, Set.of());
            device.prepare(attachments.all());
            return true;
        });
        wiring =
                new Wirings(bridge, new RoutedWiring(sockets, events, Runnable::run, sysctl, BOTH, failPoints), device);
        ruleset.start(attachments.all().stream().map(Node::endpoint).toList(), program);
        Node node = new Node(
                host.netns(),
                attachments,
                book,
                BOTH,
                Claims.of(attachments.all()),
                wiring,
                new PodExtras(sockets, Runnable::run, sysctl, failPoints),
                new StaleConnections(conntrack, sockets, Runnable::run),
                ruleset,
                new NoServices(),
                Striped.lazyWeakLock(64),
                () -> 1450,
                TimeSource.SYSTEM,
                failPoints);
        DelFlow del = new DelFlow(node);
        cni = new CniGrpcService(
                new AddFlow(node, StartBarrier.USUAL),
                del,
                new CheckFlow(node),
                new GcFlow(node, del),
                new StatusFlow(List::of),
                new Spool(folder.resolve("spool")),
                Runnable::run,
                Runnable::run,
                new SimpleMeterRegistry());
    }

    private void stopNode() {
        if (journal != null) {
            sockets.close();
            events.close();
            conntrack.close();
            loop.close();
            journal.close();
        }
    }

    @AfterEach
    void stop() {
        stopNode();
        sandbox.close();
    }

    private <T> T onHost(Callable<T> body) throws Exception {
        return NetnsThread.call(host.netns(), body);
    }

    static Stream<String> modes() {
        return Stream.of(
                "\"mode\":\"bridge\"",
                "\"mode\":\"routed\"",
                MACVLAN,
                MACVLAN + ",\"macvlanMode\":\"private\"",
                MACVLAN + ",\"macvlanMode\":\"vepa\"",
                MACVLAN + ",\"macvlanMode\":\"passthru\"",
                MACVLAN + ",\"promiscMode\":true");
    }

    @ParameterizedTest
    @MethodSource("modes")
    void anAttachmentLivesAndEnds(String mode) throws Exception {
        JsonNode result = ok(call("ADD", request("c1", pod, mode)));
        assertThat(result.path("ips").size()).isEqualTo(2);
        assertThat(result.path("routes").size()).as("default routes").isEqualTo(2);
        JsonNode inside = result.path("interfaces")
                .path(result.path("ips").path(0).path("interface").asInt());
        assertThat(inside.path("name").asText()).isEqualTo("eth0");
        assertThat(pod.ip("link", "show", "eth0"))
                .as("the MAC address that the result tells")
                .contains(inside.path("mac").asText());
        for (JsonNode one : result.path("interfaces")) {
            Space where = one.has("sandbox") ? pod : host;
            assertThat(where.ip("link", "show", one.path("name").asText())).isNotEmpty();
        }
        assertThat(pod.ip("-br", "addr", "show", "lo")).as("loopback").contains("127.0.0.1/8");
        assertThat(onHost(() -> wiring.audit(attachments.all()))).isEmpty();
        assertThat(ok(call("ADD", request("c1", pod, mode))))
                .as("the same ADD again")
                .isEqualTo(result);
        assertThat(ok(call("CHECK", request("c1", pod, mode + ",\"prevResult\":" + result))))
                .isNull();
        pod.ip("link", "set", "eth0", "down");
        assertThat(error(call("CHECK", request("c1", pod, mode + ",\"prevResult\":" + result))))
                .isEqualTo(103);
        ok(call("DEL", request("c1", pod, mode)));
        ok(call("DEL", request("c1", pod, mode)));
        assertNothingLeft();
    }

    @Test
    void promiscuousIsWhatTheConfigurationSays() throws Exception {
        ok(call("ADD", request("c1", pod, MACVLAN + ",\"promiscMode\":true")));
        assertThat(pod.ip("-d", "link", "show", "eth0")).contains("PROMISC");
    }

    @Test
    void aRestartedNodeKnowsHowEachPodIsWired() throws Exception {
        List<String> modes = List.of("\"mode\":\"bridge\"", "\"mode\":\"routed\"", MACVLAN);
        Map<String, Space> pods = new TreeMap<>();
        Map<String, JsonNode> results = new TreeMap<>();
        for (int i = 0; i < modes.size(); i++) {
            Space space = sandbox.add();
            pods.put("c" + i, space);
            results.put("c" + i, ok(call("ADD", request("c" + i, space, modes.get(i)))));
        }
        String device =
                PodNames.port(attachments.get(new EndpointKey("c2", "eth0")).orElseThrow());
        List<String> before = wired();
        String rules = nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().toString();
        start(FailPoints.none(), Optional.empty());
        assertThat(wired()).isEqualTo(before);
        assertThat(onHost(() -> wiring.audit(attachments.all()))).isEmpty();
        assertThat(nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().toString())
                .isEqualTo(rules);
        for (int i = 0; i < modes.size(); i++) {
            String id = "c" + i;
            String config = modes.get(i) + ",\"prevResult\":" + results.get(id);
            assertThat(ok(call("CHECK", request(id, pods.get(id), config)))).isNull();
            assertThat(ok(call("ADD", request(id, pods.get(id), modes.get(i))))).isEqualTo(results.get(id));
            // A DEL goes by the journal, whatever its configuration says now.
            ok(call("DEL", request(id, pods.get(id), "\"mode\":\"bridge\"")));
            assertThat(pods.get(id).ip("-br", "link")).doesNotContain("eth0");
        }
        assertNothingLeft();
        assertThat(host.ip("-br", "link"))
                .as("the node's own macvlan, for the next pod")
                .contains(device);
        start(FailPoints.none(), Optional.empty());
        assertThat(host.ip("-br", "link")).as("no pod needs it at the start").doesNotContain(device);
    }

    private List<String> wired() {
        return attachments.all().stream()
                .map(a -> a.key() + " " + a.mode() + " " + a.hostIfname() + " " + a.mac() + " " + a.addresses())
                .toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"add.link", "add.host", "add.pod-up", "add.pod", "add.rules", "add.commit"})
    void aFailureAtAnyStepUndoesAll(String point) throws Exception {
        for (String mode : List.of("\"mode\":\"routed\"", MACVLAN)) {
            start(FailPoints.of(Map.of(point, "error")), Optional.empty());
            assertThat(error(call("ADD", request("c1", pod, mode)))).isEqualTo(104);
            assertNothingLeft();
            JsonNode again = ok(call("ADD", request("c1", pod, mode)));
            assertThat(ok(call("CHECK", request("c1", pod, mode + ",\"prevResult\":" + again))))
                    .isNull();
            ok(call("DEL", request("c1", pod, mode)));
        }
    }

    @Test
    void anAddThatAKilledNodeBeganIsUndone() throws Exception {
        start(FailPoints.of(Map.of("add.pod", "error", "del.host", "error")), Optional.empty());
        assertThat(error(call("ADD", request("c1", pod, MACVLAN)))).isEqualTo(104);
        assertThat(attachments.all(Attachment.State.INTENT))
                .as("what could not be undone")
                .hasSize(1);
        start(FailPoints.none(), Optional.empty());
        assertThat(attachments.all(Attachment.State.INTENT)).hasSize(1);
        ok(call("DEL", request("c1", pod, MACVLAN)));
        assertNothingLeft();
    }

    @Test
    void aDelAfterTheNamespaceIsGoneSucceeds() throws Exception {
        for (String mode : List.of("\"mode\":\"routed\"", MACVLAN)) {
            Space gone = sandbox.add();
            ok(call("ADD", request("c1", gone, mode)));
            CniRequest del = request("c1", gone, mode);
            sandbox.remove(gone);
            ok(call("DEL", del));
            assertNothingLeft();
        }
    }

    /** This kernel has neither; one that has them wires the pod. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"mode\":\"ipvlan\",\"master\":\"m0\"|ipvlan|modprobe ipvlan",
                "\"mode\":\"ipvlan\",\"master\":\"m0\",\"ipvlanMode\":\"l3s\"|ipvlan|modprobe ipvlan",
                "\"mode\":\"vlan\",\"master\":\"m0\",\"vlanId\":7|vlan|modprobe 8021q",
            })
    void aModeThatTheKernelLacksIsSaidSo(String config, String mode, String help) throws Exception {
        CniReply reply = call("ADD", request("c1", pod, config));
        if (reply.getExitCode() == 0) {
            Assumptions.abort("this kernel has " + mode + ", whose refusal is tested here");
        }
        assertThat(error(reply)).isEqualTo(2);
        assertThat(reply.getStdout().toStringUtf8())
                .contains("kernel has no mode " + mode, help, "bridge, routed, macvlan", "everything was undone");
        assertNothingLeft();
        assertThat(pod.ip("-br", "link")).doesNotContain("eth0", "pw");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"mode\":\"macvlan\",\"master\":\"eth9\"|there is no device eth9",
                "\"mode\":\"macvlan\"|needs a master",
                "\"mode\":\"macvlan\",\"master\":\"m2\"|is down",
                "\"mode\":\"macvlan\",\"master\":\"pw0\"|is Podwire's own",
                "\"mode\":\"macvlan\",\"master\":\"a/b\"|invalid master",
                "\"mode\":\"magic\"|invalid mode",
            })
    void aConfigurationThatFitsNoNodeIsCode7(String config, String message) throws Exception {
        host.ip("link", "add", "m2", "type", "veth", "peer", "name", "m3");
        CniReply reply = call("ADD", request("c1", pod, config));
        assertThat(error(reply)).isEqualTo(7);
        assertThat(reply.getStdout().toStringUtf8()).contains(message);
        assertNothingLeft();
        assertThat(book.heldBy(new EndpointKey("c1", "eth0"))).as("addresses").isEmpty();
    }

    @Test
    void aPodThatPolicyIsolatesDoesNotStartWhereThatCannotBeKept() throws Exception {
        DirectionPolicy closed = new DirectionPolicy(true, List.of(), List.of("ns/closed"));
        TreeMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(new EndpointKey("c1", "eth0"), new EndpointPolicy(closed, DirectionPolicy.OPEN));
        endpoints.put(new EndpointKey("c2", "eth0"), EndpointPolicy.OPEN);
        start(FailPoints.none(), Optional.of(new NodeProgram(1, endpoints, new TreeMap<>())));
        CniReply reply = call("ADD", request("c1", pod, MACVLAN));
        assertThat(error(reply)).isEqualTo(107);
        assertThat(reply.getStdout().toStringUtf8()).contains("policy isolates the pod", "m0");
        assertNothingLeft();
        ok(call("ADD", request("c1", pod, "\"mode\":\"routed\"")));
        ok(call("ADD", request("c2", sandbox.add(), MACVLAN)));
    }

    private void assertNothingLeft() throws Exception {
        assertThat(attachments.all()).as("journal").isEmpty();
        assertThat(onHost(() -> wiring.audit(List.of()))).as("kernel").isEmpty();
        assertThat(pod.ip("-br", "link")).as("pod").doesNotContain("eth0").doesNotContain("pw");
        assertThat(nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().toString())
                .as("rules")
                .doesNotContain("10.1.0.", "fd00:1:");
    }

    private CniReply call(String verb, CniRequest request) throws Exception {
        CniRequest named = request.toBuilder().setCommand(verb).build();
        List<CniReply> replies = new ArrayList<>();
        StreamObserver<CniReply> observer = new StreamObserver<>() {
            @Override
            public void onNext(CniReply reply) {
                replies.add(reply);
            }

            @Override
            public void onError(Throwable failure) {
                throw new AssertionError(failure);
            }

            @Override
            public void onCompleted() {}
        };
        return onHost(() -> {
            switch (verb) {
                case "ADD" -> cni.add(named, observer);
                case "DEL" -> cni.del(named, observer);
                default -> cni.check(named, observer);
            }
            return replies.getFirst();
        });
    }

    /** The result; null when there is none. */
    private static JsonNode ok(CniReply reply) throws IOException {
        assertThat(reply.getStdout().toStringUtf8()).as("output").doesNotContain("\"code\"");
        assertThat(reply.getExitCode()).isZero();
        return reply.getStdout().isEmpty()
                ? null
                : NetworkConfig.JSON.readTree(reply.getStdout().toByteArray());
    }

    private static int error(CniReply reply) throws IOException {
        assertThat(reply.getExitCode()).as("exit code").isOne();
        return NetworkConfig.JSON
                .readTree(reply.getStdout().toByteArray())
                .path("code")
                .asInt();
    }

    private static CniRequest request(String id, Space netns, String more) {
        return CniRequest.newBuilder()
                .setContainerId(id)
                .setNetns(netns.path().toString())
                .setIfname("eth0")
                .setConfig(ByteString.copyFrom(
                        "{\"cniVersion\":\"1.1.0\",\"name\":\"podwire\",\"type\":\"podwire\",%s}".formatted(more),
                        StandardCharsets.UTF_8))
                .build();
    }
}
