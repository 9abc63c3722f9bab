package io.podwire.ipam.core;

import java.util.Optional;

/** Which pools may be: an address belongs to one pool at most. */
public final class PoolRules {
    private PoolRules() {}

    /** Answers the wish for this pool. */
    public static CreateDecision create(Ledger ledger, Pool pool) {
        Optional<Pool> sameName = ledger.pool(pool.name());
        if (sameName.isPresent()) {
            return sameName.get().equals(pool)
                    ? new CreateDecision.AlreadyThere()
                    : new CreateDecision.NameTaken(sameName.get());
        }
        return ledger.pools().stream()
                .filter(other -> other.cidr().overlaps(pool.cidr()))
                .findFirst()
                .<CreateDecision>map(CreateDecision.Overlap::new)
                .orElseGet(CreateDecision.Create::new);
    }
}
