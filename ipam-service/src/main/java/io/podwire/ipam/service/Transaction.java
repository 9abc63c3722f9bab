package io.podwire.ipam.service;

import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.Value;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Changes of several decisions, each made on what the ones before it leave, as one compare-and-set: a key is expected to
 * have the version that the first change of it expects, and gets the value of the last.
 */
final class Transaction {
    private final int most;
    private final Map<String, Change> byKey = new LinkedHashMap<>();
    private LedgerSnapshot after;

    /**
     * An empty one.
     *
     * @param from what is known
     * @param most keys
     */
    Transaction(LedgerSnapshot from, int most) {
        this.after = from;
        this.most = most;
    }

    /** What is known, were this applied. */
    LedgerSnapshot after() {
        return after;
    }

    /** The changes, no key twice. */
    List<Change> changes() {
        return List.copyOf(byKey.values());
    }

    /**
     * Adds the changes of one decision on {@link #after}.
     *
     * @return false, and nothing is added, where others are here and these would make it too large
     */
    boolean add(List<Change> changes) {
        long further = changes.stream()
                .filter(change -> !byKey.containsKey(change.key()))
                .count();
        if (!byKey.isEmpty() && byKey.size() + further > most) {
            return false;
        }
        after = after.applied(changes);
        changes.forEach(change -> byKey.merge(change.key(), change, Transaction::join));
        return true;
    }

    private static Change join(Change first, Change second) {
        return switch (second) {
            case Change.Put(String key, long _, Value content) -> new Change.Put(key, first.expected(), content);
            case Change.Delete(String key, long _) ->
                first.expected() == Change.ABSENT
                        ? new Change.Check(key, Change.ABSENT)
                        : new Change.Delete(key, first.expected());
            case Change.Check _ -> first;
        };
    }
}
