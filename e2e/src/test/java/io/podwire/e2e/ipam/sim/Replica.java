package io.podwire.e2e.ipam.sim;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.BlockRules;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import io.podwire.ipam.service.AddressFlow;
import io.podwire.ipam.service.BlockFlow;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.CoolDownLook;
import io.podwire.ipam.service.PoolFlow;
import io.podwire.ipam.service.ReclaimFlow;
import io.podwire.ipam.service.ReclaimLook;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/** A replica of ipam-service: its real flows, in lives that crash and begin anew, over the store's connection. */
final class Replica {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration STORE_TIMEOUT = Duration.ofSeconds(1);
    private static final Duration LOOK = Duration.ofMillis(300);
    /** A node that has reported nothing for so long is not connected. */
    private static final Duration SILENT = Duration.ofSeconds(1);

    private final World world;
    private final Network network;
    private final SimStore store;
    private final Cluster cluster;
    private final Conduct conduct;
    private final String name;
    private final Supplier<Boolean> over;
    private Life life;

    /** One life, which knows what it has read itself. */
    private final class Life {
        private final Program process = new Program(world, name);
        private final CasFlow flow = new CasFlow(
                new Connection(process),
                PATIENCE,
                world,
                process::sleep,
                new SplittableRandom(world.random().nextLong()),
                world::start);
        private final BlockFlow blocks = new BlockFlow(flow);
        private final AddressFlow addresses = new AddressFlow(flow, world);
        private final PoolFlow pools = new PoolFlow(flow);
        private final CoolDownLook coolDowns = new CoolDownLook(addresses, world, conduct.coolDown(Checker.COOL_DOWN));
        private final ReclaimFlow reclaims = new ReclaimFlow(flow, world, new SimpleMeterRegistry());
        private final BindingTable bindings = new BindingTable();
        private final Map<NodeEpoch, Stream> streams = new HashMap<>();
        private final ReclaimLook gone = new ReclaimLook(
                reclaims,
                bindings,
                this::nodes,
                world,
                conduct.patience(new Patience(LOOK, Checker.GRACE)),
                new SimpleMeterRegistry());

        private Set<NodeName> listed = Set.of();
        private int looks;

        private Set<NodeName> nodes() {
            if (looks % conduct.looksOfAList() == 0) {
                try {
                    listed = network.call(
                            process, Cluster.NAME, "list nodes", STORE_TIMEOUT, false, () -> cluster.list(name));
                } catch (Network.Unanswered e) {
                    throw new ServiceException(ErrorReason.UNAVAILABLE, "the cluster did not answer", e);
                }
            }
            looks++;
            return listed;
        }

        private void lookForNodes() {
            streams.values().removeIf(stream -> {
                boolean silent = world.monotonic().minus(stream.heard()).compareTo(SILENT) > 0;
                if (silent) {
                    bindings.ended(stream.of());
                }
                return silent;
            });
            gone.look();
        }

        private void report(NodeEpoch epoch) {
            Stream before = streams.get(epoch);
            BindingTable.Stream stream = before == null ? new BindingTable.Stream(_ -> {}) : before.of();
            if (before == null) {
                bindings.full(stream, epoch, List.of(), world.monotonic());
            }
            streams.put(epoch, new Stream(stream, world.monotonic()));
        }
    }

    /** A node's stream of reports, and when it was heard last. */
    private record Stream(BindingTable.Stream of, Duration heard) {}

    Replica(
            World world,
            Network network,
            SimStore store,
            Cluster cluster,
            Conduct conduct,
            String name,
            Supplier<Boolean> over) {
        this.world = world;
        this.network = network;
        this.store = store;
        this.cluster = cluster;
        this.conduct = conduct;
        this.name = name;
        this.over = over;
        begin();
    }

    String name() {
        return name;
    }

    void crash() {
        life.process.crash();
    }

    void restart() {
        if (!life.process.alive()) {
            begin();
        }
    }

    private void begin() {
        Life next = new Life();
        life = next;
        world.start(() -> {
            while (!over.get()) {
                next.process.sleep(LOOK);
                next.coolDowns.look();
            }
        });
        world.start(() -> {
            while (!over.get()) {
                next.process.sleep(LOOK);
                next.lookForNodes();
            }
        });
    }

