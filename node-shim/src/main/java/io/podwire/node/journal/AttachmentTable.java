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

    /** Writes an attachment to the journal, then here. */
    public void put(Attachment attachment) {
        journal.put(attachment);
        table.put(attachment.key(), attachment);
    }

    /** Removes an attachment from the journal, then here; notes the addresses that cool down. */
    public void remove(EndpointKey key, List<IpAddress> coolingNow) {
        journal.remove(key, coolingNow);
        table.remove(key);
    }
}
