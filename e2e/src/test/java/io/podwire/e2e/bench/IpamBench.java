package io.podwire.e2e.bench;

import ch.qos.logback.classic.Level;
import io.grpc.ManagedChannel;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.ipam.v1.AddressOwner;
import io.podwire.proto.ipam.v1.AddressWish;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ReleaseAddressesRequest;
import io.podwire.proto.ipam.v1.ReleaseBlockRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Single allocations and claims of ipam-service over MVStore and over an etcd of one member, beside a process of
 * host-local for each call and beside etcd's own transactions, which are the limit of a service that makes one for each
 * call. All files are on one disk; ours, theirs, ours, theirs.
 */
final class IpamBench implements AutoCloseable {
    private static final int CALLERS = 16;
    private static final int NODES = 500;
    private static final double SECONDS = Double.parseDouble(System.getProperty("seconds", "1"));
    private static final double WARM_UP_SECONDS = 8 * SECONDS;
    private static final String POOL = "--pool=default=10.0.0.0/8/26";
    private static final String RAW = "raw-etcd";

    private final Path home = Path.of(System.getenv("PODWIRE_HOME"));
    private final Path folder;
    private final Timed timed;
    private final HostLocal hostLocal;
    private final RawEtcd etcd;
    private final Replica mvstore;
    private final Replica overEtcd;
    private final AtomicLong serial = new AtomicLong();

