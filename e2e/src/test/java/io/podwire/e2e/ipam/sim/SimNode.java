package io.podwire.e2e.ipam.sim;

import static io.podwire.e2e.ipam.sim.Checker.require;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.node.address.AddressBook;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A node: the real address book, and around it as much of a node as there is to address management. It claims a block
 * when few addresses are left, repeating the request until it is answered, and gives one back that has no pod. Some pods
 * have an address of ipam-service's own blocks; its disk knows of each before it is asked for, and of each that goes back.
 *
 * <p>A release names no claim, so that one that comes late would end the next claim of the same block. After one without
 * an answer the node therefore begins a new life: once one block is confirmed in that, no older life can give any back.
 *
 * <p>One that was deleted from the cluster for longer than the grace is dead by definition: what its pods do with addresses
 * that were taken back counts for nothing. But a life that has lost its blocks is served no more, and ends when it hears of
 * that; its pods end with it, as a kubelet ends pods that the cluster does not know.
 */
final class SimNode {
    private static final Duration TIMEOUT = Duration.ofSeconds(3);
    private static final Duration LONGEST_REST = Duration.ofMillis(60);
    private static final Duration LONGEST_WAIT = Duration.ofMillis(300);
    private static final Duration REPORT = Duration.ofMillis(400);
    private static final int LOW_WATER = 2;
    private static final int BLOCK_SIZE = 4;
    private static final Map<IpFamily, Integer> BLOCK_LENGTHS = Map.of(IpFamily.V4, 30, IpFamily.V6, 126);
    private static final int MOST_PODS = 9;
    private static final int MOST_SINGLES = 1;
    private static final String NAMESPACE = "sim";

    private final IpamSimulation simulation;
    private final World world;
    private final Checker checker;
    private final Conduct conduct;
    private final NodeName name;
    /** On the node's disk. */
    private final TreeMap<String, PodAddresses> pods = new TreeMap<>();

    /** Addresses of ipam-service's own blocks, by pod. On the node's disk. */
    private final TreeMap<String, List<IpAddress>> singles = new TreeMap<>();
    /**
     * Pods whose such addresses go back, and whether they may be given still, as the answer is not known. On the node's disk;
     * a node that is reinstalled keeps it in place of the cluster's audit, which finds what nobody reports.
     */
    private final TreeMap<String, Boolean> leaving = new TreeMap<>();
    /** Pods whose such addresses were taken back before they knew of them. */
    private final Set<String> takenBack = new HashSet<>();

    private List<IpAddress> cooling = List.of();
    private long lives;
    private long boots = 1;
    private long names;
    private int installations = 1;
    /** Earlier installations, and when each was replaced. */
    private final Map<String, Duration> replaced = new TreeMap<>();

    private int wanted = MOST_PODS;
    private boolean gone;
    private boolean busy;
    private Life life;

    /** One life of the node's daemon. */
    private final class Life {
        private final Program process = new Program(world, name.value());
        private final NodeEpoch epoch = new NodeEpoch(name, "uid-" + installations, "boot-" + boots, ++lives);
        private final AddressBook<String> book = new AddressBook<>(conduct.coolDownOfNode(Checker.COOL_DOWN));
        /** The request that took each block. */
        private final Map<IpPrefix, String> requests = new TreeMap<>();
        /** Requests that may take a block, or have. */
        private final Set<String> known = new HashSet<>();

        /** The next claim of each family. */
        private final Map<IpFamily, String> claims = new EnumMap<>(IpFamily.class);

        private boolean toEnd;
        /** How often it was to ask what is its own, and how often it has. */
        private int toConfirm = 1;

        private int confirmed;
        /** Its blocks were taken back; it may not know. */
        private boolean lost;
    }

    SimNode(IpamSimulation simulation, World world, Checker checker, Conduct conduct, String name) {
        this.simulation = simulation;
        this.world = world;
        this.checker = checker;
        this.conduct = conduct;
        this.name = new NodeName(name);
        this.life = new Life();
        checker.watch(this);
        begin(life);
    }

