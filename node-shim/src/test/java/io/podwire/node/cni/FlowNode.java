package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.util.concurrent.Striped;
import com.google.protobuf.ByteString;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.AddressBook;
import io.podwire.node.dataplane.BridgeWiring;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.FastPath;
import io.podwire.node.dataplane.FastPathDevices;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.dataplane.PodExtras;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.dataplane.StaleConnections;
import io.podwire.node.dataplane.Sysctl;
import io.podwire.node.journal.AttachmentTable;
import io.podwire.node.journal.IntentFolder;
import io.podwire.node.journal.Journal;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.testing.ManualTime;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.proto.cni.v1.CniReply;
import io.podwire.proto.cni.v1.CniRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A dual-stack node whose flows are called as cni-shim calls them, with a real journal and kernel, rules included, and
 * a machine on its underlay.
 */
final class FlowNode implements AutoCloseable {
    static final String NODE = "192.168.9.1";
    static final String NODE_6 = "fd09::1";
    static final String ELSEWHERE = "192.168.9.2";
    static final String ELSEWHERE_6 = "fd09::2";
    private static final Set<IpFamily> FAMILIES = EnumSet.allOf(IpFamily.class);
    private static final Sysctl SYSCTL = new Sysctl(Path.of("/proc/sys"));

    final NetnsSandbox sandbox = new NetnsSandbox();
    final Space host = sandbox.add();
    final Space elsewhere = sandbox.add();
    final RtnetlinkPool sockets = new RtnetlinkPool();
    final AddressBook<EndpointKey> book = new AddressBook<>(Duration.ofSeconds(60));
    final ManualTime time = new ManualTime();
    final AtomicInteger podMtu = new AtomicInteger(1450);
    private final EventLoop loop = new EventLoop("ruleset-test");
    private final Path folder;
    private final LinkEvents events = LinkEvents.open(host.netns());
    private final Conntrack conntrack = Conntrack.open(host.netns());
    final FastPath fastPath = new FastPath();
    final KernelNft nft;
    private final RulesetReconciler ruleset;
    private Journal journal;
    private CniGrpcService cni;
    /** From the next {@link #start} on. */
    Node.Services services = new NoServices();

    Node node;
    BridgeWiring wiring;

    FlowNode(Path folder) throws Exception {
        this.folder = folder;
        host.ip("link", "set", "lo", "up");
        host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", elsewhere.name());
        address(host, NODE, NODE_6);
        address(elsewhere, ELSEWHERE, ELSEWHERE_6);
        book.addBlock(IpPrefix.parse("10.1.0.0/29"), "default");
        book.addBlock(IpPrefix.parse("10.2.0.0/31"), "blue");
        book.addBlock(IpPrefix.parse("fd00:1::/125"), "six");
        nft = NetnsThread.call(host.netns(), () -> KernelNft.open(fastPath));
        ruleset = new RulesetReconciler(nft, loop, FAMILIES, 4789, Masquerade.NONE);
        ruleset.start(List.of(), Optional.empty());
        start(FailPoints.none());
    }

    private static void address(Space space, String v4, String v6) {
        space.ip("addr", "add", v4 + "/24", "dev", "eth0");
        space.ip("addr", "add", v6 + "/64", "dev", "eth0", "nodad");
        space.ip("link", "set", "eth0", "up");
    }

