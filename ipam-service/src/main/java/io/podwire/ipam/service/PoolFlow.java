package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.CreateDecision;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolRules;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.LedgerSnapshot;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Creates and deletes pools. Stateless, for any number of threads. */
public final class PoolFlow {
    private static final Logger log = LoggerFactory.getLogger(PoolFlow.class);
    private static final int OWNERS_NAMED = 5;

    private final CasFlow flow;

    /** A flow of pools. */
    public PoolFlow(CasFlow flow) {
        this.flow = flow;
    }

    /**
     * Creates a pool; the same pool again is success.
     *
     * @throws ServiceException ALREADY_EXISTS, FAILED_PRECONDITION (overlap), CONTENTION, UNAVAILABLE
     */
    public void create(Pool pool) {
        var _ = flow.run("creation of pool " + pool, snapshot -> createStep(snapshot, pool));
    }

    private static Step<Boolean> createStep(LedgerSnapshot snapshot, Pool pool) {
        return switch (PoolRules.create(snapshot.ledger(), pool)) {
            case CreateDecision.Create _ ->
                new Step.Write<>(
                        snapshot.create(pool),
                        true,
                        () -> log.info("pool {} created: {} blocks", pool, pool.totalBlocks()));
            case CreateDecision.AlreadyThere _ -> new Step.Done<>(false);
            case CreateDecision.NameTaken(Pool by) ->
                throw new ServiceException(
                        ErrorReason.ALREADY_EXISTS,
                        "creation of pool " + pool + ": it exists with another content, " + by
                                + "; a pool never changes, use another name or delete it first",
                        Map.of("pool", by.toString()));
            case CreateDecision.Overlap(Pool with) ->
                throw new ServiceException(
                        ErrorReason.FAILED_PRECONDITION,
                        "creation of pool " + pool + ": it overlaps pool " + with + "; choose other addresses",
                        Map.of("pool", with.name()));
        };
    }

    /**
     * Deletes a pool none of whose blocks is owned; one that is not there is success.
     *
     * @throws ServiceException FAILED_PRECONDITION naming owners, CONTENTION, UNAVAILABLE
     */
    public void delete(String name) {
        var _ = flow.run("deletion of pool " + name, snapshot -> deleteStep(snapshot, name));
    }

    private static Step<Boolean> deleteStep(LedgerSnapshot snapshot, String name) {
        Optional<Pool> pool = snapshot.ledger().pool(name);
        if (pool.isEmpty()) {
            return new Step.Done<>(false);
        }
        List<Block> owned = snapshot.ledger().blocksOf(name);
        if (!owned.isEmpty()) {
            List<String> owners =
                    owned.stream().map(b -> b.owner().node().value()).distinct().toList();
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "deletion of pool " + name + ": " + owned.size() + " of its blocks are owned, by "
                            + owners.stream().limit(OWNERS_NAMED).collect(Collectors.joining(", "))
                            + (owners.size() > OWNERS_NAMED
                                    ? " and " + (owners.size() - OWNERS_NAMED) + " more nodes"
                                    : "")
                            + "; release them first",
                    Map.of("owned", Integer.toString(owned.size())));
        }
        return new Step.Write<>(snapshot.delete(pool.get()), true, () -> log.info("pool {} deleted", pool.get()));
    }
}