    private Stream<IpAddress> addressesOfPods() {
        return pods.values().stream().flatMap(PodAddresses::stream);
    }

    private String newRequestId() {
        return name.value() + "-" + ++names;
    }

    NodeName name() {
        return name;
    }

    /** True while something happens to it that nothing else must meet. */
    boolean busy() {
        return busy;
    }

    void busy(boolean now) {
        busy = now;
    }

    /** True when the present life knows what is its own. */
    boolean confirmed() {
        return life.process.alive() && life.confirmed == life.toConfirm && !life.toEnd;
    }

    /** Has the present life ask again what is its own. */
    void confirmAgain() {
        life.toConfirm++;
    }

    /** Ends the daemon and the pods. */
    void powerOff() {
        crash();
        List<IpAddress> cold = new ArrayList<>(cooling);
        addressesOfPods().forEach(cold::add);
        cooling = cold;
        endPods();
    }

    /** The same for good. */
    void die() {
        powerOff();
        gone = true;
    }

    /** Begins anew with nothing, after it was powered off. */
    void reinstall() {
        replaced.put(life.epoch.uid(), world.monotonic());
        installations++;
        lives = 0;
        cooling = List.of();
        restart(true);
    }

    private void endPods() {
        if (!life.lost) {
            addressesOfPods().forEach(checker::unused);
        }
        pods.clear();
        List.copyOf(singles.keySet()).forEach(this::endSingle);
    }

    private void endSingle(String pod) {
        singles.remove(pod).forEach(checker::unused);
        leaving.put(pod, false);
    }

    /** What a pod has of ipam-service's own blocks was taken back; the pod is dead by definition. */
    void loseSingle(String pod) {
        world.note(pod + " has lost what it has of ipam-service's own blocks");
        List<IpAddress> had = singles.remove(pod);
        if (had == null) {
            takenBack.add(pod);
        } else {
            had.forEach(checker::lost);
        }
    }

    /** Since when another installation is the node's; empty where this one is. */
    Optional<Duration> replacedSince(NodeEpoch installation) {
        return Optional.ofNullable(replaced.get(installation.uid()));
    }

    /** Its blocks were taken back of the lives up to this one. */
    void lose(NodeEpoch last) {
        if (!life.epoch.sameOwner(last)) {
            return;
        }
        world.note(name + " has lost the addresses of " + pods.values());
        life.lost = life.epoch.counter() <= last.counter();
        addressesOfPods().forEach(checker::lost);
        if (!life.lost) {
            pods.keySet().forEach(pod -> {
                var _ = life.book.release(pod, world.monotonic());
            });
        }
        pods.clear();
    }

    /** Ends the daemon; its disk and the pods stay. */
    void crash() {
        if (life.process.alive()) {
            cooling = life.book.cooling(world.monotonic());
            life.process.crash();
        }
    }

    /**
     * Begins a new life.
     *
     * @param reboot whether the pods are gone, too
     */
    void restart(boolean reboot) {
        if (life.process.alive() || gone) {
            return;
        }
        List<IpAddress> cold = new ArrayList<>(cooling);
        if (life.lost) {
            endPods();
        }
        if (reboot) {
            boots++;
            addressesOfPods().forEach(cold::add);
            endPods();
        }
        Life next = new Life();
        pods.forEach((pod, addresses) -> addresses.stream().forEach(address -> next.book.restore(pod, address)));
        cold.forEach(address -> next.book.restoreCooling(address, world.monotonic()));
        life = next;
        begin(next);
    }

    private void begin(Life next) {
        world.note(next.epoch + " begins");
        world.start(() -> {
            live(next);
            if (next.toEnd && next.process.alive()) {
                crash();
                restart(false);
            }
        });
        simulation.replicas().forEach(replica -> world.start(() -> report(next, replica)));
    }

