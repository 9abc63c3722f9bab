package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.util.concurrent.Striped;
import com.google.protobuf.ByteString;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.AddressBook;
import io.podwire.node.dataplane.BridgeWiring;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.PodExtras;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.dataplane.StaleConnections;
import io.podwire.node.dataplane.Sysctl;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.AttachmentTable;
import io.podwire.node.journal.IntentFolder;
import io.podwire.node.journal.Journal;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.ModelNft;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Command;
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
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The verbs as cni-shim calls them: real journal and kernel, nftables in memory, services written down. */
@Tag("netns")
final class FlowsNetnsTest {
    private static final Set<IpFamily> V4 = Set.of(IpFamily.V4);
    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);

    @TempDir
    Path folder;

    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final ModelNft nft = new ModelNft();
    private final EventLoop loop = new EventLoop("ruleset-test");
    private final RulesetReconciler ruleset = new RulesetReconciler(nft, loop, BOTH, 4789, Masquerade.NONE);
    private final AddressBook<EndpointKey> book = new AddressBook<>(Duration.ofSeconds(60));
    private final Services services = new Services();
    private final AtomicBoolean late = new AtomicBoolean();
    private final List<String> reasons = new CopyOnWriteArrayList<>();
    private final RtnetlinkPool sockets = new RtnetlinkPool();
    private LinkEvents events;
    private Conntrack conntrack;
    private Space host;
    private Space pod;
    private Journal journal;
    private AttachmentTable attachments;
    private BridgeWiring wiring;
    private CniGrpcService cni;

    /** What the flows told the services. */
    private static final class Services extends NoServices {
        private final List<String> told = new CopyOnWriteArrayList<>();
        private volatile Runnable whenUp = () -> {};

        @Override
        public void up(Attachment attachment) {
            told.add("up " + attachment.key());
            whenUp.run();
        }

        @Override
        public void down(EndpointKey key) {
            told.add("down " + key);
        }

        @Override
        public String supplyOf(String pool, Duration longest) {
            return supplyProblem();
        }
    }

    /** The machine's clock, which jumps past every deadline once {@code late} is set. */
    private final class Clock implements TimeSource {
        @Override
        public Duration monotonic() {
            Duration now = TimeSource.SYSTEM.monotonic();
            return late.get() ? now.plusSeconds(3600L * services.told.size()) : now;
        }

        @Override
        public Instant wall() {
            return TimeSource.SYSTEM.wall();
        }
    }

    @BeforeEach
    void prepare() throws Exception {
        host = sandbox.add();
        events = LinkEvents.open(host.netns());
        conntrack = Conntrack.open(host.netns());
        pod = sandbox.add();
        journal = Journal.open(folder.resolve("journal.mv"));
        journal.begin("boot", Optional.empty());
        attachments = new AttachmentTable(journal, new IntentFolder(folder.resolve("intents")), Runnable::run);
        book.addBlock(IpPrefix.parse("10.1.0.0/30"));
        ruleset.start(List.of(), Optional.empty());
        start(FailPoints.none());
        onHost(() -> {
            wiring.prepare(1450, Set.of());
            return true;
        });
    }

    private void start(FailPoints failPoints) throws Exception {
        start(failPoints, V4, 1450);
    }

    /** On a node whose pods get an address of each of these families. */
    private void start(FailPoints failPoints, Set<IpFamily> families, int podMtu) throws Exception {
        wiring = new BridgeWiring(
                sockets, events, Runnable::run, new Sysctl(Path.of("/proc/sys")), families, failPoints);
        onHost(() -> {
            wiring.prepare(1450, Set.of());
            return true;
        });
        Node node = new Node(
                host.netns(),
                attachments,
                book,
                families,
                Claims.of(attachments.all()),
                wiring,
                new PodExtras(sockets, Runnable::run, new Sysctl(Path.of("/proc/sys")), failPoints),
                new StaleConnections(conntrack, sockets, Runnable::run),
                ruleset,
                services,
                Striped.lazyWeakLock(64),
                () -> podMtu,
                new Clock(),
                failPoints);
        DelFlow del = new DelFlow(node);
        cni = new CniGrpcService(
                new AddFlow(node, StartBarrier.USUAL),
                del,
                new CheckFlow(node),
                new GcFlow(node, del),
                new StatusFlow(() -> List.copyOf(reasons)),
                new Spool(folder.resolve("spool")),
                Runnable::run,
                Runnable::run,
                new SimpleMeterRegistry());
    }

    private <T> T onHost(Callable<T> body) throws Exception {
        return NetnsThread.call(host.netns(), body);
    }

    @AfterEach
    void stop() {
        sockets.close();
        events.close();
        conntrack.close();
        loop.close();
        journal.close();
        sandbox.close();
    }

    // ADD

    @Test
    void addAnswersWhatItMade() throws Exception {
        JsonNode result = ok(call("ADD", request("c1", pod)));
        assertThat(result.path("cniVersion").asText()).isEqualTo("1.1.0");
        assertThat(result.path("ips").path(0).path("address").asText()).isEqualTo("10.1.0.0/32");
        assertThat(result.path("interfaces").path(1).path("sandbox").asText())
                .isEqualTo(pod.path().toString());
        assertThat(attachments.all()).extracting(Attachment::state).containsExactly(Attachment.State.ATTACHED);
        assertThat(services.told).containsExactly("up c1/eth0");
        assertThat(nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().toString())
                .contains("10.1.0.0");
        assertThat(ok(call("CHECK", checkRequest("c1", result)))).isNull();
    }

    @Test
    void theSameAddTwiceIsAnsweredAlikeAndInAnotherNamespaceRefused() throws Exception {
        JsonNode first = ok(call("ADD", request("c1", pod)));
        assertThat(ok(call("ADD", request("c1", pod)))).isEqualTo(first);
        assertThat(book.free(IpFamily.V4, TimeSource.SYSTEM.monotonic()))
                .as("one address")
                .isEqualTo(3);
        assertThat(error(call("ADD", request("c1", sandbox.add()))))
                .as("same id, other netns")
                .isEqualTo(4);
        assertThat(book.free(IpFamily.V4, TimeSource.SYSTEM.monotonic())).isEqualTo(3);
    }

    @Test
    void theNodesOwnNamespaceIsRefusedUnlessOverridden() throws Exception {
        assertThat(error(call("ADD", request("c1", host)))).isEqualTo(8);
        assertNothingLeft();
        CniRequest override =
                request("c1", host).toBuilder().setNetnsOverride(true).build();
        JsonNode result = ok(call("ADD", override));
        assertThat(host.ip("-br", "link", "show", "eth0")).contains("UP");
        assertThat(result.has("routes"))
                .as("the node keeps its own routes: %s", result)
                .isFalse();
        assertThat(host.ip("route")).as("the node's routes").doesNotContain("default");
        CniRequest check = request("c1", host, "podwire", "1.1.0", ",\"prevResult\":" + result).toBuilder()
                .setNetnsOverride(true)
                .build();
        assertThat(ok(call("CHECK", check))).isNull();
        ok(call("DEL", request("c1", host)));
        assertThat(host.ip("-br", "link")).doesNotContain("eth0");
        assertNothingLeft();
    }

    @Test
    void theNodesOwnNamespaceGetsNoSettings() throws Exception {
        CniRequest override =
                request("c1", host, "podwire", "1.1.0", ",\"sysctl\":{\"net.core.somaxconn\":\"777\"}").toBuilder()
                        .setNetnsOverride(true)
                        .build();
        assertThat(error(call("ADD", override))).isEqualTo(2);
        assertThat(host.run("cat", "/proc/sys/net/core/somaxconn")).isNotEqualTo("777\n");
        assertNothingLeft();
    }

    @Test
    void aSecondInterfaceTellsNoRouteThatItDidNotGet() throws Exception {
        ok(call("ADD", request("c1", pod)));
        CniRequest second = request("c1", pod).toBuilder().setIfname("net1").build();
        JsonNode result = ok(call("ADD", second));
        assertThat(result.path("ips").size()).as("addresses").isOne();
        assertThat(result.has("routes")).as("routes: %s", result).isFalse();
        assertThat(ok(call("ADD", second))).as("the same ADD again").isEqualTo(result);
        CniRequest check =
                checkRequest("c1", result).toBuilder().setIfname("net1").build();
        assertThat(ok(call("CHECK", check))).isNull();
        ok(call("DEL", request("c1", pod)));
        assertThat(ok(call("CHECK", check)))
                .as("the first interface takes its own route along")
                .isNull();
        ok(call("DEL", second));
        assertNothingLeft();
    }

    @Test
    void whatIsNoNetnsIsCode4() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("link"), pod.path());
        Path fifo = folder.resolve("fifo");
        NetnsSandbox.run(List.of("mkfifo", fifo.toString()));
        for (String path : List.of(
                "/etc/passwd",
                "/nowhere",
                link.toString(),
                fifo.toString(),
                "/proc/self/ns/mnt",
                "/dev/null",
                "/",
                "x")) {
            CniRequest request = request("c1", pod).toBuilder().setNetns(path).build();
            assertThat(error(call("ADD", request))).as("CNI_NETNS %s", path).isEqualTo(4);
        }
        assertNothingLeft();
    }

    @Test
    void anInterfaceOfThatNameMakesItFailWithoutTrace() throws Exception {
        pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "x");
        String before = pod.ip("-d", "link", "show");
        assertThat(error(call("ADD", request("c1", pod)))).isEqualTo(102);
        assertThat(pod.ip("-d", "link", "show")).as("nothing of theirs changed").isEqualTo(before);
        assertNothingLeft();
    }

    @ParameterizedTest
    @MethodSource("addSteps")
    void aFailureAtAnyStepUndoesAll(String point) throws Exception {
        start(FailPoints.of(Map.of(point, "error")));
        assertThat(error(call("ADD", request("c1", pod)))).isEqualTo(104);
        assertNothingLeft();
        assertThat(book.cooling(TimeSource.SYSTEM.monotonic()))
                .as("its address")
                .hasSize(1);
        JsonNode again = ok(call("ADD", request("c1", pod)));
        assertThat(again.path("ips").path(0).path("address").asText()).isEqualTo("10.1.0.1/32");
        assertThat(ok(call("CHECK", checkRequest("c1", again)))).isNull();
    }

    static Stream<String> addSteps() {
        return dualAddSteps().filter(name -> !name.equals("add.ipv6"));
    }

    /** Every step of a pod with two addresses; what comes after the answer fails nothing. */
    static Stream<String> dualAddSteps() {
        return FailPoints.NAMES.stream().filter(name -> name.startsWith("add.") && !name.equals("add.settle"));
    }

    @Test
    void anAddThatNobodyWaitsForAnyMoreIsUndone() throws Exception {
        Context.CancellableContext caller = Context.current().withCancellation();
        Context before = caller.attach();
        try {
            caller.cancel(null);
            assertThat(error(call("ADD", request("c1", pod)))).isEqualTo(11);
        } finally {
            caller.detach(before);
        }
        assertNothingLeft();
        ok(call("ADD", request("c1", pod)));
    }

    @Test
    void anAddWhoseUndoingFailedIsNoAttachment() throws Exception {
        start(FailPoints.of(Map.of("add.pod", "error", "del.host", "error")));
        assertThat(error(call("ADD", request("c1", pod)))).isEqualTo(104);
        assertThat(attachments.all(Attachment.State.INTENT)).as("undone later").hasSize(1);
        JsonNode again = ok(call("ADD", request("c1", pod)));
        assertThat(attachments.all(Attachment.State.ATTACHED)).hasSize(1);
        assertThat(nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().toString())
                .as("with rules")
                .contains(attachments.all().getFirst().addresses().toString());
        assertThat(ok(call("CHECK", checkRequest("c1", again)))).isNull();
    }

    @Test
    void whenTheKernelRefusesTheRulesNothingStays() throws Exception {
        nft.failNext(1);
        assertThat(error(call("ADD", request("c1", pod)))).isEqualTo(11);
        org.awaitility.Awaitility.await().atMost(Duration.ofSeconds(5)).until(ruleset::healthy);
        assertNothingLeft();
    }

    @Test
    void exhaustionIsCode11InWords() throws Exception {
        for (int i = 0; i < 4; i++) {
            ok(call("ADD", request("c" + i, sandbox.add())));
        }
        CniReply reply = call("ADD", request("c9", pod));
        assertThat(error(reply)).isEqualTo(11);
        assertThat(reply.getStdout().toStringUtf8()).contains("10.1.0.0/30", "ipam-service is away");
        assertThat(attachments.all()).hasSize(4);
    }

    @Test
    void aPodOfANamespaceAtItsQuotaGetsNoAddressAndOthersDo() throws Exception {
        CniRequest full = request("c1", pod).toBuilder()
                .setArgs("K8S_POD_NAMESPACE=" + NoServices.FULL + ";K8S_POD_NAME=web")
                .build();
        CniReply reply = call("ADD", full);
        assertThat(error(reply)).isEqualTo(11);
        assertThat(reply.getStdout().toStringUtf8())
                .contains("namespace full is at its quota of addresses", "--namespace-quota of ipam-service");
        assertNothingLeft();
        assertThat(services.told).isEmpty();
        ok(call("DEL", full));
        CniRequest other = full.toBuilder()
                .setArgs("K8S_POD_NAMESPACE=other;K8S_POD_NAME=web")
                .build();
        ok(call("ADD", other));
        ok(call("DEL", other));
    }

    @Test
    void aPodThatNoProgramCoversDoesNotStart() throws Exception {
        ruleset.program(NodeProgram.EMPTY).join();
        late.set(true);
        CniReply reply = call("ADD", request("c1", pod));
        assertThat(error(reply)).isEqualTo(11);
        assertThat(reply.getStdout().toStringUtf8()).contains("no policy covers the pod yet");
        assertNothingLeft();
        assertThat(services.told).containsExactly("up c1/eth0", "down c1/eth0");
    }

    /** As when the last pod of a namespace that no object declares goes, and another comes at once. */
    @Test
    void aPodThatIsNoMoreExpectedOnceItsRulesAreDueIsAnnounced() throws Exception {
        EndpointKey key = new EndpointKey("c1", "eth0");
        SortedMap<EndpointKey, EndpointPolicy> covers = new TreeMap<>(Map.of(key, EndpointPolicy.OPEN));
        ruleset.program(new NodeProgram(9, covers, new TreeMap<>())).join();
        CountDownLatch later = new CountDownLatch(1);
        loop.execute(() -> {
            try {
                later.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        var _ = ruleset.program(new NodeProgram(10, new TreeMap<>(), new TreeMap<>()));
        services.whenUp = () -> {
            var _ = ruleset.program(new NodeProgram(11, covers, new TreeMap<>()));
        };
        CompletableFuture<JsonNode> added = CompletableFuture.supplyAsync(() -> {
            try {
                return ok(call("ADD", request("c1", pod)));
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        await("it is wired, so its rules are asked for")
                .until(() -> host.run("ip", "-o", "link").contains(PodNames.hostIfname(key)));
        later.countDown();
        added.get(20, TimeUnit.SECONDS);
        assertThat(attachments.get(key).orElseThrow().policyRevision()).isEqualTo(11);
    }

    @Test
    void theResultNamesTheRevisionThatCoversIt() throws Exception {
        EndpointKey key = new EndpointKey("c1", "eth0");
        ruleset.program(new NodeProgram(9, new TreeMap<>(Map.of(key, EndpointPolicy.OPEN)), new TreeMap<>()))
                .join();
        ok(call("ADD", request("c1", pod)));
        assertThat(attachments.get(key).orElseThrow().policyRevision()).isEqualTo(9);
    }

    // Dual stack

    private void dual(FailPoints failPoints, String ipv6Block) throws Exception {
        book.addBlock(IpPrefix.parse(ipv6Block));
        start(failPoints, BOTH, 1450);
    }

    @Test
    void aDualStackNodeGivesOneAddressOfEachFamily() throws Exception {
        dual(FailPoints.none(), "fd00:1::/126");
        JsonNode result = ok(call("ADD", request("c1", pod)));
        assertThat(result.path("ips").findValuesAsText("address")).containsExactly("10.1.0.0/32", "fd00:1::/128");
        assertThat(result.path("routes").findValuesAsText("dst")).containsExactly("0.0.0.0/0", "::/0");
        assertThat(result.path("routes").findValuesAsText("gw")).containsExactly("169.254.1.1", "fe80::1");
        assertThat(nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().toString())
                .contains("10.1.0.0", "fd00:1::");
        assertThat(nft.list(RulesetPlanner.SPOOF_TABLE).orElseThrow().toString())
                .contains("10.1.0.0", "fd00:1::");
        assertThat(ok(call("ADD", request("c1", pod)))).as("repeated").isEqualTo(result);
        assertThat(ok(call("CHECK", checkRequest("c1", result)))).isNull();

        ok(call("DEL", request("c1", pod)));
        assertNothingLeft();
        assertThat(book.cooling(TimeSource.SYSTEM.monotonic()))
                .as("both cool down")
                .hasSize(2);
        assertThat(journal.cooling()).as("for a restart").hasSize(2);
    }

    @Test
    void anIpv6NodeGivesIpv6Alone() throws Exception {
        book.addBlock(IpPrefix.parse("fd00:1::/126"));
        start(FailPoints.none(), Set.of(IpFamily.V6), 1450);
        JsonNode result = ok(call("ADD", request("c1", pod)));
        assertThat(result.path("ips").findValuesAsText("address")).containsExactly("fd00:1::/128");
        assertThat(book.free(IpFamily.V4, TimeSource.SYSTEM.monotonic())).isEqualTo(4);
        assertThat(pod.ip("-4", "addr", "show", "dev", "eth0"))
                .as("no IPv4 at all")
                .doesNotContain("inet ");
        assertThat(ok(call("CHECK", checkRequest("c1", result)))).isNull();
    }

    @Test
    void withoutAnAddressOfOneFamilyNothingIsTaken() throws Exception {
        dual(FailPoints.none(), "fd00:1::/127");
        ok(call("ADD", request("c1", sandbox.add())));
        ok(call("ADD", request("c2", sandbox.add())));
        CniReply reply = call("ADD", request("c3", pod));
        assertThat(error(reply)).isEqualTo(11);
        assertThat(reply.getStdout().toStringUtf8())
                .contains("every IPv6 address", "fd00:1::/127", "ipam-service is away");
        assertThat(book.free(IpFamily.V4, TimeSource.SYSTEM.monotonic()))
                .as("IPv4 has addresses, and keeps them")
                .isEqualTo(2);
        assertThat(book.heldBy(new EndpointKey("c3", "eth0"))).isEmpty();
        assertThat(book.cooling(TimeSource.SYSTEM.monotonic())).isEmpty();
        assertThat(attachments.all()).hasSize(2);
        assertThat(pod.ip("-br", "link")).doesNotContain("eth0");
        assertThat(services.told).containsExactly("up c1/eth0", "up c2/eth0");
    }

    @ParameterizedTest
    @MethodSource("dualAddSteps")
    void aFailureAtAnyStepUndoesBothFamilies(String point) throws Exception {
        int at = point.indexOf('@');
        String name = at < 0 ? point : point.substring(0, at);
        dual(FailPoints.of(Map.of(name, "error" + (at < 0 ? "" : point.substring(at)))), "fd00:1::/126");
        assertThat(error(call("ADD", request("c1", pod)))).isEqualTo(104);
        assertNothingLeft();
        assertThat(book.cooling(TimeSource.SYSTEM.monotonic()))
                .as("both addresses cool down")
                .hasSize(2);
        JsonNode again = ok(call("ADD", request("c1", pod)));
        assertThat(ok(call("CHECK", checkRequest("c1", again)))).isNull();
    }

    @Test
    void whenTheKernelRefusesTheIpv6AddressIpv4GoesToo() throws Exception {
        book.addBlock(IpPrefix.parse("fd00:1::/126"));
        start(FailPoints.none(), BOTH, 1279); // no IPv6 on links of less than 1280 bytes
        CniReply reply = call("ADD", request("c1", pod));
        assertThat(error(reply)).isEqualTo(102);
        assertThat(reply.getStdout().toStringUtf8()).contains("fd00:1::", "everything was undone");
        assertNothingLeft();
        assertThat(pod.ip("-br", "link")).doesNotContain("eth0");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"ips\":[{\"address\":\"10.1.0.0/32\"},{\"address\":\"fd00:1::/128\"}]}|0",
                "{\"ips\":[{\"address\":\"FD00:1:0::0/128\"},{\"address\":\"10.1.0.0/32\"}]}|0",
                "{\"ips\":[{\"address\":\"10.1.0.0/32\"}]}|103",
                "{\"ips\":[{\"address\":\"fd00:1::/128\"}]}|103",
                "{\"ips\":[{\"address\":\"10.1.0.0/32\"},{\"address\":\"fd00:1::1/128\"}]}|103",
                "{\"ips\":[{\"address\":\"10.1.0.0/32\"},{\"address\":\"nonsense\"}]}|103",
            })
    void checkComparesBothAddressesWithThePreviousResult(String prevResult, int code) throws Exception {
        dual(FailPoints.none(), "fd00:1::/126");
        ok(call("ADD", request("c1", pod)));
        CniReply reply = call("CHECK", request("c1", pod, "podwire", "1.0.0", ",\"prevResult\":" + prevResult));
        assertThat(reply.getExitCode() == 0 ? 0 : error(reply)).isEqualTo(code);
    }

    // DEL

    @Test
    void delIsSuccessHoweverOftenAndWhateverIsGone() throws Exception {
        ok(call("DEL", request("never", pod)));
        ok(call("ADD", request("c1", pod)));
        sandbox.remove(pod);
        CniRequest del = request("c1", pod).toBuilder().setNetns("").build();
        for (int i = 0; i < 3; i++) {
            assertThat(call("DEL", del)).as("DEL %d", i).isEqualTo(CniReply.getDefaultInstance());
        }
        assertNothingLeft();
        assertThat(book.cooling(TimeSource.SYSTEM.monotonic()))
                .as("released once")
                .hasSize(1);
        assertThat(journal.cooling()).as("for a restart").hasSize(1);
        assertThat(services.told).containsExactly("up c1/eth0", "down c1/eth0");
    }

    @Test
    void whatAnAddWouldRefuseDoesNotKeepADelFromSuccess() throws Exception {
        ok(call("ADD", request("c1", pod)));
        ok(call(
                "DEL",
                request("c1", pod).toBuilder().setArgs("junk").setNetns("x").build()));
        assertNothingLeft();
    }

    @Test
    void delOfAnotherNetworkRemovesNothing() throws Exception {
        ok(call("ADD", request("c1", pod)));
        ok(call("DEL", request("c1", pod, "other", "1.1.0", "")));
        assertThat(attachments.all()).hasSize(1);
    }

    @Test
    void aDelThatMustBeRetriedNeverSaysNotFound() throws Exception {
        ok(call("ADD", request("c1", pod)));
        start(FailPoints.of(Map.of("del.host", "error")));
        CniReply failed = call("DEL", request("c1", pod));
        assertThat(error(failed)).isEqualTo(104);
        assertThat(failed.getStdout().toStringUtf8())
                .as("containerd swallows those")
                .doesNotContainIgnoringCase("not found")
                .doesNotContainIgnoringCase("no such file");
        ok(call("DEL", request("c1", pod)));
        assertNothingLeft();
    }

    @Test
    void aSpooledDelWinsOverTheAddBeforeItAndLosesToTheNext() throws Exception {
        ok(call("ADD", request("c1", pod)));
        Files.write(
                folder.resolve("spool").resolve(Spool.name(new EndpointKey("c1", "eth0"))),
                request("c1", pod).toBuilder().setCommand("DEL").build().toByteArray());
        Space second = sandbox.add();
        JsonNode next = ok(call("ADD", request("c1", second)));
        assertThat(next.path("ips").path(0).path("address").asText())
                .as("the old one was deleted first")
                .isEqualTo("10.1.0.1/32");
        assertThat(folder.resolve("spool")).isEmptyDirectory();
        onHost(() -> {
            cni.drainSpool();
            return true;
        });
        assertThat(attachments.all()).hasSize(1);
    }

    // CHECK

    @Test
    void checkNamesEveryDifference() throws Exception {
        JsonNode result = ok(call("ADD", request("c1", pod)));
        pod.ip("route", "del", "default");
        host.ip("route", "del", "10.1.0.0/32");
        CniReply reply = call("CHECK", checkRequest("c1", result));
        assertThat(error(reply)).isEqualTo(103);
        assertThat(reply.getStdout().toStringUtf8()).contains("route 10.1.0.0/32", "route default");
    }

    @Test
    void checkMissesWhatTheRulesetLacksForThisPod() throws Exception {
        JsonNode result = ok(call("ADD", request("c1", pod)));
        Space other = sandbox.add();
        JsonNode others = ok(call("ADD", request("c2", other)));
        CniRequest checkOther = request("c2", other, "podwire", "1.1.0", ",\"prevResult\":" + others);
        SortedMap<String, SortedSet<String>> sets =
                nft.list(RulesetPlanner.SPOOF_TABLE).orElseThrow().sets();
        Map.Entry<String, SortedSet<String>> sources =
                sets.entrySet().iterator().next();
        List<String> ours = sources.getValue().stream()
                .filter(member -> member.contains("10.1.0.0"))
                .toList();
        nft.apply(new Transaction(
                List.of(new Command.DeleteElements(RulesetPlanner.SPOOF_TABLE, sources.getKey(), ours))));
        CniReply reply = call("CHECK", checkRequest("c1", result));
        assertThat(error(reply)).isEqualTo(103);
        assertThat(reply.getStdout().toStringUtf8())
                .contains("nft table bridge podwire lacks 1 members of set " + sources.getKey(), "10.1.0.0");
        assertThat(ok(call("CHECK", checkOther))).as("the pod beside it").isNull();

        nft.apply(new Transaction(List.of(new Command.DeleteTable(RulesetPlanner.POLICY_TABLE))));
        CniReply all = call("CHECK", checkOther);
        assertThat(error(all)).isEqualTo(103);
        assertThat(all.getStdout().toStringUtf8()).contains("nft table inet podwire is gone");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0.3.1|podwire|{\"ips\":[{\"address\":\"10.1.0.0/32\"}]}|1",
                "1.0.0|podwire||7",
                "1.0.0|podwire|{\"ips\":[{\"address\":\"10.1.0.9/32\"}]}|103",
                "1.0.0|podwire|{\"ips\":[]}|103",
                "1.0.0|other|{\"ips\":[{\"address\":\"10.1.0.0/32\"}]}|103",
                "0.4.0|podwire|{\"ips\":[{\"version\":\"4\",\"address\":\"10.1.0.0/32\"}]}|0",
                "1.0.0|podwire|{\"ips\":[{\"address\":\"192.0.2.1/24\"},{\"address\":\"10.1.0.0/32\"}]}|0",
            })
    void checkComparesWithThePreviousResult(String version, String network, String prevResult, int code)
            throws Exception {
        ok(call("ADD", request("c1", pod)));
        String more = prevResult == null ? "" : ",\"prevResult\":" + prevResult;
        CniReply reply = call("CHECK", request("c1", pod, network, version, more));
        assertThat(reply.getExitCode() == 0 ? 0 : error(reply)).isEqualTo(code);
    }

    @Test
    void checkInAnotherNamespaceFails() throws Exception {
        JsonNode result = ok(call("ADD", request("c1", pod)));
        CniRequest moved = checkRequest("c1", result).toBuilder()
                .setNetns(sandbox.add().path().toString())
                .build();
        assertThat(error(call("CHECK", moved))).isEqualTo(103);
        assertThat(error(call("CHECK", moved.toBuilder().setNetns("/nowhere").build())))
                .isEqualTo(103);
    }

    // GC

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth0\"}]|c1",
                "\"cni.dev/attachments\":[{\"containerID\":\"c2\",\"ifname\":\"eth0\"}]|c2",
                "\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth1\"}]|''",
                "\"cni.dev/valid-attachments\":[]|''",
                "\"cni.dev/valid-attachments\":null|''",
            })
    void gcKeepsWhatIsNamedAndNothingElse(String list, String kept) throws Exception {
        ok(call("ADD", request("c1", pod)));
        ok(call("ADD", request("c2", sandbox.add())));
        ok(call("ADD", request("c3", sandbox.add(), "other", "1.1.0", "")));
        ok(call("GC", gc("1.1.0", "," + list)));
        List<String> left =
                attachments.all().stream().map(a -> a.key().containerId()).toList();
        assertThat(left).as("and the other network's").isEqualTo(kept.isEmpty() ? List.of("c3") : List.of(kept, "c3"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1.1.0|''|7",
                "1.1.0|,\"cni.dev/valid-attachments\":{}|7",
                "1.1.0|,\"cni.dev/valid-attachments\":\"\"|7",
                "1.1.0|,\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\"}]|7",
                "1.1.0|,\"cni.dev/valid-attachments\":[\"c1\"]|7",
                "1.0.0|,\"cni.dev/valid-attachments\":[]|1",
            })
    void gcDeletesNothingThatWasNotSaid(String version, String list, int code) throws Exception {
        ok(call("ADD", request("c1", pod)));
        assertThat(error(call("GC", gc(version, list)))).isEqualTo(code);
        assertThat(attachments.all()).hasSize(1);
    }

    @Test
    void gcGoesOnAfterAFailureAndNamesIt() throws Exception {
        ok(call("ADD", request("c1", pod)));
        ok(call("ADD", request("c2", sandbox.add())));
        start(FailPoints.of(Map.of("del.host", "error")));
        CniReply reply = call("GC", gc("1.1.0", ",\"cni.dev/valid-attachments\":[]"));
        assertThat(error(reply)).isEqualTo(104);
        assertThat(reply.getStdout().toStringUtf8()).contains("c1/eth0").doesNotContain("c2/eth0");
        assertThat(attachments.all()).extracting(a -> a.key().containerId()).containsExactly("c1");
    }

    // STATUS

    @Test
    void statusIsSilentOrSaysWhy() throws Exception {
        CniRequest status = CniRequest.newBuilder()
                .setCommand("STATUS")
                .setConfig(config("podwire", "1.1.0", ""))
                .build();
        assertThat(call("STATUS", status)).isEqualTo(CniReply.getDefaultInstance());
        reasons.addAll(List.of("no address", "no policy"));
        CniReply reply = call("STATUS", status);
        assertThat(error(reply)).isEqualTo(50);
        assertThat(reply.getStdout().toStringUtf8()).contains("no address; no policy");
        assertThat(error(call(
                        "STATUS",
                        status.toBuilder()
                                .setConfig(config("podwire", "1.0.0", ""))
                                .build())))
                .isEqualTo(1);
    }

    // Bad input

    @ParameterizedTest
    @ValueSource(strings = {"ADD", "DEL", "CHECK"})
    void hostileInputIsRefusedAndChangesNothing(String verb) throws Exception {
        String before = host.ip("link") + host.ip("route");
        CniRequest good = request("c1", pod);
        for (CniRequest wrong : List.of(
                good.toBuilder().setContainerId("../../x").build(),
                good.toBuilder().setContainerId("").build(),
                good.toBuilder().setContainerId("a".repeat(300)).build(),
                good.toBuilder().setIfname("a/b").build(),
                good.toBuilder().setIfname("x".repeat(16)).build())) {
            assertThat(error(call(verb, wrong))).as("%s", wrong).isEqualTo(4);
        }
        if (!verb.equals("DEL")) {
            assertThat(error(call(verb, good.toBuilder().setArgs("junk").build())))
                    .isEqualTo(4);
            assertThat(error(call(verb, good.toBuilder().setNetns("x").build())))
                    .isEqualTo(4);
        }
        assertThat(error(call(verb, good.toBuilder().clearConfig().build()))).isEqualTo(6);
        assertThat(error(call(verb, request("c1", pod, "a b", "1.1.0", "")))).isEqualTo(7);
        assertThat(error(call(verb, request("c1", pod, "podwire", "9.9.9", ""))))
                .isEqualTo(1);
        assertThat(host.ip("link") + host.ip("route")).isEqualTo(before);
        assertNothingLeft();
    }

    private void assertNothingLeft() throws Exception {
        assertThat(attachments.all()).as("journal").isEmpty();
        assertThat(onHost(() -> wiring.audit(List.of()))).as("kernel").isEmpty();
        assertThat(nft.list(RulesetPlanner.POLICY_TABLE).orElseThrow().toString())
                .as("rules")
                .doesNotContain("10.1.0.", "fd00:");
        assertThat(nft.list(RulesetPlanner.SPOOF_TABLE).orElseThrow().toString())
                .as("anti-spoofing")
                .doesNotContain("10.1.0.", "fd00:");
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
        return onHost(Context.current().wrap(() -> {
            switch (verb) {
                case "ADD" -> cni.add(named, observer);
                case "DEL" -> cni.del(named, observer);
                case "CHECK" -> cni.check(named, observer);
                case "GC" -> cni.gc(named, observer);
                default -> cni.status(named, observer);
            }
            return replies.getFirst();
        }));
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
        JsonNode error = NetworkConfig.JSON.readTree(reply.getStdout().toByteArray());
        assertThat(error.path("msg").asText()).isNotEmpty();
        assertThat(error.path("cniVersion").asText()).isNotEmpty();
        return error.path("code").asInt();
    }

    private static CniRequest request(String id, Space netns) {
        return request(id, netns, "podwire", "1.1.0", "");
    }

    private static CniRequest request(String id, Space netns, String network, String version, String more) {
        return CniRequest.newBuilder()
                .setContainerId(id)
                .setNetns(netns.path().toString())
                .setIfname("eth0")
                .setConfig(config(network, version, more))
                .build();
    }

    private CniRequest checkRequest(String id, JsonNode prevResult) {
        return request(id, pod, "podwire", "1.1.0", ",\"prevResult\":" + prevResult);
    }

    private static CniRequest gc(String version, String more) {
        return CniRequest.newBuilder()
                .setConfig(config("podwire", version, more))
                .build();
    }

    private static ByteString config(String network, String version, String more) {
        return ByteString.copyFrom(
                "{\"cniVersion\":\"%s\",\"name\":\"%s\",\"type\":\"podwire\"%s}".formatted(version, network, more),
                StandardCharsets.UTF_8);
    }
}
