package io.podwire.node.journal;

import io.podwire.common.net.IpAddress;
import io.podwire.node.plan.EndpointKey;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;

/** The journal's attachments, kept in memory too. Safe for several threads. */
public final class AttachmentTable {
    private final Journal journal;
    private final ConcurrentSkipListMap<EndpointKey, Attachment> table = new ConcurrentSkipListMap<>();

    /** Reads the journal's attachments. */
    public AttachmentTable(Journal journal) {
        this.journal = journal;
        journal.attachments().forEach(a -> table.put(a.key(), a));
    }

    /** One attachment. */
    public Optional<Attachment> get(EndpointKey key) {
        return Optional.ofNullable(table.get(key));
    }

    /** All, in key order. */
    public List<Attachment> all() {
        return List.copyOf(table.values());
    }

    /** All of one state, in key order. */
    public List<Attachment> all(Attachment.State state) {
        return table.values().stream().filter(a -> a.state() == state).toList();
    }

    /**
     * Makes sure that an attachment can be written, before anything is done for it.
     *
     * @throws JournalException saying why it cannot
     */
    public void checkWritable() {
        journal.checkWritable();
    }

    /**
     * Writes an attachment to the journal, then here.
     *
     * @throws JournalException when it cannot be written; it is not here then
     */
    public void put(Attachment attachment) {
        journal.put(attachment);
        table.put(attachment.key(), attachment);
    }

    /** Removes an attachment from the journal, at once or once it can be written, then here; notes the addresses that cool down. */
    public void remove(EndpointKey key, List<IpAddress> coolingNow) {
        journal.remove(key, coolingNow);
        table.remove(key);
    }
}
