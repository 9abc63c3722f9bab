package io.podwire.e2e.ipam.sim;

import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.Entry;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * A store as a process with a disk. A write is compared and taken at once, and answered when it is on disk; a crash takes
 * what is not there yet, all of it or the later part. Readings are of what is on disk.
 */
final class SimStore {
    static final String NAME = "store";
    private static final Duration LONGEST_SYNC = Duration.ofMillis(10);

    private final World world;
    private final Conduct conduct;
    private final Consumer<State> synced;
    private State disk = new State(0, 0, new TreeMap<>());
    /** After the disk's state, one write more in each. */
    private final List<State> unsynced = new ArrayList<>();

    private Program life;

    /** All that is stored after a write. Never changed. */
    record State(long revision, long deletion, TreeMap<String, Entry> entries) {
        Reading read(long since) {
            boolean whole = since == 0 || since > revision || since < deletion;
            return new Reading(
                    revision,
                    whole,
                    entries.values().stream()
                            .filter(entry -> whole || entry.version() > since)
                            .toList());
        }

        private long version(String key) {
            Entry entry = entries.get(key);
            return entry == null ? Change.ABSENT : entry.version();
        }

        private State with(List<Change> changes) {
            long next = revision + 1;
            long deleted = deletion;
            TreeMap<String, Entry> all = new TreeMap<>(entries);
            for (Change change : changes) {
                switch (change) {
                    case Change.Put put -> all.put(put.key(), new Entry(put.key(), next, put.value()));
                    case Change.Delete(String key, long _) -> {
                        all.remove(key);
                        deleted = next;
                    }
                    case Change.Check _ -> {}
                }
            }
            return new State(next, deleted, all);
        }
    }

    /**
     * An empty store that runs.
     *
     * @param synced told of each state once it is on disk
     */
    SimStore(World world, Conduct conduct, Consumer<State> synced) {
        this.world = world;
        this.conduct = conduct;
        this.synced = synced;
        this.life = new Program(world, NAME);
    }

    /** The store's part of a reading. */
    Reading read(long since) {
        life.check();
        return disk.read(since);
    }

    /** The store's part of a compare-and-set; the thread waits for the disk. */
    Outcome compareAndSet(List<Change> changes) {
        Program process = life;
        process.check();
        State before = unsynced.isEmpty() ? disk : unsynced.getLast();
        if (!changes.stream().allMatch(change -> conduct.matches(change, before.version(change.key())))) {
            return new Outcome.Conflict();
        }
        State after = before.with(changes.stream()
                .map(change -> conduct.taken(
                        change, Optional.ofNullable(before.entries().get(change.key()))))
                .toList());
        unsynced.add(after);
        Duration wait = world.upTo(LONGEST_SYNC);
        if (conduct.answersEarly()) {
            world.start(() -> {
                process.sleep(wait);
                sync(after);
            });
        } else {
            process.sleep(wait);
            sync(after);
        }
        return new Outcome.Applied(after.revision());
    }

    private void sync(State upTo) {
        while (disk.revision() < upTo.revision()) {
            disk = unsynced.removeFirst();
            synced.accept(disk);
        }
    }

    void crash() {
        life.crash();
    }

    void restart() {
        if (life.alive()) {
            return;
        }
        if (!unsynced.isEmpty()) {
            int kept = world.random().nextInt(unsynced.size() + 1);
            world.note(
                    "the store comes back with " + kept + " of " + unsynced.size() + " writes that it had not synced");
            if (kept > 0) {
                sync(unsynced.get(kept - 1));
            }
            unsynced.clear();
        }
        life = new Program(world, NAME);
    }
}
