package io.podwire.ipam.core;

import java.util.List;
import java.util.Optional;

/** Which pools may be: an address belongs to one pool at most, and what is owned stays as it is. */
public final class PoolRules {
    private PoolRules() {}

    /** Answers the wish for this pool, all of it. */
    public static CreateDecision create(Ledger ledger, Pool pool) {
        Optional<Pool> sameName = ledger.pool(pool.name());
        if (sameName.isPresent()) {
            return sameName.get().sameContent(pool)
                    ? new CreateDecision.AlreadyThere()
                    : new CreateDecision.NameTaken(sameName.get());
        }
        return overlapped(ledger, pool)
                .<CreateDecision>map(CreateDecision.Overlap::new)
                .orElseGet(CreateDecision.Create::new);
    }

    /**
     * Answers the wish that a pool of these addresses and block length be there: one that was changed
     * otherwise since is left as it is.
     */
    public static CreateDecision ensure(Ledger ledger, Pool pool) {
        return ledger.pool(pool.name()).filter(pool::samePlaces).isPresent()
                ? new CreateDecision.AlreadyThere()
                : create(ledger, pool);
    }

    /**
     * True when a wish of this kind may change or delete the pool: one that is declared in a manifest or in
     * Kubernetes is changed there, or it would be changed back.
     */
    public static boolean mayChange(PoolSource.Kind caller, Pool pool) {
        return pool.source().kind() == caller;
    }

    /**
     * Answers the wish for these edits of a pool.
     *
     * @param caller where the wish comes from; a call may take over any pool, with {@link PoolEdit.Source}
     */
    public static UpdateDecision update(Ledger ledger, PoolSource.Kind caller, String name, List<PoolEdit> edits) {
        Optional<Pool> found = ledger.pool(name);
        if (found.isEmpty()) {
            return new UpdateDecision.NoSuchPool();
        }
        Pool before = found.get();
        Pool next;
        try {
            next = before.with(edits);
        } catch (IllegalArgumentException e) {
            return new UpdateDecision.Malformed(e.getMessage());
        }
        if (!mayChange(caller, before) && !(caller == PoolSource.Kind.GRPC && mayChange(caller, next))) {
            return new UpdateDecision.DeclaredElsewhere(before);
        }
        if (next.equals(before)) {
            return new UpdateDecision.Unchanged(before);
        }
        if (next.family() != before.family()) {
            return new UpdateDecision.Malformed("pool " + name + " is "
                    + before.family().label() + " for good, and " + next.cidr() + " is not; create another pool");
        }
        return refused(ledger, before, next)
                .orElseGet(() -> new UpdateDecision.Update(before, draining(ledger, before, next)));
    }

    private static Pool draining(Ledger ledger, Pool before, Pool next) {
        return next.state() == PoolState.DRAINING && before.state() != PoolState.DRAINING
                ? next.drainedFrom(ledger.blocksOf(next.name()).size())
                : next;
    }

    private static Optional<UpdateDecision> refused(Ledger ledger, Pool before, Pool next) {
        Optional<Pool> overlapped = overlapped(ledger, next);
        if (overlapped.isPresent()) {
            return Optional.of(new UpdateDecision.Overlap(next, overlapped.get()));
        }
        List<Block> owned = List.copyOf(ledger.blocksOf(before.name()));
        List<Block> outside =
                owned.stream().filter(b -> !next.cidr().contains(b.cidr())).toList();
        if (!outside.isEmpty()) {
            return Optional.of(new UpdateDecision.CutsOff(next, outside));
        }
        if (next.blockLength() != before.blockLength() && !owned.isEmpty()) {
            return Optional.of(new UpdateDecision.SizeInUse(next, owned));
        }
        List<Block> reserved = owned.stream()
                .filter(b -> next.reserved().stream().anyMatch(b.cidr()::overlaps))
                .toList();
        if (!reserved.isEmpty()) {
            return Optional.of(new UpdateDecision.ReservesOwned(next, reserved));
        }
        if (next.purpose() != before.purpose() && !owned.isEmpty()) {
            return Optional.of(new UpdateDecision.PurposeInUse(next, owned));
        }
        return next.state() == PoolState.RETIRED && !owned.isEmpty()
                ? Optional.of(new UpdateDecision.NotEmpty(next, owned))
                : Optional.empty();
    }

    private static Optional<Pool> overlapped(Ledger ledger, Pool pool) {
        return ledger.pools().stream()
                .filter(other -> !other.name().equals(pool.name()))
                .filter(other -> other.cidr().overlaps(pool.cidr()))
                .findFirst();
    }
}