    /**
     * Starts both services and their etcd.
     *
     * @param source timed.c
     * @param disk folder on the disk that is measured
     */
    IpamBench(Path source, Path disk) throws IOException, InterruptedException {
        ((ch.qos.logback.classic.Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).setLevel(Level.WARN);
        folder =
                Files.createTempDirectory(Files.createDirectories(disk), "ipam").toAbsolutePath();
        timed = Timed.in(Timed.compile(source, folder), "node1");
        hostLocal = new HostLocal(timed, folder.resolve("host-local"));
        etcd = RawEtcd.start(folder.resolve("etcd"), NODES);
        mvstore = new Replica(IpamProcess.start(
                home,
                folder.resolve("mvstore"),
                7501,
                List.of("--mvstore-file=" + folder.resolve("mvstore/ipam.mv"), POOL)));
        overEtcd = new Replica(IpamProcess.start(
                home,
                folder.resolve("over-etcd"),
                7503,
                List.of("--store=etcd", "--etcd-endpoints=" + RawEtcd.ENDPOINT, POOL)));
    }

    /** A service, and a connection that all callers share. */
    private record Replica(IpamProcess process, ManagedChannel channel) {
        Replica(IpamProcess process) {
            this(process, process.channel());
        }

        void close() {
            channel.shutdownNow();
            process.close();
        }
    }

    /** What is measured beside ours. */
    @FunctionalInterface
    private interface Measured {
        Load.Result measure() throws IOException, InterruptedException;
    }

    /** What was measured in turn, again and again: a column for each. */
    private record Rounds(List<Load.Result[]> samples, int discarded) {
        void print(String name, int ours, String peer, int theirs) {
            Figures perSecond = new Figures();
            Figures p99 = new Figures();
            for (Load.Result[] results : samples) {
                perSecond.add(results[ours].perSecond(), results[theirs].perSecond());
                p99.add(results[ours].p99(), results[theirs].p99());
            }
            perSecond.print("ipam." + name, 50, "/s", peer, discarded);
            p99.print("ipam." + name + ".p99", 50, "ms", peer, discarded);
        }
    }

    void run(int rounds) throws IOException, InterruptedException {
        var _ = allocations(mvstore, CALLERS, WARM_UP_SECONDS);
        var _ = allocations(overEtcd, CALLERS, WARM_UP_SECONDS);
        var _ = claims(overEtcd, CALLERS, WARM_UP_SECONDS);
        var _ = transactions(CALLERS, WARM_UP_SECONDS);
        for (int callers : List.of(1, CALLERS)) {
            String name = callers == 1 ? "1-caller" : callers + "-callers";
            Rounds measured = rounds(
                    rounds,
                    () -> allocations(mvstore, callers, SECONDS),
                    () -> hostLocal.during(SECONDS, callers),
                    () -> allocations(overEtcd, callers, SECONDS),
                    () -> transactions(callers, SECONDS),
                    () -> claims(overEtcd, callers, SECONDS),
                    () -> transactions(1, SECONDS));
            measured.print("mvstore." + name, 0, HostLocal.NAME, 1);
            measured.print("etcd." + name, 2, HostLocal.NAME, 1);
            measured.print("etcd." + name, 2, RAW + "." + name, 3);
            measured.print("claim.etcd." + name, 4, RAW + "." + name, 3);
            if (callers > 1) {
                measured.print("etcd." + name, 2, RAW + ".1-caller", 5);
                measured.print("claim.etcd." + name, 4, RAW + ".1-caller", 5);
            }
        }
        Rounds started = rounds(
                rounds,
                () -> claimsOfNodes(mvstore),
                () -> hostLocal.atOnce(NODES),
                () -> claimsOfNodes(overEtcd),
                () -> Load.atOnce(NODES, etcd::transaction));
        String claims = "claims-of-" + NODES + "-nodes.";
        started.print(claims + "mvstore", 0, HostLocal.NAME, 1);
        started.print(claims + "etcd", 2, HostLocal.NAME, 1);
        started.print(claims + "etcd", 2, RAW, 3);
        BindingBench.run(home, folder.resolve("bindings"), 7505);
    }

    /** Measures all in turn, as often as the machine is not disturbed meanwhile. */
    private Rounds rounds(int wanted, Measured... all) throws IOException {
        Gate gate = new Gate(timed);
        List<Load.Result[]> samples = new ArrayList<>();
        while (samples.size() < wanted && gate.discarded() < wanted * 3) {
            Load.Result[] results = new Load.Result[all.length];
            if (gate.quiet(() -> {
                try {
                    for (int i = 0; i < all.length; i++) {
                        results[i] = all[i].measure();
                    }
                } catch (InterruptedException e) {
                    throw new IOException("interrupted while it was measured", e);
                }
            })) {
                samples.add(results);
            }
        }
        return new Rounds(samples, gate.discarded());
    }

    /** Single allocations for a time, each for an owner of its own; they are released then. */
    private Load.Result allocations(Replica replica, int callers, double seconds)
            throws IOException, InterruptedException {
        Queue<String> owners = new ConcurrentLinkedQueue<>();
        Load.Result result = Load.during(seconds, callers, _ -> {
            String owner = "bench-" + serial.incrementAndGet();
            var _ = AddressesGrpc.newBlockingStub(replica.channel())
                    .allocateAddresses(AllocateAddressesRequest.newBuilder()
                            .setOwner(AddressOwner.newBuilder().setId(owner))
                            .addWishes(AddressWish.newBuilder().setFamily(IpFamily.IP_FAMILY_IPV4))
                            .build());
            owners.add(owner);
        });
        giveBack(owners, owner -> {
            var _ = AddressesGrpc.newBlockingStub(replica.channel())
                    .releaseAddresses(ReleaseAddressesRequest.newBuilder()
                            .setOwnerId(owner)
                            .build());
        });
        return result;
    }

    private Load.Result transactions(int callers, double seconds) throws IOException, InterruptedException {
        return Load.during(seconds, callers, etcd::transaction);
    }

    /** Claims of blocks for a time, each caller a node that claims another as soon as it has one; they are released then. */
    private Load.Result claims(Replica replica, int callers, double seconds) throws IOException, InterruptedException {
        Queue<Block> taken = new ConcurrentLinkedQueue<>();
        Load.Result result =
                Load.during(seconds, callers, number -> taken.add(claim(replica.channel(), "node-" + number)));
        giveBackBlocks(replica, taken);
        return result;
    }

    /** Nodes that start at once, each on a connection of its own, claim a block each. */
    private Load.Result claimsOfNodes(Replica replica) throws IOException, InterruptedException {
        List<ManagedChannel> channels = new ArrayList<>();
        for (int i = 0; i < NODES; i++) {
            channels.add(replica.process().channel());
        }
        try {
            Queue<Block> taken = new ConcurrentLinkedQueue<>();
            Load.Result result = Load.atOnce(NODES, number -> taken.add(claim(channels.get(number), "node-" + number)));
            giveBackBlocks(replica, taken);
            return result;
        } finally {
            channels.forEach(ManagedChannel::shutdownNow);
        }
    }

    private Block claim(ManagedChannel channel, String node) {
        return BlocksGrpc.newBlockingStub(channel)
                .withWaitForReady()
                .claimBlock(ClaimBlockRequest.newBuilder()
                        .setNode(NodeEpoch.newBuilder()
                                .setNode(node)
                                .setNodeUid("11111111-2222-3333-4444-555555555555")
                                .setBootId("66666666-7777-8888-9999-000000000000")
                                .setCounter(1))
                        .setRequestId("bench-" + serial.incrementAndGet())
                        .build());
    }

    private static void giveBackBlocks(Replica replica, Queue<Block> taken) throws IOException, InterruptedException {
        giveBack(taken, block -> {
            var _ = BlocksGrpc.newBlockingStub(replica.channel())
                    .releaseBlock(ReleaseBlockRequest.newBuilder()
                            .setNode(block.getOwner())
                            .setCidr(block.getCidr())
                            .build());
        });
    }

    private static <T> void giveBack(Queue<T> taken, Consumer<T> giveBack) throws IOException, InterruptedException {
        var _ = Load.atOnce(CALLERS, _ -> {
            for (T one = taken.poll(); one != null; one = taken.poll()) {
                giveBack.accept(one);
            }
        });
    }

    @Override
    public void close() throws IOException {
        mvstore.close();
        overEtcd.close();
        etcd.close();
        timed.close();
        Folders.delete(folder);
    }
}