    private void report(Life at, Replica replica) {
        while (!simulation.over() && !at.toEnd) {
            at.process.sleep(REPORT);
            try {
                var _ = simulation.ask(
                        replica, at.process, "report of " + at.epoch, REPORT, false, r -> r.report(at.epoch));
            } catch (Network.Unanswered _) {
                // It reports again.
            } catch (ServiceException e) {
                if (e.reason() == ErrorReason.STALE_EPOCH) {
                    fence(at, e);
                }
            }
        }
    }

    private void fence(Life at, ServiceException why) {
        require(at.lost, "the newest life of a node is refused: " + why.getMessage());
        world.note(at.epoch + " hears that it is over");
        at.toEnd = true;
    }

    private void live(Life at) {
        while (!simulation.over() && !at.toEnd) {
            if (at.confirmed < at.toConfirm) {
                int asked = at.toConfirm;
                confirm(at);
                at.confirmed = asked;
                continue;
            }
            at.process.sleep(world.upTo(LONGEST_REST));
            if (world.oneIn(10)) {
                wanted = world.random().nextInt(MOST_PODS + 1);
            }
            if (world.oneIn(4)) {
                giveBack(at);
            } else if (world.oneIn(4)) {
                turnSingles(at);
            } else if (pods.size() < wanted) {
                add(at);
            } else if (!pods.isEmpty()) {
                delete(at);
            }
            for (IpFamily family : IpFamily.values()) {
                if (!at.toEnd && at.book.free(family, world.monotonic()) < LOW_WATER) {
                    String request = at.claims.computeIfAbsent(family, _ -> newRequestId());
                    claim(at, family, request).ifPresent(_ -> at.claims.remove(family));
                }
            }
        }
    }

    /** Asks what is its own, and makes this life known where it goes on with it. */
    private void confirm(Life at) {
        if (!at.requests.isEmpty()) {
            at.book.blocks().forEach(block -> {
                var _ = claim(at, block.family(), at.requests.get(block));
            });
            return;
        }
        List<Block> listed = list(at);
        if (!listed.isEmpty() && conduct.confirms()) {
            // What is listed may be taken back right after that; from a write of this life on nothing is.
            Block any = listed.getFirst();
            var _ = claim(at, any.cidr().family(), any.requestId());
            listed = list(at);
        }
        if (!at.toEnd) {
            listed.forEach(block -> {
                at.known.add(block.requestId());
                at.requests.put(block.cidr(), block.requestId());
                at.book.addBlock(block.cidr());
            });
            checker.changed();
        }
    }

    private List<Block> list(Life at) {
        return untilAnswered(at, "list", Replica::ledger).stream()
                .flatMap(ledger -> ledger.blocks().stream())
                .filter(block -> block.owner().sameOwner(at.epoch))
                .toList();
    }

    /** A pod with an address of ipam-service's own blocks begins or ends, or that of one that has ended goes back. */
    private void turnSingles(Life at) {
        List<String> owners = List.copyOf(leaving.keySet());
        if (!owners.isEmpty() && world.oneIn(2)) {
            releaseSingle(at, owners.get(world.random().nextInt(owners.size())));
        } else if (singles.size() < MOST_SINGLES) {
            addSingle(at);
        } else {
            List<String> all = List.copyOf(singles.keySet());
            String pod = all.get(world.random().nextInt(all.size()));
            simulation.done();
            world.note(pod + " ends");
            endSingle(pod);
        }
    }

    private void addSingle(Life at) {
        simulation.done();
        String pod = name.value() + "-single-" + ++names;
        AddressOwner owner = new AddressOwner(pod, name.value(), NAMESPACE, pod);
        List<AddressWish> wishes = world.oneIn(3)
                ? List.of(
                        new AddressWish.Any(IpFamily.V4, IpamSimulation.SINGLE.name()),
                        new AddressWish.Any(IpFamily.V6, IpamSimulation.SINGLE_6.name()))
                : List.of(new AddressWish.Any(IpFamily.V4, IpamSimulation.SINGLE.name()));
        checker.wanted().asks(owner, wishes, Optional.empty());
        leaving.put(pod, true);
        Checker.Witness witness = checker.witness();
        try {
            List<IpAddress> given = call(
                            at,
                            "allocate " + wishes + " for " + pod,
                            false,
                            replica -> replica.allocate(owner, wishes, Optional.empty()))
                    .stream()
                    .map(SingleAddress::address)
                    .toList();
            leaving.remove(pod);
            if (!takenBack.contains(pod)) {
                world.note(pod + " uses " + given);
                singles.put(pod, given);
                given.forEach(address -> checker.used(address, new Checker.User(pod, true)));
            }
        } catch (Network.Unanswered _) {
            // It is given back for as long as it may be given.
        } catch (ServiceException e) {
            leaving.remove(pod);
            witness.mustHaveSeen(ledger -> Refusals.isTrue(e, ledger, owner, wishes, Optional.empty()), e.getMessage());
        } finally {
            checker.dismiss(witness);
        }
    }

