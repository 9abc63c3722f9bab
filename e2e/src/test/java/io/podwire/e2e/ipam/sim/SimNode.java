package io.podwire.e2e.ipam.sim;

import static io.podwire.e2e.ipam.sim.Checker.require;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.ClaimRequest;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.node.address.AddressBook;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * A node: the real address book, and around it as much of a node as there is to address management. It claims a block
 * when few addresses are left, repeating the request until it is answered, and gives one back that has no pod.
 *
 * <p>A release names no claim, so that one that comes late would end the next claim of the same block. After one without
 * an answer the node therefore begins a new life: the blocks that it confirms in that no older life can give back.
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
    private static final int MOST_PODS = 9;

    private final IpamSimulation simulation;
    private final World world;
    private final Checker checker;
    private final Conduct conduct;
    private final NodeName name;
    /** On the node's disk. */
    private final TreeMap<String, IpAddress> pods = new TreeMap<>();

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
        private final AddressBook<String> book = new AddressBook<>(conduct.coolDown(Checker.COOL_DOWN));
        /** The request that took each block. */
        private final Map<IpPrefix, String> requests = new TreeMap<>();
        /** Requests that may take a block, or have. */
        private final Set<String> known = new HashSet<>();

        private String claim = newRequestId();
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
        cold.addAll(pods.values());
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
            pods.values().forEach(checker::unused);
        }
        pods.clear();
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
        pods.values().forEach(checker::lost);
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
            cold.addAll(pods.values());
            endPods();
        }
        Life next = new Life();
        pods.forEach(next.book::restore);
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
            } else if (pods.size() < wanted) {
                add(at);
            } else if (!pods.isEmpty()) {
                delete(at);
            }
            if (!at.toEnd && at.book.free(IpFamily.V4, world.monotonic()) < LOW_WATER) {
                claim(at, at.claim).ifPresent(_ -> at.claim = newRequestId());
            }
        }
    }

    /** Asks what is its own, and makes this life known where it goes on with it. */
    private void confirm(Life at) {
        if (!at.requests.isEmpty()) {
            at.book.blocks().forEach(block -> {
                var _ = claim(at, at.requests.get(block));
            });
            return;
        }
        untilAnswered(at, "list", replica -> replica.ledger()).ifPresent(ledger -> {
            for (Block block : ledger.blocks()) {
                if (block.owner().sameOwner(at.epoch) && !at.toEnd) {
                    var _ = claim(at, block.requestId());
                }
            }
        });
    }

    private void add(Life at) {
        simulation.done();
        String pod = name.value() + "-pod-" + ++names;
        Optional<PodAddresses> taken = at.book.take(pod, EnumSet.of(IpFamily.V4), world.monotonic());
        taken.ifPresent(addresses -> {
            world.note(pod + " gets " + addresses.first());
            pods.put(pod, addresses.first());
            if (!at.lost) {
                checker.used(addresses.first(), new Checker.User(pod, false));
            }
        });
    }

    private void delete(Life at) {
        simulation.done();
        String pod = List.copyOf(pods.keySet()).get(world.random().nextInt(pods.size()));
        world.note(pod + " ends");
        IpAddress address = pods.remove(pod);
        if (!at.lost) {
            checker.unused(address);
        }
        var _ = at.book.release(pod, world.monotonic());
    }

    /** Claims a block with a request; empty when it is refused. */
    private Optional<Block> claim(Life at, String requestId) {
        String request = requestId;
        at.known.add(request);
        Checker.Witness full = checker.witness(Checker::noBlockFree);
        while (true) {
            simulation.done();
            boolean over = at.lost;
            ClaimRequest wish = new ClaimRequest(at.epoch, Map.of(), ClaimRequest.ANY_POOL, IpFamily.V4, request);
            try {
                Block block = call(at, "claim " + request + " of " + at.epoch, true, replica -> replica.claim(wish));
                checker.dismiss(full);
                require(!over, at.epoch + " has lost its blocks, and is given " + block);
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
                full.mustHaveSeen(e.getMessage());
                return Optional.empty();
            }
        }
    }

    /** Gives a block back that has no pod and no address that cools down. */
    private void giveBack(Life at) {
        Set<IpAddress> inUse = new HashSet<>(pods.values());
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
        Checker.Witness free = checker.witness(ledger ->
                ledger.block(block).filter(b -> b.requestId().equals(request)).isEmpty());
        checker.givesBack(request);
        if (untilAnswered(at, "release " + block + " by " + at.epoch, replica -> replica.release(at.epoch, block))
                .isEmpty()) {
            checker.dismiss(free);
            return;
        }
        free.mustHaveSeen("it is answered that " + block + " is not " + at.epoch + "'s any more");
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
                requireOwn(ledger, block, "gives addresses of ");
            }
            long held = pods.values().stream()
                    .filter(address -> book.blocks().stream().anyMatch(block -> block.contains(address)))
                    .count();
            long cold = book.cooling(world.monotonic()).stream()
                    .filter(address -> book.blocks().stream().anyMatch(block -> block.contains(address)))
                    .count();
            int free = book.free(IpFamily.V4, world.monotonic());
            require(
                    held + cold + free == (long) BLOCK_SIZE * book.blocks().size(),
                    name + " has " + held + " addresses in use, " + cold + " cooling and " + free + " free of "
                            + book.blocks());
        }
        pods.forEach(
                (pod, address) -> requireOwn(ledger, IpPrefix.containing(address, 30), pod + " has an address of "));
        for (Block block : ledger.blocks()) {
            require(
                    !block.owner().equals(life.epoch) || life.known.contains(block.requestId()),
                    block + " is owned, and " + life.epoch + " has forgotten that request");
        }
    }

    private void requireOwn(Ledger ledger, IpPrefix block, String what) {
        require(
                ledger.block(block).filter(b -> b.owner().sameOwner(life.epoch)).isPresent(),
                name + " " + what + block + ", which is not its own: " + ledger.block(block));
    }
}
