package io.podwire.e2e.bench;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.podwire.common.net.IpAddress;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AuditAddressesRequest;
import io.podwire.proto.ipam.v1.AuditAddressesResponse;
import io.podwire.proto.ipam.v1.AuditsGrpc;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BindingDelta;
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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Memory and time of a process of ipam-service that 5,000 nodes tell of 30 pods each, every node on a connection of its
 * own. Each node has a block.
 */
final class BindingBench {
    private static final int NODES = 5_000;
    private static final int PODS = 30;
    private static final String POOL = "--pool=default=10.0.0.0/8/26";
    /** What a Deployment gives it (deploy/kustomize). */
    private static final int LIMIT_MIB = 512;

    private final IpamProcess service;
    private final List<ManagedChannel> channels = new ArrayList<>();

    private BindingBench(IpamProcess service) {
        this.service = service;
    }

    /**
     * Starts a service, and measures it.
     *
     * @param folder for its files
     */
    static void run(Path home, Path folder, int port) throws IOException, InterruptedException {
        try (IpamProcess service =
                IpamProcess.start(home, folder, port, List.of("--mvstore-file=" + folder.resolve("ipam.mv"), POOL))) {
            BindingBench bench = new BindingBench(service);
            try {
                bench.run();
            } finally {
                bench.channels.forEach(ManagedChannel::shutdownNow);
            }
        }
    }

    private void run() throws IOException, InterruptedException {
        ManagedChannel first = channel();
        claim(first);
        long before = service.memory().residentAfterCollection();
        print("rss.without-nodes", before / 1024.0, "MiB");
        long heapBefore = service.memory().liveHeap();

        List<ReportBindingsRequest> reports = new ArrayList<>();
        for (int node = 0; node < NODES; node++) {
            reports.add(report(node));
        }
        long began = System.nanoTime();
        CountDownLatch acknowledged = new CountDownLatch(NODES);
        CountDownLatch alive = new CountDownLatch(NODES);
        List<StreamObserver<ReportBindingsRequest>> streams = new ArrayList<>();
        for (ReportBindingsRequest report : reports) {
            StreamObserver<ReportBindingsRequest> stream = BindingsGrpc.newStub(channel())
                    .reportBindings(new StreamObserver<>() {
                        @Override
                        public void onNext(ReportBindingsResponse response) {
                            if (response.getSequence() == 1) {
                                acknowledged.countDown();
                            } else {
                                alive.countDown();
                            }
                        }

                        @Override
                        public void onError(Throwable failure) {
                            if (acknowledged.getCount() > 0) {
                                System.err.println("a stream ended: " + failure);
                            }
                        }

                        @Override
                        public void onCompleted() {}
                    });
            stream.onNext(report);
            streams.add(stream);
        }
        if (!acknowledged.await(2, TimeUnit.MINUTES)) {
            throw new IllegalStateException(acknowledged.getCount() + " nodes have no answer");
        }
        print("all-nodes-told", (System.nanoTime() - began) / 1e6, "ms");
        print("live-heap.nodes-and-bindings", (service.memory().liveHeap() - heapBefore) / 1048576.0, "MiB");

        double[] lists = new double[15];
        for (int i = 0; i < lists.length; i++) {
            lists[i] = list(first);
        }
        print("list-of-" + NODES * PODS + ".first", lists[0], "ms");
        Arrays.sort(lists);
        print("list-of-" + NODES * PODS + ".p50", lists[lists.length / 2], "ms");
        print("list-of-" + NODES * PODS + ".worst", lists[lists.length - 1], "ms");
        double[] exact = new double[101];
        for (int i = 0; i < exact.length; i++) {
            long from = System.nanoTime();
            var answer = AddressesGrpc.newBlockingStub(first)
                    .listAddresses(ListAddressesRequest.newBuilder()
                            .setAddress(address(i % NODES, 3))
                            .build());
            exact[i] = (System.nanoTime() - from) / 1e6;
            if (answer.getAddressesCount() != 1) {
                throw new IllegalStateException("one entry, got " + answer.getAddressesCount());
            }
        }
        Arrays.sort(exact);
        print("who-has.p50", exact[exact.length / 2], "ms");
        audit(first, streams, alive);
        Figures.line(
                "ipam.rss",
                service.memory().residentAfterCollection() / 1024.0,
                LIMIT_MIB,
                "MiB",
                "limit-of-the-deployment-at-" + NODES + "-nodes-" + NODES * PODS + "-pods",
                1,
                0);
        channels.subList(1, channels.size()).forEach(ManagedChannel::shutdownNow);
        awaitAway(first);
        long alone = service.memory().liveHeap() - heapBefore;
        print("bytes-per-binding", (double) alone / (NODES * (long) PODS), "B");
    }

