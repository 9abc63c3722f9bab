package io.podwire.ipam.core;

import java.util.List;

/** What changing a pool comes to. */
public sealed interface UpdateDecision {
    /** It becomes this. */
    record Update(Pool before, Pool next) implements UpdateDecision {}

    /** It is that already. */
    record Unchanged(Pool pool) implements UpdateDecision {}

    /** No pool has the name. */
    record NoSuchPool() implements UpdateDecision {}

    /** The result would be no pool, for this reason. */
    record Malformed(String why) implements UpdateDecision {}

    /** It would share addresses with another pool. */
    record Overlap(Pool next, Pool with) implements UpdateDecision {}

    /** These blocks are owned and would lie outside of it. */
    record CutsOff(Pool next, List<Block> owned) implements UpdateDecision {}

    /** These blocks are owned and have the size of before. */
    record SizeInUse(Pool next, List<Block> owned) implements UpdateDecision {}

    /** These blocks are owned and would be reserved. */
    record ReservesOwned(Pool next, List<Block> owned) implements UpdateDecision {}

    /** These blocks are owned, for the purpose of before. */
    record PurposeInUse(Pool next, List<Block> owned) implements UpdateDecision {}

    /** It is declared elsewhere, where alone it is changed. */
    record DeclaredElsewhere(Pool pool) implements UpdateDecision {}

    /** These blocks are owned, and a retired pool has none. */
    record NotEmpty(Pool next, List<Block> owned) implements UpdateDecision {}
}