    /** Begins a life of node-shim, after the one before. */
    void start(FailPoints failPoints) throws Exception {
        if (journal != null) {
            journal.close();
        }
        journal = Journal.open(folder.resolve("journal.mv"));
        journal.begin("boot", Optional.empty());
        AttachmentTable attachments =
                new AttachmentTable(journal, new IntentFolder(folder.resolve("intents")), Runnable::run);
        wiring = new BridgeWiring(sockets, events, Runnable::run, SYSCTL, FAMILIES, failPoints);
        onHost(() -> {
            wiring.prepare(podMtu.get(), Set.of());
            return true;
        });
        node = new Node(
                host.netns(),
                attachments,
                book,
                FAMILIES,
                Claims.of(attachments.all()),
                wiring,
                new PodExtras(sockets, Runnable::run, SYSCTL, failPoints),
                new StaleConnections(conntrack, sockets, Runnable::run),
                ruleset,
                services,
                Striped.lazyWeakLock(64),
                podMtu::get,
                time,
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

    <T> T onHost(Callable<T> body) throws Exception {
        return NetnsThread.call(host.netns(), body);
    }

    /**
     * What brings the fast path to pods and to the underlay, on each look, which must be made {@link #onHost}.
     *
     * @param busy from how many packets on a pod has it
     */
    FastPathDevices fastPathDevices(long busy) {
        return new FastPathDevices(
                fastPath,
                sockets,
                SYSCTL,
                4789,
                busy,
                () -> new FastPathDevices.Wanted(
                        node.attachments().all(),
                        host.ipJson("link", "show", "eth0")
                                .path(0)
                                .path("ifindex")
                                .asInt(),
                        0,
                        wiring.bridgeIndex(),
                        host.netns().inode()));
    }

    /** A call about eth0 of a container, with further members of the configuration. */
    CniReply call(String verb, String id, Space pod, String args, String more) throws Exception {
        CniRequest request = CniRequest.newBuilder()
                .setCommand(verb)
                .setContainerId(id)
                .setNetns(pod.path().toString())
                .setIfname("eth0")
                .setArgs(args)
                .setConfig(ByteString.copyFrom(
                        "{\"cniVersion\":\"1.1.0\",\"name\":\"podwire\",\"type\":\"podwire\"%s}"
                                .formatted(more.isEmpty() ? "" : "," + more),
                        StandardCharsets.UTF_8))
                .build();
        CompletableFuture<CniReply> reply = new CompletableFuture<>();
        StreamObserver<CniReply> observer = new StreamObserver<>() {
            @Override
            public void onNext(CniReply value) {
                reply.complete(value);
            }

            @Override
            public void onError(Throwable failure) {
                reply.completeExceptionally(failure);
            }

            @Override
            public void onCompleted() {}
        };
        return onHost(() -> {
            switch (verb) {
                case "ADD" -> cni.add(request, observer);
                case "DEL" -> cni.del(request, observer);
                default -> cni.check(request, observer);
            }
            return reply.join();
        });
    }

    /** An ADD that succeeds; its result. */
    JsonNode added(String id, Space pod, String more) throws Exception {
        CniReply reply = call("ADD", id, pod, "", more);
        assertThat(reply.getExitCode())
                .as("ADD: %s", reply.getStdout().toStringUtf8())
                .isZero();
        return NetworkConfig.JSON.readTree(reply.getStdout().toByteArray());
    }

    /** An ADD that fails; its error. */
    JsonNode refused(String id, Space pod, String args, String more) throws Exception {
        CniReply reply = call("ADD", id, pod, args, more);
        assertThat(reply.getExitCode())
                .as("ADD: %s", reply.getStdout().toStringUtf8())
                .isOne();
        return NetworkConfig.JSON.readTree(reply.getStdout().toByteArray());
    }

    /** What CHECK says; empty when all is well. */
    String checked(String id, Space pod, JsonNode result) throws Exception {
        return call("CHECK", id, pod, "", "\"prevResult\":" + result)
                .getStdout()
                .toStringUtf8();
    }

    void deleted(String id, Space pod) throws Exception {
        CniReply reply = call("DEL", id, pod, "", "");
        assertThat(reply.getExitCode())
                .as("DEL: %s", reply.getStdout().toStringUtf8())
                .isZero();
    }

    /** What journal and kernel differ in. */
    List<Finding> audit() throws Exception {
        return onHost(node::audit);
    }

    /** Fails unless nothing of any pod is there. */
    void assertNothingLeft() throws Exception {
        assertThat(node.attachments().all()).as("journal").isEmpty();
        assertThat(audit()).as("audit").isEmpty();
        assertThat(host.ip("-br", "link")).as("links").doesNotContainPattern("(?m)^p[wi][a-z2-7]{13}");
        assertThat(host.run("nft", "list", "ruleset")).as("rules").doesNotContain("10.1.0.", "10.2.0.", "fd00:1:");
    }

    @Override
    public void close() {
        journal.close();
        nft.close();
        conntrack.close();
        events.close();
        loop.close();
        sockets.close();
        sandbox.close();
    }
}
