package io.podwire.ipam.service;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.GoneNode;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.ReclaimRules;
import io.podwire.ipam.core.ReclaimRules.Taken;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes back what nodes have that are gone for good, by what {@link ReclaimRules} decides on the ledger of the write.
 * Stateless, for any number of threads.
 */
public final class ReclaimFlow {
    private static final Logger log = LoggerFactory.getLogger(ReclaimFlow.class);
    /** Two keys each, and the node's, of the 120 that one write takes. */
    private static final int MOST_AT_ONCE = 30;
    /** Of which installation something is forgotten: of every one. */
    public static final String ANY_UID = "";

    private final CasFlow flow;
    private final TimeSource time;
    private final Counter blocks;
    private final Counter addresses;

    /**
     * A flow of reclaims.
     *
     * @param time tells since when an address is what it is; nothing is decided by it
     */
    public ReclaimFlow(CasFlow flow, TimeSource time, MeterRegistry meters) {
        this.flow = flow;
        this.time = time;
        this.blocks = Counter.builder("podwire.ipam.reclaimed.blocks")
                .description("Blocks that this replica took back of nodes that are gone for good")
                .register(meters);
        this.addresses = Counter.builder("podwire.ipam.reclaimed.addresses")
                .description("Single addresses that this replica took back of pods on nodes that are gone for good")
                .register(meters);
    }

    /** What the store holds now. */
    LedgerSnapshot read() {
        return flow.read();
    }

    /**
     * Takes everything back of one that is gone, and fences it: the lives that are known of it are served no more.
     * Nothing, or nothing more, where somebody turns out to be alive.
     *
     * @param why it is gone, last words of the log's lines
     * @return all that was taken
     * @throws ServiceException CONTENTION, UNAVAILABLE: some of it may be taken back
     */
    public Taken takeBack(GoneNode gone, String why) {
        String attempted = "taking back what node " + gone.node() + " has";
        List<Block> allBlocks = new ArrayList<>();
        List<SingleAddress> allAddresses = new ArrayList<>();
        List<NodeEpoch> fenced = List.of();
        while (true) {
            Taken taken = flow.run(attempted, snapshot -> step(snapshot, gone, why));
            if (taken.isNothing()) {
                return new Taken(fenced, allBlocks, allAddresses);
            }
            fenced = taken.fenced();
            allBlocks.addAll(taken.blocks());
            allAddresses.addAll(taken.addresses());
        }
    }

    private Step<Taken> step(LedgerSnapshot snapshot, GoneNode gone, String why) {
        Taken taken = ReclaimRules.takeBack(snapshot.ledger(), snapshot::version, gone, MOST_AT_ONCE, now());
        return taken.isNothing()
                ? new Step.Done<>(taken)
                : new Step.Write<>(
                        snapshot.takeBack(taken.fenced(), taken.blocks(), taken.addresses()),
                        taken,
                        () -> tell(taken, why));
    }

    private void tell(Taken taken, String why) {
        taken.blocks()
                .forEach(block -> log.info(
                        "took back block {} of node {} (uid {}), {}",
                        block.cidr(),
                        block.owner().node(),
                        block.owner().uid(),
                        why));
        taken.addresses()
                .forEach(address -> log.info(
                        "took back address {} of a pod that is gone with its node, {}", address.address(), why));
        blocks.increment(taken.blocks().size());
        addresses.increment(taken.addresses().size());
    }

    /**
     * What a node has now.
     *
     * @param uid of the only installation that is meant; single addresses of its pods are not told then, for they name no
     *     installation. Or {@link #ANY_UID}
     * @return empty when it has nothing
     */
    public Optional<GoneNode> of(NodeName node, String uid) {
        LedgerSnapshot snapshot = flow.read();
        return Optional.ofNullable(ReclaimRules.owners(snapshot.ledger(), snapshot::version)
                        .get(node))
                .map(all -> uid.equals(ANY_UID)
                        ? all
                        : new GoneNode(
                                node,
                                all.lives().stream()
                                        .filter(life -> life.newest().uid().equals(uid))
                                        .collect(Collectors.toSet()),
                                Set.of()))
                .filter(gone -> !gone.lives().isEmpty());
    }

    /** What {@link #takeBack} would take, were it asked to now. */
    public Taken wouldTake(GoneNode gone) {
        LedgerSnapshot snapshot = flow.read();
        return ReclaimRules.takeBack(snapshot.ledger(), snapshot::version, gone, Integer.MAX_VALUE, now());
    }

    /**
     * Refuses a life that the store knows to be over, by what this process has read of it last.
     *
     * @throws ServiceException STALE_EPOCH
     */
    public void check(NodeEpoch caller) {
        flow.known()
                .ledger()
                .newest(caller)
                .filter(newest -> caller.relationTo(newest) == NodeEpoch.Relation.OLDER)
                .ifPresent(newest -> {
                    throw new ServiceException(
                            ErrorReason.STALE_EPOCH,
                            "report of " + caller + " refused: " + over(newest) + "; this life must stop",
                            Map.of("counter", Long.toString(newest.counter())));
                });
    }

    /** Why lives before this newest one are over. */
    static String over(NodeEpoch newest) {
        return newest.isReclaimed()
                ? "that node was taken for gone for good, and its blocks were taken back"
                : "a newer life of that node is known, start " + newest.counter() + " in boot " + newest.bootId();
    }

    /** As the store keeps it. */
    private Instant now() {
        return time.wall().truncatedTo(ChronoUnit.MILLIS);
    }
}
