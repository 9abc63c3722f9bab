package io.podwire.e2e.bench;

import com.sun.management.ThreadMXBean;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.common.net.NodeName;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.policy.compile.IncrementalCompiler;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.ProgramDelta;
import io.podwire.policy.compile.SetDeltas;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.policy.snapshot.LateSnapshot;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.policy.v1.Ack;
import io.podwire.proto.policy.v1.EndpointDown;
import io.podwire.proto.policy.v1.EndpointUp;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntFunction;

/**
 * What a change of one object costs at 10,000 pods and 1,000 policies: the compiler alone, and until a process of
 * policy-service has told simulated nodes, each on a connection of its own. Beside the figures are the budgets of the
 * design.
 */
final class PolicyBench {
    private static final int ROUNDS = Integer.getInteger("policy.rounds", 200);
    private static final int WARM_UP = 60;
    private static final int ATTACHED = 200;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final Path home = Path.of(System.getenv("PODWIRE_HOME"));
    private final Path folder;

    /**
     * A bench.
     *
     * @param disk folder for manifests and logs
     */
    PolicyBench(Path disk) throws IOException {
        folder = Files.createTempDirectory(Files.createDirectories(disk), "policy")
                .toAbsolutePath();
    }

    void run() throws Exception {
        try {
            compiler();
            fanOut(100, 7511);
            fanOut(1000, 7513);
            new PacketBench().run();
        } finally {
            Folders.delete(folder);
        }
    }

    private static void compiler() {
        PolicyCluster cluster = new PolicyCluster(100);
        ClusterDelta all = cluster.all();
        ClusterSnapshot snapshot = all.applyTo(ClusterSnapshot.EMPTY);
        PolicyCompiler slow = new PolicyCompiler(UndeclaredPods.WAIT);
        IncrementalCompiler compiler = slow.incremental();
        for (int i = 0; i < 5; i++) {
            IncrementalCompiler fresh = slow.incremental();
            Cost full = Cost.of(() -> step(cluster, fresh, all));
            if (i == 0 || i == 4) {
                print("compile.all-100-nodes." + (i == 0 ? "first" : "warm"), full.millis(), "ms");
                print("compile.all-100-nodes.allocated", full.bytes() / 1048576.0, "MiB");
            }
            compiler = fresh;
        }
        NodeProgram specified = slow.compile(snapshot, cluster.node(0));
        if (!specified.equals(compiler.program(cluster.node(0)))) {
            throw new IllegalStateException("the incremental compiler's program is not the specified one");
        }
        print(
                "compile.specification.1-node",
                Cost.of(() -> slow.compile(snapshot, cluster.node(0))).millis(),
                "ms");

        IncrementalCompiler live = compiler;
        changes(
                "pod-label",
                live,
                snapshot,
                i -> new Change.PodSet(cluster.pod(
                        pod(i), i % 2 == 0 ? Map.of("app", "app-7", "tier", "moved") : PolicyCluster.labels(pod(i)))));
        changes(
                "endpoint",
                live,
                snapshot,
                i -> i % 2 == 0
                        ? new Change.EndpointGone(
                                cluster.node(cluster.nodeOf(pod(i))),
                                cluster.endpoint(pod(i)).key())
                        : new Change.EndpointSet(cluster.node(cluster.nodeOf(pod(i))), cluster.endpoint(pod(i))));
        changes(
                "policy",
                live,
                snapshot,
                i -> new Change.PolicySet(
                        PolicyCluster.policy(i / 2 * 7 % PolicyCluster.POLICIES, i % 2 == 0 ? 8080 : 80)));
        changes(
                "namespace-label",
                live,
                snapshot,
                i -> new Change.NamespaceSet(PolicyCluster.namespace(
                        i / 2 % PolicyCluster.NAMESPACES,
                        i % 2 == 0 ? "team-other" : PolicyCluster.team(i / 2 % PolicyCluster.NAMESPACES))));
    }

    /** Each pod twice: there and back. */
    private static int pod(int round) {
        return round / 2 * 37 % PolicyCluster.PODS;
    }

    /** What the nodes that it concerns are to be told. */
    private static int tell(IncrementalCompiler compiler, ClusterDelta delta) {
        compiler.apply(delta);
        SetDeltas sets = new SetDeltas();
        int parts = 0;
        for (NodeName node : compiler.concerned()) {
            ProgramDelta told = compiler.changes(node).delta(sets);
            parts += told.endpoints().size() + told.addressSets().size();
        }
        return parts;
    }

