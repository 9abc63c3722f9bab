package io.podwire.e2e.ipam.sim;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.CoolDown;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.NodeSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.service.PoolFlow;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A cluster's address management under one seed: replicas of ipam-service and their store, nodes, tenants of single
 * addresses, a workload that has some reserved, an operator who changes pools, a cluster that nodes leave and join, and faults of them all
 * and of the network between them.
 */
final class IpamSimulation {
    /** Of single addresses. */
    static final Pool SINGLE = single("single", "10.2.0.0/29", 30);

    /** The same of the other family. */
    static final Pool SINGLE_6 = single("single-6", "fd00:2::/126", 127);

    /** Comes, goes, is retired and active again. */
    static final Pool FLIPPING = single("flipping", "10.3.0.0/29", 30);

    /** Fewer addresses than are wanted, so that everybody contends; pods' IPv4 in two pools, between which a claim chooses. */
    static final List<Pool> POOLS = List.of(
            new Pool("pods-0", IpPrefix.parse("10.1.0.0/28"), 30),
            new Pool("pods-1", IpPrefix.parse("10.1.1.0/28"), 30),
            new Pool("pods-6", IpPrefix.parse("fd00:1::/123"), 126),
            SINGLE,
            SINGLE_6,
            FLIPPING);

    private static final int REPLICAS = 3;
    private static final int NODES = 4;
    private static final int TENANTS = 4;
    private static final Duration TIMEOUT = Duration.ofSeconds(3);
    private static final Duration LONGEST_REST = Duration.ofSeconds(3);
    private static final Duration LONGEST_FAULT = Duration.ofSeconds(3);
    private static final Duration LONGEST_ABSENCE = Duration.ofSeconds(7);

    private final long seed;
    private final int operations;
    private final World world;
    private final Network network;
    private final SimStore store;
    private final Cluster cluster;
    private final List<Replica> replicas = new ArrayList<>();
    private final List<SimNode> nodes = new ArrayList<>();
    private final Checker checker;
    private final Conduct conduct;
    private int names;
    private int done;
    private int answered;
    private int unanswered;
    private final Map<String, Integer> addresses = new TreeMap<>();

    /**
     * What a run came to.
     *
     * @param operations calls, and begins and ends of pods
     * @param answered calls, refusals among them
     * @param reclaims how often the blocks of an installation of a node were taken back
     * @param singlesTaken how many single addresses of pods were taken back
     * @param addresses how often single addresses were given or refused in each way
     * @param time that passed in it
     * @param digest of all that happened
     */
    record Result(
            long steps,
            int operations,
            int answered,
            int unanswered,
            int reclaims,
            int singlesTaken,
            Map<String, Integer> addresses,
            Duration time,
            long digest) {}

    /**
     * A simulation.
     *
     * @param operations after which all faults end, and it with them
     */
    IpamSimulation(long seed, int operations, Conduct conduct) {
        this.seed = seed;
        this.operations = operations;
        this.conduct = conduct;
        this.world = new World(seed);
        this.network = new Network(world);
        this.cluster = new Cluster(world, new NodeName("node-0"));
        this.checker = new Checker(world, cluster);
        this.store = new SimStore(world, conduct, checker::stored);
    }

    private static Pool single(String name, String cidr, int blockLength) {
        return new Pool(
                name,
                IpPrefix.parse(cidr),
                blockLength,
                PoolState.ACTIVE,
                List.of(),
                NodeSelector.EVERY_NODE,
                NamespaceSelector.EVERY_NAMESPACE,
                PoolPurpose.STATIC,
                CoolDown.OF_NODE,
                PoolSource.GRPC,
                0);
    }

    /**
     * Runs to the end.
     *
     * @throws AssertionError with the seed, the step and the last steps, when something was seen that must not be
     */
    Result run() {
        try {
            world.start(this::setUp);
            world.run(checker::check);
            return new Result(
                    world.steps(),
                    done,
                    answered,
                    unanswered,
                    checker.reclaims(),
                    checker.singlesTaken(),
                    Map.copyOf(addresses),
                    world.monotonic(),
                    world.digest());
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError(
                    "-Dseed=" + seed + ", step " + world.steps() + ": " + e.getMessage() + "\nThe last steps:\n  "
                            + String.join("\n  ", world.last()),
                    e);
        }
    }

    private void setUp() {
        for (int i = 0; i < REPLICAS; i++) {
            replicas.add(new Replica(world, network, store, cluster, conduct, "replica-" + i, this::over));
        }
        Program operator = new Program(world, "operator");
        for (Pool pool : POOLS) {
            while (!changed(operator, "create " + pool.name(), pools -> pools.create(pool))) {
                world.sleep(TIMEOUT);
            }
        }
        for (int i = 0; i < NODES; i++) {
            nodes.add(newNode());
        }
        for (int i = 0; i < TENANTS; i++) {
            var _ = new Tenant(this, world, checker, "tenant-" + i);
        }
        var _ = new Replicated(this, world, checker, "db");
        world.start(() -> operate(operator));
        world.start(this::trouble);
        world.start(this::trouble);
        world.start(this::trouble);
    }

    private SimNode newNode() {
        String name = "node-" + names++;
        cluster.join(new NodeName(name));
        return new SimNode(this, world, checker, conduct, name);
    }

    List<Replica> replicas() {
        return replicas;
    }

    /** True when it is enough. */
    boolean over() {
        return done >= operations;
    }

    /** Counts an operation, that is a call or a pod's begin or end. */
    void done() {
        done++;
        if (done == operations) {
            world.note("no more faults");
            network.heal();
            cluster.heal();
        }
    }

