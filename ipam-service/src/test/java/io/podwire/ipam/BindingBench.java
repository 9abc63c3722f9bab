package io.podwire.ipam;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.common.net.IpAddress;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BindingList;
import io.podwire.proto.ipam.v1.BindingState;
import io.podwire.proto.ipam.v1.BindingsGrpc;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import io.podwire.proto.ipam.v1.ReportBindingsRequest;
import io.podwire.proto.ipam.v1.ReportBindingsResponse;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Scanner;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Memory and time of a process of ipam-service that 5,000 nodes tell of 30 pods each, every node on a connection of its
 * own. Run it by hand: {@code java -cp CLASSPATH io.podwire.ipam.BindingBench [NODES] [PODS] [HEAP]}; it prints a line
 * for each figure. Blocks of 500 nodes are in the store. The file limit must be above the number of nodes.
 */
final class BindingBench {
    private static final int CLAIMS = 500;

    private final int nodes;
    private final int pods;
    private final Process service;
    private final String target;
    private final List<ManagedChannel> channels = new ArrayList<>();

    private BindingBench(int nodes, int pods, Process service, String target) {
        this.nodes = nodes;
        this.pods = pods;
        this.service = service;
        this.target = target;
    }

    public static void main(String[] args) throws Exception {
        int nodes = args.length > 0 ? Integer.parseInt(args[0]) : 5_000;
        int pods = args.length > 1 ? Integer.parseInt(args[1]) : 30;
        String heap = args.length > 2 ? args[2] : "256m";
        Path folder = Files.createTempDirectory("binding-bench");
        int port = freePort();
        Process service = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx" + heap,
                        "-XX:+UseSerialGC",
                        "-XX:+UseCompactObjectHeaders",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:CompileThresholdScaling=0.1",
                        "-XX:+ExitOnOutOfMemoryError",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.podwire.ipam.Main",
                        "--listen=127.0.0.1:" + port,
                        "--http-listen=127.0.0.1:" + freePort(),
                        "--mvstore-file=" + folder.resolve("ipam.mv"),
                        "--pool=default=10.0.0.0/8/26")
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
        // Ctrl-C too ends it.
        Runtime.getRuntime().addShutdownHook(new Thread(service::destroyForcibly));
        BindingBench bench = new BindingBench(nodes, pods, service, "127.0.0.1:" + port);
        try {
            bench.run();
        } finally {
            bench.channels.forEach(ManagedChannel::shutdownNow);
            service.destroyForcibly().onExit().join();
            try (Stream<Path> files = Files.list(folder)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(folder);
        }
    }

    private void run() throws Exception {
        ManagedChannel first = channel();
        claim(first);
        long before = residentAfterCollection();
        print("rss.without-nodes", before / 1024.0, "MiB");
        long heapBefore = liveHeap();

        List<ReportBindingsRequest> reports = new ArrayList<>();
        for (int node = 0; node < nodes; node++) {
            reports.add(report(node));
        }
        long began = System.nanoTime();
        CountDownLatch acknowledged = new CountDownLatch(nodes);
        for (ReportBindingsRequest report : reports) {
            BindingsGrpc.newStub(channel())
                    .reportBindings(new StreamObserver<>() {
                        @Override
                        public void onNext(ReportBindingsResponse response) {
                            acknowledged.countDown();
                        }

                        @Override
                        public void onError(Throwable failure) {
                            System.out.println("a stream ended: " + failure);
                        }

                        @Override
                        public void onCompleted() {}
                    })
                    .onNext(report);
        }
        if (!acknowledged.await(2, TimeUnit.MINUTES)) {
            throw new IllegalStateException(acknowledged.getCount() + " nodes have no answer");
        }
        print("all-nodes-told", (System.nanoTime() - began) / 1e6, "ms");
        print("live-heap.nodes-and-bindings", (liveHeap() - heapBefore) / 1048576.0, "MiB");

        double[] lists = new double[15];
        for (int i = 0; i < lists.length; i++) {
            lists[i] = list(first);
        }
        print("list.first", lists[0], "ms");
        Arrays.sort(lists);
        print("list.p50", lists[lists.length / 2], "ms");
        print("list.worst", lists[lists.length - 1], "ms");
        double[] exact = new double[101];
        for (int i = 0; i < exact.length; i++) {
            long from = System.nanoTime();
            var answer = AddressesGrpc.newBlockingStub(first)
                    .listAddresses(ListAddressesRequest.newBuilder()
                            .setAddress(address(i % nodes, 3))
                            .build());
            exact[i] = (System.nanoTime() - from) / 1e6;
            if (answer.getAddressesCount() != 1) {
                throw new IllegalStateException("one entry, got " + answer.getAddressesCount());
            }
        }
        Arrays.sort(exact);
        print("who-has.p50", exact[exact.length / 2], "ms");
        print("rss", residentAfterCollection() / 1024.0, "MiB");
        channels.subList(1, channels.size()).forEach(ManagedChannel::shutdownNow);
        awaitAway(first);
        long alone = liveHeap() - heapBefore;
        print("bytes-per-binding", (double) alone / (nodes * (long) pods), "B");
    }

