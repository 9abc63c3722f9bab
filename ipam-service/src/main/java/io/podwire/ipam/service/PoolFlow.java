package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.CreateDecision;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.PoolRules;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.UpdateDecision;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.LedgerSnapshot;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Creates, changes and deletes pools. Stateless, for any number of threads. */
public final class PoolFlow {
    private static final Logger log = LoggerFactory.getLogger(PoolFlow.class);
    private static final int OWNERS_NAMED = 5;

    private final CasFlow flow;
    private final PoolSource.Kind caller;

    /** A flow of the pools that are made by calls. */
    public PoolFlow(CasFlow flow) {
        this(flow, PoolSource.Kind.GRPC);
    }

    /** A flow of the pools that are declared there. */
    public PoolFlow(CasFlow flow, PoolSource.Kind caller) {
        this.flow = flow;
        this.caller = caller;
    }

    /**
     * Creates a pool; the same pool again is success.
     *
     * @throws ServiceException ALREADY_EXISTS, FAILED_PRECONDITION (overlap), CONTENTION, UNAVAILABLE
     */
    public void create(Pool pool) {
        var _ = flow.run(
                "creation of pool " + pool,
                snapshot -> createStep(snapshot, pool, PoolRules.create(snapshot.ledger(), pool)));
    }

    /**
     * Creates a pool where none of its name, addresses and block length is there.
     *
     * @throws ServiceException as {@link #create}
     */
    public void ensure(Pool pool) {
        var _ = flow.run(
                "creation of pool " + pool,
                snapshot -> createStep(snapshot, pool, PoolRules.ensure(snapshot.ledger(), pool)));
    }

    private static Step<Boolean> createStep(LedgerSnapshot snapshot, Pool pool, CreateDecision decision) {
        return switch (decision) {
            case CreateDecision.Create _ ->
                new Step.Write<>(
                        snapshot.write(pool),
                        true,
                        () -> log.info("pool {} created: {} blocks", pool.describe(), pool.totalBlocks()));
            case CreateDecision.AlreadyThere _ -> new Step.Done<>(false);
            case CreateDecision.NameTaken(Pool by) ->
                throw new ServiceException(
                        ErrorReason.ALREADY_EXISTS,
                        "creation of pool " + pool + ": it exists with another content, " + by.describe()
                                + "; update or delete that one, or use another name",
                        Map.of("pool", by.toString()));
            case CreateDecision.Overlap(Pool with) ->
                throw new ServiceException(
                        ErrorReason.FAILED_PRECONDITION,
                        "creation of pool " + pool + ": it overlaps pool " + with + "; choose other addresses",
                        Map.of("pool", with.name()));
        };
    }

    /**
     * Changes a pool; a change that is made already is success.
     *
     * @param edits at least one, in any order
     * @return the pool after the change
     * @throws ServiceException NOT_FOUND, INVALID_ARGUMENT, FAILED_PRECONDITION (an overlap, owned blocks
     *     that do not fit the change, or it is declared elsewhere), CONTENTION, UNAVAILABLE
     */
    public Pool update(String name, List<PoolEdit> edits) {
        String attempted = "change of pool " + name;
        return flow.run(attempted, snapshot -> updateStep(attempted, snapshot, name, edits));
    }