    /**
     * Calls any replica.
     *
     * @throws Network.Unanswered also where the replica does not know what became of it
     * @throws ServiceException a refusal
     */
    <T> T ask(Program from, String what, Duration timeout, boolean twice, Function<Replica, T> body) {
        return ask(replicas.get(world.random().nextInt(replicas.size())), from, what, timeout, twice, body);
    }

    /** Calls one replica; see the other. */
    <T> T ask(Replica replica, Program from, String what, Duration timeout, boolean twice, Function<Replica, T> body) {
        try {
            T result = network.call(from, replica.name(), what, timeout, twice, () -> body.apply(replica));
            answered++;
            return result;
        } catch (Network.Unanswered e) {
            unanswered++;
            throw e;
        } catch (ServiceException e) {
            if (e.reason() == ErrorReason.UNAVAILABLE || e.reason() == ErrorReason.CONTENTION) {
                unanswered++;
                throw new Network.Unanswered(what);
            }
            answered++;
            throw e;
        }
    }

    /** Counts what became of a call about single addresses. */
    void count(String what) {
        addresses.merge(what, 1, Integer::sum);
    }

    private boolean changed(Program operator, String what, Consumer<PoolFlow> change) {
        done();
        try {
            return ask(operator, what, TIMEOUT, true, replica -> replica.pools(change));
        } catch (Network.Unanswered | ServiceException _) {
            return false;
        }
    }

    /** Changes a pool as often as it can be; a refusal is as good as not. */
    private void operate(Program operator) {
        while (!over()) {
            world.sleep(world.upTo(Duration.ofMillis(100)));
            String name = FLIPPING.name();
            var _ = switch (world.random().nextInt(6)) {
                case 0 -> changed(operator, "delete " + name, pools -> pools.delete(name));
                case 1, 2 -> changed(operator, "create " + name, pools -> pools.create(FLIPPING));
                case 3 -> changed(operator, "retire " + name, pools -> turn(pools, PoolState.RETIRED));
                default -> changed(operator, "open " + name, pools -> turn(pools, PoolState.ACTIVE));
            };
        }
    }

    private static void turn(PoolFlow pools, PoolState state) {
        var _ = pools.update(FLIPPING.name(), List.of(new PoolEdit.State(state)));
    }

    /** One fault after the other. */
    private void trouble() {
        while (!over()) {
            world.sleep(world.upTo(LONGEST_REST));
            switch (world.random().nextInt(9)) {
                case 0 -> {
                    Replica replica = replicas.get(world.random().nextInt(REPLICAS));
                    replica.crash();
                    world.sleep(world.upTo(LONGEST_FAULT));
                    replica.restart();
                }
                case 1 -> {
                    store.crash();
                    world.sleep(world.upTo(LONGEST_FAULT));
                    store.restart();
                }
                case 2 -> partition();
                case 3, 4 -> depart(1 + world.random().nextInt(NODES - 1));
                case 5 -> reinstall(nodes.get(1 + world.random().nextInt(NODES - 1)));
                default -> {
                    SimNode node = nodes.get(world.random().nextInt(NODES));
                    if (node.busy()) {
                        continue;
                    }
                    node.busy(true);
                    boolean reboot = world.oneIn(3);
                    node.crash();
                    world.sleep(world.upTo(LONGEST_FAULT));
                    node.restart(reboot);
                    node.busy(false);
                }
            }
        }
    }

    /** A node is deleted from the cluster, be it off or cut off; it comes back, perhaps late, or another takes its place. */
    private void depart(int place) {
        SimNode node = nodes.get(place);
        if (node.busy()) {
            return;
        }
        node.busy(true);
        boolean off = world.oneIn(2);
        if (off) {
            node.powerOff();
        } else {
            network.isolate(node.name().value());
        }
        world.sleep(world.upTo(LONGEST_REST));
        cluster.leave(node.name());
        // Often as long as it takes until its blocks are taken back: that is when it matters who comes first.
        world.sleep(
                world.oneIn(2) ? Checker.GRACE.plusMillis(world.random().nextInt(700)) : world.upTo(LONGEST_ABSENCE));
        if (world.oneIn(3)) {
            node.die();
            nodes.set(place, newNode());
            return;
        }
        if (world.oneIn(2)) {
            cluster.join(node.name());
        }
        network.rejoin(node.name().value());
        if (off || world.oneIn(2)) {
            node.crash();
            node.restart(world.oneIn(2));
        } else {
            node.confirmAgain();
        }
        world.sleep(world.upTo(LONGEST_REST));
        cluster.join(node.name());
        awaitConfirmed(node);
    }

    /** A node begins anew under its name with nothing. */
    private void reinstall(SimNode node) {
        if (node.busy()) {
            return;
        }
        node.busy(true);
        node.powerOff();
        world.sleep(world.upTo(LONGEST_FAULT));
        node.reinstall();
        awaitConfirmed(node);
    }

    private void awaitConfirmed(SimNode node) {
        while (!over() && !node.confirmed()) {
            world.sleep(Duration.ofMillis(50));
        }
        node.busy(false);
    }

    private void partition() {
        Set<String> side = new HashSet<>();
        replicas.forEach(replica -> {
            if (world.oneIn(2)) {
                side.add(replica.name());
            }
        });
        if (world.oneIn(3)) {
            side.add(SimStore.NAME);
        }
        for (int i = 0; i < NODES; i++) {
            if (world.oneIn(3)) {
                side.add(nodes.get(i).name().value());
            }
        }
        network.cutOff(side);
        world.sleep(world.upTo(LONGEST_FAULT));
        network.cutOff(Set.of());
    }
}