    /** Nodes that are away keep their bindings and no connection. */
    private static void awaitAway(ManagedChannel channel) throws InterruptedException {
        boolean connected = true;
        while (connected) {
            ListAddressesResponse answer = AddressesGrpc.newBlockingStub(channel)
                    .listAddresses(ListAddressesRequest.newBuilder().build());
            connected = answer.getAddressesList().stream()
                    .anyMatch(address -> address.getReported().getConnected());
            TimeUnit.MILLISECONDS.sleep(500);
        }
    }

    private double list(ManagedChannel channel) {
        long from = System.nanoTime();
        int listed = 0;
        String token = "";
        do {
            ListAddressesResponse page = AddressesGrpc.newBlockingStub(channel)
                    .listAddresses(ListAddressesRequest.newBuilder()
                            .setPageToken(token)
                            .build());
            listed += page.getAddressesCount();
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        if (listed != nodes * pods) {
            throw new IllegalStateException(listed + " addresses were listed, " + nodes * pods + " reported");
        }
        return (System.nanoTime() - from) / 1e6;
    }

    private void claim(ManagedChannel channel) {
        // The time of a claim grows with the blocks that are owned: those of all nodes would take minutes.
        for (int node = 0; node < Math.min(nodes, CLAIMS); node++) {
            var _ = BlocksGrpc.newBlockingStub(channel)
                    .withWaitForReady()
                    .claimBlock(ClaimBlockRequest.newBuilder()
                            .setNode(epoch(node))
                            .setRequestId("r" + node)
                            .build());
        }
    }

    private ManagedChannel channel() {
        ManagedChannel channel =
                NettyChannelBuilder.forTarget(target).usePlaintext().build();
        channels.add(channel);
        return channel;
    }

    private ReportBindingsRequest report(int node) {
        BindingList.Builder bindings = BindingList.newBuilder();
        for (int pod = 0; pod < pods; pod++) {
            String uuid = new UUID(node, pod).toString();
            bindings.addBindings(Binding.newBuilder()
                    .setAddress(address(node, pod))
                    .setContainerId((uuid + uuid).replace("-", ""))
                    .setIfname("eth0")
                    .setPod(PodRef.newBuilder()
                            .setNamespace("namespace-" + pod)
                            .setName("deployment-7d4b9c6f8d-" + node + "-" + pod)
                            .setUid(uuid))
                    .setNetwork("podwire")
                    .setState(BindingState.BINDING_STATE_IN_USE));
        }
        return ReportBindingsRequest.newBuilder()
                .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                .setNode(epoch(node))
                .setSequence(1)
                .setFull(bindings)
                .build();
    }

    /** Blocks are given from the lowest, one after the other. */
    private static String address(int node, int pod) {
        return IpAddress.ofV4(0x0a000000 + node * 64 + pod).toString();
    }

    private static NodeEpoch epoch(int node) {
        return NodeEpoch.newBuilder()
                .setNode("node-" + node + ".example")
                .setNodeUid(new UUID(0, node).toString())
                .setBootId("boot")
                .setCounter(1)
                .build();
    }

    /** In KiB. */
    private long residentAfterCollection() throws IOException, InterruptedException {
        var _ = jcmd("GC.run");
        return Files.readAllLines(Path.of("/proc/" + service.pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }

    /** In bytes: what a histogram, which collects first, counts. */
    private long liveHeap() throws IOException, InterruptedException {
        String histogram = jcmd("GC.class_histogram");
        // "Total", instances, bytes.
        try (Scanner total = new Scanner(histogram.substring(histogram.lastIndexOf("Total")))) {
            var _ = total.next();
            var _ = total.nextLong();
            return total.nextLong();
        }
    }

    private String jcmd(String command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(service.pid()),
                        command)
                .redirectErrorStream(true)
                .start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(command + ": " + out);
        }
        return out;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static void print(String figure, double value, String unit) {
        System.out.printf("bench bindings.%s ours=%.2f%s%n", figure, value, unit);
    }
}
