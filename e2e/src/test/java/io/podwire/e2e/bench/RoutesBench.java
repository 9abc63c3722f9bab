package io.podwire.e2e.bench;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Shell;
import io.podwire.node.dataplane.CurrentUnderlay;
import io.podwire.node.dataplane.RouteReconciler;
import io.podwire.node.dataplane.Sysctl;
import io.podwire.node.dataplane.VxlanDevice;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netns.Netns;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.RoutePlan;
import io.podwire.node.plan.UnderlayChoice;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * How long a change of one node's routes takes to simulated nodes, each on a connection of its own to a process of
 * route-reflector; a new node's first full state of 10,000 prefixes; and 10,000 routes into a kernel, beside ip(8).
 */
final class RoutesBench {
    private static final int ROUNDS = Integer.getInteger("routes.rounds", 60);
    private static final int WARM = 20;
    private static final int PREFIXES = 10_000;
    private static final double BUDGET_MILLIS = 200;

    private final Path home = Path.of(System.getenv("PODWIRE_HOME"));
    private final Path folder;

    /**
     * A bench.
     *
     * @param disk folder for logs
     */
    RoutesBench(Path disk) throws IOException {
        folder = Files.createTempDirectory(Files.createDirectories(disk), "routes")
                .toAbsolutePath();
    }

    void run() throws IOException, InterruptedException {
        try {
            fanOut(100, 7521);
            fanOut(1000, 7523);
            kernel();
        } finally {
            Folders.delete(folder);
        }
    }

    private void fanOut(int nodes, int port) throws InterruptedException {
        String prefix = "routes." + nodes + "-nodes.";
        Daemon process = new Daemon(
                "route-reflector",
                folder.resolve("log-" + nodes),
                List.of(),
                List.of(
                        home.resolve("bin/route-reflector").toString(),
                        "--listen=127.0.0.1:" + port,
                        "--http-listen=127.0.0.1:" + (port + 1)));
        process.start(List.of());
        List<Node> all = new ArrayList<>();
        Arrivals arrivals = new Arrivals();
        try {
            arrivals.begin(nodes);
            long began = System.nanoTime();
            for (int i = 0; i < nodes; i++) {
                all.add(new Node(i, port, arrivals));
                all.get(i).announce(PREFIXES / nodes, PREFIXES / nodes, 0);
            }
            arrivals.await();
            print(prefix + "start-until-all-have-a-state", (System.nanoTime() - began) / 1e6, "ms");
            for (Node node : all) {
                node.awaitNames(nodes - 1);
            }
            print(prefix + "start-until-all-know-all", (System.nanoTime() - began) / 1e6, "ms");

            List<Double> each = new ArrayList<>();
            List<Double> last = new ArrayList<>();
            for (int round = 1; round <= WARM + ROUNDS; round++) {
                arrivals.begin(nodes - 1);
                long from = System.nanoTime();
                all.getFirst().announce(PREFIXES / nodes, PREFIXES / nodes, round);
                arrivals.await();
                if (round > WARM) {
                    arrivals.at().forEach(at -> each.add((at - from) / 1e6));
                    last.add((Collections.max(arrivals.at()) - from) / 1e6);
                }
            }
            print(prefix + "change-until-told.p50", percentile(each, 50), "ms");
            Figures.line(
                    prefix + "change-until-told.p99", percentile(each, 99), BUDGET_MILLIS, "ms", "budget", ROUNDS, 0);
            Figures.line(
                    prefix + "change-until-all-told.p99",
                    percentile(last, 99),
                    BUDGET_MILLIS,
                    "ms",
                    "budget",
                    ROUNDS,
                    0);

            List<Double> full = new ArrayList<>();
            for (int i = 0; i < 15; i++) {
                long from = System.nanoTime();
                Node late = new Node(nodes + i, port, arrivals);
                all.add(late);
                late.announce(PREFIXES / nodes, 1, 0);
                late.awaitNames(nodes);
                if (i >= 5) {
                    full.add((late.fullAt - from) / 1e6);
                }
            }
            print(prefix + PREFIXES + "-prefixes-to-a-new-node.p50", percentile(full, 50), "ms");
            print(prefix + "rss", new JvmMemory(process.pid()).residentAfterCollection() / 1024.0, "MiB");
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } finally {
            all.forEach(Node::close);
            process.close();
        }
    }

    /** When each node was told. */
    private static final class Arrivals {
        private final ConcurrentHashMap<Integer, Long> at = new ConcurrentHashMap<>();
        private volatile CountDownLatch left = new CountDownLatch(0);

        void begin(int nodes) {
            at.clear();
            left = new CountDownLatch(nodes);
        }

        void told(int node) {
            if (at.putIfAbsent(node, System.nanoTime()) == null) {
                left.countDown();
            }
        }

        List<Long> at() {
            return List.copyOf(at.values());
        }

        void await() throws InterruptedException {
            if (!left.await(90, TimeUnit.SECONDS)) {
                throw new IllegalStateException(left.getCount() + " nodes were not told");
            }
        }
    }

    /** A node that reads at once what it is told. */
    private static final class Node implements AutoCloseable {
        private final int number;
        private final ManagedChannel channel;
        private final StreamObserver<Announcement> out;
        private final Set<String> names = ConcurrentHashMap.newKeySet();
        private volatile long fullAt;