    private void releaseSingle(Life at, String pod) {
        simulation.done();
        checker.wanted().releases(pod, List.of());
        Checker.Witness none = checker.witness();
        try {
            var _ = call(at, "release by " + pod, true, replica -> replica.release(pod, List.of()));
            none.mustHaveSeen(
                    ledger -> ledger.addressesOf(pod).isEmpty(),
                    "it is answered that " + pod + " has no address of ipam-service's own blocks");
            leaving.remove(pod, false);
        } catch (Network.Unanswered _) {
            // Another time.
        } finally {
            checker.dismiss(none);
        }
    }

    private void add(Life at) {
        simulation.done();
        String pod = name.value() + "-pod-" + ++names;
        Set<IpFamily> families =
                world.oneIn(3) ? EnumSet.of(world.oneIn(3) ? IpFamily.V6 : IpFamily.V4) : EnumSet.allOf(IpFamily.class);
        Optional<PodAddresses> taken = at.book.take(pod, families, world.monotonic());
        taken.ifPresent(addresses -> {
            world.note(pod + " gets " + addresses);
            require(addresses.families().equals(families), pod + " wants " + families + " and gets " + addresses);
            pods.put(pod, addresses);
            if (!at.lost) {
                addresses.stream().forEach(address -> checker.used(address, new Checker.User(pod, false)));
            }
        });
    }

    private void delete(Life at) {
        simulation.done();
        String pod = List.copyOf(pods.keySet()).get(world.random().nextInt(pods.size()));
        world.note(pod + " ends");
        PodAddresses addresses = pods.remove(pod);
        if (!at.lost) {
            addresses.stream().forEach(checker::unused);
        }
        var _ = at.book.release(pod, world.monotonic());
    }

    /** Claims a block with a request; empty when it is refused. */
    private Optional<Block> claim(Life at, IpFamily family, String requestId) {
        String request = requestId;
        at.known.add(request);
        Checker.Witness full = checker.witness();
        while (true) {
            simulation.done();
            boolean over = at.lost;
            ClaimRequest wish = new ClaimRequest(at.epoch, Map.of(), ClaimRequest.ANY_POOL, family, request);
            try {
                Block block = call(at, "claim " + request + " of " + at.epoch, true, replica -> replica.claim(wish));
                checker.dismiss(full);
                require(!over, at.epoch + " has lost its blocks, and is given " + block);
                require(block.cidr().family() == family, at.epoch + " wants " + family + " and is given " + block);
                at.requests.put(block.cidr(), request);
                at.book.addBlock(block.cidr());
                checker.changed();
                return Optional.of(block);
            } catch (Network.Unanswered _) {
                at.known.remove(request);
                request = conduct.retried(request, this::newRequestId);
                at.known.add(request);
                at.process.sleep(world.upTo(LONGEST_WAIT));
            } catch (ServiceException e) {
                if (e.reason() == ErrorReason.STALE_EPOCH) {
                    checker.dismiss(full);
                    fence(at, e);
                    return Optional.empty();
                }
                require(e.reason() == ErrorReason.EXHAUSTED, "the newest life of a node is refused: " + e.getMessage());
                full.mustHaveSeen(ledger -> Checker.noBlockFree(ledger, family), e.getMessage());
                return Optional.empty();
            }
        }
    }

