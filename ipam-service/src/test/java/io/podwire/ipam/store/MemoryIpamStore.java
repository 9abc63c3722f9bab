package io.podwire.ipam.store;

import java.util.List;
import java.util.TreeMap;

/** The contract in its slowest, plainest form, for simulations. */
public final class MemoryIpamStore implements IpamStore {
    private final TreeMap<String, Entry> entries = new TreeMap<>();
    private long revision;
    private long deletion;

    @Override
    public synchronized Reading read(long since) {
        boolean whole = since == 0 || since > revision || since < deletion;
        return new Reading(
                revision,
                whole,
                entries.values().stream()
                        .filter(entry -> whole || entry.version() > since)
                        .toList());
    }

    @Override
    public synchronized long revision() {
        return revision;
    }

    @Override
    public synchronized Outcome compareAndSet(List<Change> changes) {
        for (Change change : changes) {
            Entry entry = entries.get(change.key());
            if ((entry == null ? Change.ABSENT : entry.version()) != change.expected()) {
                return new Outcome.Conflict();
            }
        }
        revision++;
        for (Change change : changes) {
            switch (change) {
                case Change.Put put -> entries.put(put.key(), new Entry(put.key(), revision, put.value()));
                case Change.Delete delete -> {
                    entries.remove(delete.key());
                    deletion = revision;
                }
                case Change.Check _ -> {}
            }
        }
        return new Outcome.Applied(revision);
    }

    @Override
    public boolean connected() {
        return true;
    }

    @Override
    public void close() {}
}