    /** Looks of the audit, right after each node has given a sign of life: of an older report it would say nothing. */
    private void audit(
            ManagedChannel channel, List<StreamObserver<ReportBindingsRequest>> streams, CountDownLatch alive)
            throws IOException, InterruptedException {
        for (int node = 0; node < NODES; node++) {
            streams.get(node)
                    .onNext(ReportBindingsRequest.newBuilder()
                            .setNode(epoch(node))
                            .setSequence(2)
                            .setDelta(BindingDelta.getDefaultInstance())
                            .build());
        }
        if (!alive.await(1, TimeUnit.MINUTES)) {
            throw new IllegalStateException(alive.getCount() + " nodes have no answer to their sign of life");
        }
        double[] looks = new double[15];
        long before = service.memory().beginPeak();
        for (int i = 0; i < looks.length; i++) {
            long from = System.nanoTime();
            AuditAddressesResponse audit =
                    AuditsGrpc.newBlockingStub(channel).auditAddresses(AuditAddressesRequest.getDefaultInstance());
            looks[i] = (System.nanoTime() - from) / 1e6;
            if (audit.getCheckedBindings() != NODES * PODS
                    || audit.getCheckedBlocks() != NODES
                    || audit.getFindingsCount() != 0) {
                throw new IllegalStateException("a look at " + audit.getCheckedBindings() + " bindings and "
                        + audit.getCheckedBlocks() + " blocks with " + audit.getFindingsCount() + " findings, of "
                        + audit.getUnjudgedNodesCount() + " nodes none");
            }
        }
        print("audit.150k.first", looks[0], "ms");
        Arrays.sort(looks);
        print("audit.150k.p50", looks[looks.length / 2], "ms");
        print("audit.150k.worst", looks[looks.length - 1], "ms");
        long peak = service.memory().residentPeak();
        print("audit.150k.rss-peak", peak / 1024.0, "MiB");
        print("audit.150k.rss-grown", (peak - before) / 1024.0, "MiB");
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
        if (listed != NODES * PODS) {
            throw new IllegalStateException(listed + " addresses were listed, " + NODES * PODS + " reported");
        }
        return (System.nanoTime() - from) / 1e6;
    }

    private void claim(ManagedChannel channel) {
        for (int node = 0; node < NODES; node++) {
            var _ = BlocksGrpc.newBlockingStub(channel)
                    .withWaitForReady()
                    .claimBlock(ClaimBlockRequest.newBuilder()
                            .setNode(epoch(node))
                            .setRequestId("r" + node)
                            .build());
        }
    }

    private ManagedChannel channel() {
        ManagedChannel channel = service.channel();
        channels.add(channel);
        return channel;
    }

    private ReportBindingsRequest report(int node) {
        BindingList.Builder bindings = BindingList.newBuilder();
        for (int pod = 0; pod < PODS; pod++) {
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

    private static void print(String figure, double value, String unit) {
        System.out.printf(Locale.ROOT, "bench ipam.%s ours=%.2f%s%n", figure, value, unit);
    }
}
