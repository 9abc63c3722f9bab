package io.podwire.policy.compile;

import java.util.IdentityHashMap;

/** Differences of sets, each made once: what one pod changes in a set is the same on all nodes. One thread uses it. */
public final class SetDeltas {
    private final IdentityHashMap<AddressSet, IdentityHashMap<AddressSet, AddressSetDelta>> known =
            new IdentityHashMap<>();

    AddressSetDelta between(AddressSet before, AddressSet now) {
        return known.computeIfAbsent(now, _ -> new IdentityHashMap<>())
                .computeIfAbsent(before, _ -> AddressSetDelta.between(before, now));
    }

    /** Lets go of the sets. */
    public void forget() {
        known.clear();
    }
}