    /** Gives a block back that has no pod and no address that cools down. */
    private void giveBack(Life at) {
        Set<IpAddress> inUse = addressesOfPods().collect(Collectors.toSet());
        inUse.addAll(at.book.cooling(world.monotonic()));
        Optional<IpPrefix> empty = at.book.blocks().stream()
                .filter(block -> inUse.stream().noneMatch(block::contains))
                .findFirst();
        if (empty.isEmpty()) {
            return;
        }
        IpPrefix block = empty.get();
        String request = at.requests.get(block);
        if (!conduct.keepsReleased()) {
            at.book.removeBlock(block);
        }
        Checker.Witness free = checker.witness();
        checker.givesBack(request);
        if (untilAnswered(at, "release " + block + " by " + at.epoch, replica -> replica.release(at.epoch, block))
                .isEmpty()) {
            checker.dismiss(free);
            return;
        }
        free.mustHaveSeen(
                ledger -> ledger.block(block)
                        .filter(b -> b.requestId().equals(request))
                        .isEmpty(),
                "it is answered that " + block + " is not " + at.epoch + "'s any more");
    }

    /** What a replica does. */
    private interface Asked<T> {
        T of(Replica replica);
    }

    /** Asks until there is an answer; empty where it is that this life, or its right to what it asks for, is over. */
    private <T> Optional<T> untilAnswered(Life at, String what, Asked<T> asked) {
        while (true) {
            simulation.done();
            try {
                return Optional.of(call(at, what, false, asked));
            } catch (Network.Unanswered _) {
                at.toEnd |= what.startsWith("release");
                at.process.sleep(world.upTo(LONGEST_WAIT));
            } catch (ServiceException e) {
                if (e.reason() == ErrorReason.STALE_EPOCH) {
                    fence(at, e);
                } else if (e.reason() != ErrorReason.OWNED_BY_OTHER) {
                    throw e;
                }
                // The other one is an earlier installation: a claim of its may come late and take what was free.
                return Optional.empty();
            }
        }
    }

    private <T> T call(Life at, String what, boolean twice, Asked<T> asked) {
        return simulation.ask(at.process, what, TIMEOUT, twice, asked::of);
    }

    /** Whatever it gives addresses of, and its pods use, is its own; and nothing else is, as far as it can know. */
    void check(Ledger ledger) {
        if (life.lost) {
            return;
        }
        AddressBook<String> book = life.book;
        if (life.process.alive()) {
            for (IpPrefix block : book.blocks()) {
                requireOwn(ledger, block, () -> name + " gives addresses of ");
            }
            long held = addressesOfPods()
                    .filter(address -> book.blocks().stream().anyMatch(block -> block.contains(address)))
                    .count();
            long cold = book.cooling(world.monotonic()).stream()
                    .filter(address -> book.blocks().stream().anyMatch(block -> block.contains(address)))
                    .count();
            int free = book.free(IpFamily.V4, world.monotonic()) + book.free(IpFamily.V6, world.monotonic());
            require(
                    held + cold + free == (long) BLOCK_SIZE * book.blocks().size(),
                    () -> name + " has " + held + " addresses in use, " + cold + " cooling and " + free + " free of "
                            + book.blocks());
        }
        pods.forEach((pod, addresses) -> addresses.stream()
                .forEach(address -> requireOwn(
                        ledger,
                        IpPrefix.containing(address, BLOCK_LENGTHS.get(address.family())),
                        () -> name + " " + pod + " has an address of ")));
        for (Block block : ledger.blocks()) {
            require(
                    !block.owner().equals(life.epoch) || life.known.contains(block.requestId()),
                    () -> block + " is owned, and " + life.epoch + " has forgotten that request");
        }
    }

    private void requireOwn(Ledger ledger, IpPrefix block, Supplier<String> what) {
        require(
                ledger.block(block).filter(b -> b.owner().sameOwner(life.epoch)).isPresent(),
                () -> what.get() + block + ", which is not its own: " + ledger.block(block));
    }
}