    /** What a replica does with a call, in the life that it came to. */
    private interface Served<T> {
        T by(Life life);
    }

    private <T> T serve(Served<T> served) {
        Life at = life;
        at.process.check();
        T result = served.by(at);
        at.process.check();
        return result;
    }

    Block claim(ClaimRequest request) {
        return serve(at -> at.blocks
                .claim(new ClaimRequest(
                        conduct.caller(request.caller(), at.blocks::ledger),
                        request.nodeLabels(),
                        request.pool(),
                        request.family(),
                        request.requestId()))
                .block());
    }

    boolean release(NodeEpoch caller, IpPrefix cidr) {
        return serve(at -> {
            at.blocks.release(conduct.caller(caller, at.blocks::ledger), cidr, BlockRules.ANY_CLAIM);
            return true;
        });
    }

    /** A sign of life of a node, which tells nothing of its bindings. */
    boolean report(NodeEpoch epoch) {
        return serve(at -> {
            at.reclaims.check(epoch);
            at.report(epoch);
            return true;
        });
    }

    Ledger ledger() {
        return serve(at -> at.blocks.ledger());
    }

    List<SingleAddress> allocate(AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload) {
        return serve(at -> {
            try {
                return at.addresses.allocate(owner, wishes, conduct.workload(workload, wishes, at.blocks::ledger));
            } catch (ServiceException e) {
                throw conduct.refusal(e, at.blocks::ledger);
            }
        });
    }

    boolean release(String ownerId, List<IpAddress> addresses) {
        return serve(at -> {
            at.addresses.release(conduct.releaser(ownerId, addresses, at.blocks::ledger), addresses);
            return true;
        });
    }

    boolean reserve(List<Workload> workloads, List<AddressWish.Any> wishes) {
        return serve(at -> {
            at.addresses.reserve(workloads, wishes);
            return true;
        });
    }

    boolean unreserve(List<Workload> workloads) {
        return serve(at -> {
            at.addresses.unreserve(workloads);
            return true;
        });
    }

    /** Does something with pools. */
    boolean pools(java.util.function.Consumer<PoolFlow> change) {
        return serve(at -> {
            change.accept(at.pools);
            return true;
        });
    }

    /** The store as a replica reaches it. */
    private final class Connection implements IpamStore {
        private final Program process;
        private boolean writeFailed;

        Connection(Program process) {
            this.process = process;
        }

        @Override
        public Reading read(long since) {
            process.check();
            boolean afterWrite = writeFailed;
            writeFailed = false;
            try {
                Reading reading =
                        network.call(process, SimStore.NAME, "read", STORE_TIMEOUT, false, () -> store.read(since));
                return conduct.read(reading, since, afterWrite);
            } catch (Network.Unanswered e) {
                throw new ServiceException(ErrorReason.UNAVAILABLE, "the store did not answer", e);
            }
        }

        @Override
        public long revision() {
            return read(0).revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            process.check();
            if (Bug.reclaims(changes)) {
                // A process that stops between its decision and its write: the node may come back meanwhile.
                process.sleep(world.upTo(STORE_TIMEOUT));
            }
            Outcome outcome = new Outcome.Unknown();
            writeFailed = false;
            for (List<Change> next : conduct.writes(changes)) {
                if (!writeFailed) {
                    outcome = written(next);
                    writeFailed = !(outcome instanceof Outcome.Applied);
                }
            }
            return outcome;
        }

        /** As etcd's: it ends on another thread than it began on. */
        @Override
        public CompletableFuture<Outcome> write(List<Change> changes) {
            return CompletableFuture.supplyAsync(() -> compareAndSet(changes), world::start);
        }

        @Override
        public boolean waits() {
            return false;
        }

        private Outcome written(List<Change> changes) {
            try {
                return network.call(
                        process,
                        SimStore.NAME,
                        "write " + changes.stream().map(Change::key).toList(),
                        STORE_TIMEOUT,
                        false,
                        () -> store.compareAndSet(changes));
            } catch (Network.Unanswered _) {
                return new Outcome.Unknown();
            }
        }

        @Override
        public boolean connected() {
            return process.alive();
        }

        @Override
        public void close() {}
    }
}