        Node(int number, int port, Arrivals arrivals) {
            this.number = number;
            channel = NettyChannelBuilder.forTarget("127.0.0.1:" + port)
                    .usePlaintext()
                    .directExecutor()
                    .maxInboundMessageSize(64 << 20)
                    .build();
            out = RoutesGrpc.newStub(channel).withWaitForReady().exchange(new StreamObserver<>() {
                @Override
                public void onNext(RouteUpdate update) {
                    update.getFull().getRoutesList().forEach(route -> names.add(route.getNode()));
                    update.getDelta().getUpdatedList().forEach(route -> names.add(route.getNode()));
                    if (update.hasFull()) {
                        fullAt = System.nanoTime();
                    }
                    arrivals.told(number);
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
        }

        /**
         * Announces.
         *
         * @param share prefixes that each node may have
         * @param prefixes how many of its share
         * @param round one more prefix, another one each round; 0: none
         */
        void announce(int share, int prefixes, int round) {
            String name = "node-" + number;
            NodeRoute.Builder route = NodeRoute.newBuilder()
                    .setNode(name)
                    .setUnderlayAddress("10.200." + number / 250 + "." + (1 + number % 250))
                    .setUnderlayLength(16);
            for (int i = 0; i < prefixes; i++) {
                route.addPrefixes(prefix(number * share + i));
            }
            if (round > 0) {
                route.addPrefixes("10.250." + round + ".0/26");
            }
            out.onNext(Announcement.newBuilder()
                    .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                    .setNode(NodeEpoch.newBuilder()
                            .setNode(name)
                            .setNodeUid("uid-" + name)
                            .setBootId("boot")
                            .setCounter(1))
                    .setRoute(route)
                    .build());
        }

        void awaitNames(int count) throws InterruptedException {
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(90);
            while (names.size() < count) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException("node " + number + " knows " + names.size() + " others");
                }
                TimeUnit.MILLISECONDS.sleep(1);
            }
        }

        @Override
        public void close() {
            channel.shutdownNow();
        }
    }

    /** A block of 64 addresses. */
    private static String prefix(int number) {
        return "10." + number / 1024 + "." + number / 4 % 256 + "." + number % 4 * 64 + "/26";
    }

    private static void kernel() {
        Figures all = new Figures();
        List<Double> one = new ArrayList<>();
        Shell.output("ip", "netns", "add", "b-kernel");
        try (Netns ns = Netns.open(Path.of("/run/netns/b-kernel"));
                Rtnetlink host = Rtnetlink.open(ns);
                EventLoop loop = new EventLoop("bench-routes")) {
            for (String line : List.of(
                    "link add under type veth peer name other",
                    "addr add 198.18.0.1/16 dev under",
                    "link set under up",
                    "link set other up")) {
                Shell.output(("ip -n b-kernel " + line).split(" "));
            }
            IpAddress via = IpAddress.parse("198.18.0.2");
            List<RoutePlan.Direct> direct = new ArrayList<>();
            List<String> byHand = new ArrayList<>();
            for (int i = 0; i < PREFIXES; i++) {
                direct.add(new RoutePlan.Direct(IpPrefix.parse(prefix(i)), via));
                byHand.add("route replace " + prefix(i) + " via " + via + " dev under onlink");
            }
            RouteReconciler routes = new RouteReconciler(
                    host,
                    loop,
                    new CurrentUnderlay(host, new UnderlayChoice(List.of("under"), List.of())),
                    RouteMode.CROSS_SUBNET,
                    new VxlanDevice.Settings(7470, 4789, MacAddress.parse("02:00:00:00:00:01")),
                    Set.of(IpFamily.V4),
                    new Sysctl(Path.of("/proc/sys")));
            RoutePlan nothing = new RoutePlan(List.of(), List.of());
            RoutePlan every = new RoutePlan(direct, List.of());
            RoutePlan butOne = new RoutePlan(direct.subList(1, PREFIXES), List.of());
            for (int round = 0; round < 8; round++) {
                double ours = took(() -> plan(routes, loop, every));
                for (int change = 0; change < 10; change++) {
                    RoutePlan next = change % 2 == 0 ? butOne : every;
                    double cost = took(() -> plan(routes, loop, next));
                    if (round > 2) {
                        one.add(cost);
                    }
                }
                plan(routes, loop, nothing);
                String batch = String.join("\n", byHand) + "\n";
                double peer = took(() -> {
                    Shell.Ended end = Shell.run(
                            List.of("ip", "-n", "b-kernel", "-batch", "-"),
                            System.getenv(),
                            batch.getBytes(java.nio.charset.StandardCharsets.UTF_8));
                    if (end.exitCode() != 0) {
                        throw new IllegalStateException(end.stderr());
                    }
                });
                Shell.output("ip", "-n", "b-kernel", "route", "flush", "via", via.toString());
                if (round > 2) {
                    all.add(ours, peer);
                }
            }
            all.print("routes.kernel." + PREFIXES + "-routes", 50, "ms", "ip-batch", 0);
            print("routes.kernel.one-of-" + PREFIXES + ".p50", percentile(one, 50), "ms");
        } finally {
            var _ = Shell.attempt("ip", "netns", "delete", "b-kernel");
        }
    }

    private static void plan(RouteReconciler routes, EventLoop loop, RoutePlan plan) {
        routes.plan(plan);
        loop.submit(() -> null).join();
    }

    private static double took(Runnable what) {
        long from = System.nanoTime();
        what.run();
        return (System.nanoTime() - from) / 1e6;
    }

    private static double percentile(List<Double> samples, double percentile) {
        List<Double> sorted = new ArrayList<>(samples);
        Collections.sort(sorted);
        return sorted.get((int) Math.ceil(percentile / 100 * sorted.size()) - 1);
    }

    private static void print(String figure, double value, String unit) {
        System.out.printf(Locale.ROOT, "bench %s ours=%.2f%s%n", figure, value, unit);
    }
}