    private Step<Pool> updateStep(String attempted, LedgerSnapshot snapshot, String name, List<PoolEdit> edits) {
        return switch (PoolRules.update(snapshot.ledger(), caller, name, edits)) {
            case UpdateDecision.Update(Pool before, Pool next) ->
                new Step.Write<>(
                        snapshot.write(next),
                        next,
                        () -> log.info("pool {} changed, now {}", before.describe(), next.describe()));
            case UpdateDecision.Unchanged(Pool pool) -> new Step.Done<>(pool);
            case UpdateDecision.NoSuchPool _ ->
                throw new ServiceException(
                        ErrorReason.NOT_FOUND, attempted + ": there is no such pool", Map.of("pool", name));
            case UpdateDecision.Malformed(String why) ->
                throw new ServiceException(ErrorReason.INVALID_ARGUMENT, attempted + ": " + why);
            case UpdateDecision.Overlap(Pool next, Pool with) ->
                throw new ServiceException(
                        ErrorReason.FAILED_PRECONDITION,
                        attempted + " to " + next + ": it would overlap pool " + with + "; choose other addresses",
                        Map.of("pool", with.name()));
            case UpdateDecision.CutsOff(Pool next, List<Block> owned) ->
                throw inTheWay(attempted + " to " + next, owned, "would lie outside of it");
            case UpdateDecision.SizeInUse(Pool next, List<Block> owned) ->
                throw inTheWay(attempted + " to " + next, owned, "have the size of now");
            case UpdateDecision.ReservesOwned(Pool next, List<Block> owned) ->
                throw inTheWay(attempted + " to reserve " + next.reserved(), owned, "would be reserved");
            case UpdateDecision.PurposeInUse(Pool next, List<Block> owned) ->
                throw inTheWay(attempted + " to purpose " + next.purpose(), owned, "serve the purpose of now");
            case UpdateDecision.DeclaredElsewhere(Pool pool) -> throw declaredElsewhere(attempted, pool);
            case UpdateDecision.NotEmpty(Pool next, List<Block> owned) ->
                throw inTheWay(attempted + " to " + next.state(), owned, "are left");
        };
    }

    private static ServiceException declaredElsewhere(String attempted, Pool pool) {
        return new ServiceException(
                ErrorReason.FAILED_PRECONDITION,
                attempted + ": it is declared by " + pool.source() + ", so change it there; or, when that is gone for"
                        + " good, take it over by an update of its source to 'grpc'",
                Map.of("source", pool.source().toString()));
    }

    private static ServiceException inTheWay(String attempted, List<Block> owned, String trouble) {
        return new ServiceException(
                ErrorReason.FAILED_PRECONDITION,
                attempted + ": " + owned.size() + " blocks owned by " + owners(owned) + " " + trouble + ", first "
                        + owned.getFirst().cidr() + "; set the pool to DRAINING and wait until they are given back",
                Map.of("owned", Integer.toString(owned.size())));
    }

    private static String owners(List<Block> owned) {
        List<String> owners =
                owned.stream().map(b -> b.owner().node().value()).distinct().toList();
        return owners.stream().limit(OWNERS_NAMED).collect(Collectors.joining(", "))
                + (owners.size() > OWNERS_NAMED ? " and " + (owners.size() - OWNERS_NAMED) + " more nodes" : "");
    }

    /**
     * Deletes a pool none of whose blocks is owned; one that is not there is success.
     *
     * @throws ServiceException FAILED_PRECONDITION naming owners, or where else it is declared, CONTENTION, UNAVAILABLE
     */
    public void delete(String name) {
        String attempted = "deletion of pool " + name;
        var _ = flow.run(attempted, snapshot -> deleteStep(attempted, snapshot, name));
    }

    private Step<Boolean> deleteStep(String attempted, LedgerSnapshot snapshot, String name) {
        Optional<Pool> pool = snapshot.ledger().pool(name);
        if (pool.isEmpty()) {
            return new Step.Done<>(false);
        }
        if (!PoolRules.mayChange(caller, pool.get())) {
            throw declaredElsewhere(attempted, pool.get());
        }
        List<Block> owned = List.copyOf(snapshot.ledger().blocksOf(name));
        if (!owned.isEmpty()) {
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    attempted + ": " + owned.size() + " of its blocks are owned, by " + owners(owned)
                            + "; release them first",
                    Map.of("owned", Integer.toString(owned.size())));
        }
        return new Step.Write<>(
                snapshot.delete(pool.get()),
                true,
                () -> log.info("pool {} deleted", pool.get().describe()));
    }
}
