package io.podwire.ipam.service;

import io.podwire.ipam.core.DrainPace;
import io.podwire.ipam.store.LedgerSnapshot.DrainVersion;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * When this replica may take the next turn to evict pods of a pool. It counts for itself, on its own monotonic clock,
 * from its first look at the last turn: that was taken before, so whoever takes the next one, by a compare-and-set on
 * what it looked at, does so a whole turn later at least. No two clocks are compared, and no replica leads.
 *
 * <p>Time is an argument. One thread uses it.
 */
final class DrainPacer {
    private final Map<String, Seen> seen = new HashMap<>();

    private record Seen(DrainVersion version, Duration at) {}

    /**
     * Looks at a pool that drains.
     *
     * @param version of the pool and its last turn, as just read
     * @param now a monotonic time after that reading
     * @return true when the next turn may be taken, of just that version
     */
    boolean due(String pool, DrainVersion version, DrainPace pace, Duration now) {
        Seen before = seen.get(pool);
        if (before == null || !before.version().equals(version)) {
            seen.put(pool, new Seen(version, now));
            return false;
        }
        return now.minus(before.at()).compareTo(pace.turn()) >= 0;
    }

    /** Forgets all pools but these. */
    void retain(Set<String> pools) {
        seen.keySet().retainAll(pools);
    }
}