    private static int step(PolicyCluster cluster, IncrementalCompiler compiler, ClusterDelta delta) {
        compiler.apply(delta);
        int endpoints = 0;
        for (int node = 0; node < cluster.nodes(); node++) {
            endpoints += compiler.program(cluster.node(node)).endpoints().size();
        }
        return endpoints;
    }

    private static void changes(
            String name, IncrementalCompiler compiler, ClusterSnapshot before, IntFunction<Change> change) {
        LateSnapshot snapshot = new LateSnapshot();
        snapshot.add(ClusterDelta.ofObjects(ClusterSnapshot.EMPTY, before));
        List<Cost> compiles = new ArrayList<>();
        List<Cost> snapshots = new ArrayList<>();
        for (int i = 0; i < 2 * ROUNDS; i++) {
            ClusterDelta delta = ClusterDelta.of(change.apply(i));
            Cost compiled = Cost.of(() -> tell(compiler, delta));
            Cost applied = Cost.of(() -> {
                snapshot.add(delta);
                return 0;
            });
            if (i >= ROUNDS) {
                compiles.add(compiled);
                snapshots.add(applied);
            }
        }
        print("compile." + name + ".p50", percentile(compiles, 50), "ms");
        budget("compile." + name + ".p99", percentile(compiles, 99), 5);
        print("compile." + name + ".allocated", medianKib(compiles), "KiB");
        print("snapshot." + name + ".p50", percentile(snapshots, 50), "ms");
        print("snapshot." + name + ".p99", percentile(snapshots, 99), "ms");
        print("snapshot." + name + ".allocated", medianKib(snapshots), "KiB");
    }

