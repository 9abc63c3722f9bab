package io.podwire.ipam.store;

import java.util.List;
import java.util.TreeMap;

/** The contract in its slowest, plainest form, for simulations. */
public final class MemoryIpamStore implements IpamStore {
    private final TreeMap<String, Entry> entries = new TreeMap<>();
    private long revision;

    @Override
    public synchronized List<Entry> load() {
        return List.copyOf(entries.values());
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
                return Outcome.CONFLICT;
            }
        }
        revision++;
        for (Change change : changes) {
            switch (change) {
                case Change.Put put -> entries.put(put.key(), new Entry(put.key(), revision, put.value()));
                case Change.Delete delete -> entries.remove(delete.key());
                case Change.Check _ -> {}
            }
        }
        return Outcome.APPLIED;
    }

    @Override
    public boolean connected() {
        return true;
    }

    @Override
    public void close() {}
}