    private void fanOut(int nodes, int port) throws Exception {
        PolicyCluster cluster = new PolicyCluster(nodes);
        String prefix = "fan-out." + nodes + "-nodes.";
        Path manifests = Files.createDirectories(folder.resolve("manifests-" + nodes));
        cluster.write(manifests);
        Daemon process = new Daemon(
                "policy-service",
                folder.resolve("log-" + nodes),
                List.of(),
                List.of(
                        home.resolve("bin/policy-service").toString(),
                        "--listen=127.0.0.1:" + port,
                        "--http-listen=127.0.0.1:" + (port + 1),
                        "--manifests=" + manifests));
        process.start(List.of());
        List<AutoCloseable> all = new ArrayList<>();
        Round round = new Round();
        AtomicLong enforcedAt = new AtomicLong();
        try {
            long began = System.nanoTime();
            round.begin(nodes);
            Node first = new Node(cluster, 0, port, round);
            all.add(first);
            // One of them has a kernel.
            all.add(new EnforcingNode(cluster, 1, port, folder.resolve("node-" + nodes), () -> {
                enforcedAt.set(System.nanoTime());
                round.told(1);
            }));
            for (int i = 2; i < nodes; i++) {
                all.add(new Node(cluster, i, port, round));
            }
            round.await();
            print(prefix + "start-until-all-have-programs", (System.nanoTime() - began) / 1e6, "ms");

            // A pod of app 0 is in a set of every node: at node 0 it goes and comes.
            List<Cost> attached = new ArrayList<>();
            List<Cost> enforced = new ArrayList<>();
            Endpoint endpoint = cluster.endpoint(0);
            for (int i = 0; i < WARM_UP + ATTACHED; i++) {
                round.begin(nodes);
                first.down(endpoint.key());
                round.await();
                round.begin(nodes);
                long from = System.nanoTime();
                first.up(endpoint);
                round.await();
                if (i >= WARM_UP) {
                    attached.add(new Cost(System.nanoTime() - from, 0));
                    enforced.add(new Cost(enforcedAt.get() - from, 0));
                }
            }
            print(prefix + "attached-until-enforced-elsewhere.p50", percentile(enforced, 50), "ms");
            budget(prefix + "attached-until-enforced-elsewhere.p99", percentile(enforced, 99), 50);
            print(prefix + "attached-until-all-told.p50", percentile(attached, 50), "ms");
            budget(prefix + "attached-until-all-told.p99", percentile(attached, 99), 50);

            List<Cost> changed = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                round.begin(Math.min(nodes, PolicyCluster.PODS / PolicyCluster.NAMESPACES));
                long from = System.nanoTime();
                PolicyCluster.changePolicy(manifests, 8000 + i);
                round.await();
                if (i >= 10) {
                    changed.add(new Cost(System.nanoTime() - from, 0));
                }
            }
            print(prefix + "policy-file-until-all-told.p50", percentile(changed, 50), "ms");
            budget(prefix + "policy-file-until-all-told.p99", percentile(changed, 99), 200);
            print(prefix + "rss", new JvmMemory(process.pid()).residentAfterCollection() / 1024.0, "MiB");
        } finally {
            for (AutoCloseable node : all) {
                node.close();
            }
            process.close();
        }
    }

    /** One change, and the nodes that were told of it. */
    private static final class Round {
        private final Set<Integer> told = ConcurrentHashMap.newKeySet();
        private volatile CountDownLatch left = new CountDownLatch(0);

        void begin(int nodes) {
            told.clear();
            left = new CountDownLatch(nodes);
        }

        void told(int node) {
            if (told.add(node)) {
                left.countDown();
            }
        }

        void await() throws InterruptedException {
            if (!left.await(90, TimeUnit.SECONDS)) {
                throw new IllegalStateException(left.getCount() + " nodes were not told");
            }
        }
    }

    /** A node that acknowledges at once. */
    private static final class Node implements AutoCloseable {
        private final ManagedChannel channel;
        private final StreamObserver<NodeMessage> out;

        Node(PolicyCluster cluster, int number, int port, Round round) {
            channel = NettyChannelBuilder.forTarget("127.0.0.1:" + port)
                    .usePlaintext()
                    .maxInboundMessageSize(64 << 20)
                    .build();
            out = ProgramsGrpc.newStub(channel).withWaitForReady().watch(new StreamObserver<>() {
                @Override
                public void onNext(ProgramUpdate update) {
                    send(NodeMessage.newBuilder().setAck(Ack.newBuilder().setRevision(update.getRevision())));
                    round.told(number);
                }

                @Override
                public void onError(Throwable failure) {
                    if (!channel.isShutdown()) {
                        System.err.println("a stream ended: " + failure);
                    }
                }

                @Override
                public void onCompleted() {}
            });
            NodeName name = cluster.node(number);
            Hello.Builder hello = Hello.newBuilder()
                    .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                    .setNode(NodeEpoch.newBuilder()
                            .setNode(name.value())
                            .setNodeUid("uid")
                            .setCounter(1));
            for (int pod = number; pod < PolicyCluster.PODS; pod += cluster.nodes()) {
                hello.addEndpoints(local(cluster.endpoint(pod)));
            }
            send(NodeMessage.newBuilder().setHello(hello));
        }

        private static LocalEndpoint local(Endpoint endpoint) {
            return LocalEndpoint.newBuilder()
                    .setKey(endpoint.key())
                    .setPod(PodRef.newBuilder()
                            .setNamespace(endpoint.pod().namespace())
                            .setName(endpoint.pod().name()))
                    .addAllAddresses(
                            endpoint.addresses().stream().map(Object::toString).toList())
                    .setDeclared(true)
                    .build();
        }

        void up(Endpoint endpoint) {
            send(NodeMessage.newBuilder().setEndpointUp(EndpointUp.newBuilder().setEndpoint(local(endpoint))));
        }

        void down(String key) {
            send(NodeMessage.newBuilder()
                    .setEndpointDown(EndpointDown.newBuilder().setKey(key)));
        }

        private synchronized void send(NodeMessage.Builder message) {
            out.onNext(message.build());
        }

        @Override
        public void close() {
            channel.shutdownNow();
        }
    }

    /** What one step took: time, and bytes that its thread allocated. */
    private record Cost(long nanos, long bytes) {
        /** Something that gives a result, so that it is not left out. */
        @FunctionalInterface
        interface Step {
            Object take();
        }

        static Cost of(Step step) {
            long bytes = THREADS.getCurrentThreadAllocatedBytes();
            long from = System.nanoTime();
            Object result = step.take();
            long nanos = System.nanoTime() - from;
            if (result.equals(Integer.MIN_VALUE)) {
                throw new AssertionError(result);
            }
            return new Cost(nanos, THREADS.getCurrentThreadAllocatedBytes() - bytes);
        }

        double millis() {
            return nanos / 1e6;
        }
    }

    private static double percentile(List<Cost> costs, double percentile) {
        long[] sorted = costs.stream().mapToLong(Cost::nanos).sorted().toArray();
        return sorted[(int) Math.ceil(percentile / 100 * sorted.length) - 1] / 1e6;
    }

    private static double medianKib(List<Cost> costs) {
        long[] bytes = costs.stream().mapToLong(Cost::bytes).toArray();
        Arrays.sort(bytes);
        return bytes[bytes.length / 2] / 1024.0;
    }

    private static void print(String figure, double value, String unit) {
        System.out.printf(Locale.ROOT, "bench policy.%s ours=%.2f%s%n", figure, value, unit);
    }

    private static void budget(String figure, double millis, double budget) {
        Figures.line("policy." + figure, millis, budget, "ms", "budget", 1, 0);
    }
}
