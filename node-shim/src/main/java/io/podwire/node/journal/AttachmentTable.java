package io.podwire.node.journal;

import io.podwire.common.net.IpAddress;
import io.podwire.node.plan.EndpointKey;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;

/** The journal's attachments and the ADDs under way, kept in memory too. Safe for several threads. */
public final class AttachmentTable {
    private final Journal journal;
    private final IntentFolder intents;
    private final ConcurrentSkipListMap<EndpointKey, Attachment> table = new ConcurrentSkipListMap<>();

    /** Reads the attachments; one with an intent is not done. */
    public AttachmentTable(Journal journal, IntentFolder intents) {
        this.journal = journal;
        this.intents = intents;
        journal.attachments().forEach(a -> table.put(a.key(), a));
        intents.all().forEach(a -> table.put(a.key(), a));
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
     * Notes that an ADD begins, before it does anything.
     *
     * @throws JournalException when it cannot be written; it is not here then
     */
    public void begin(Attachment intent) {
        intents.write(intent);
        table.put(intent.key(), intent);
    }

    /**
     * Writes an attachment to the journal. It is not done before {@link #finish}.
     *
     * @throws JournalException when it cannot be written
     */
    public void record(Attachment attached) {
        journal.put(attached);
    }

    /** An ADD is done: what {@link #record} wrote holds from now on. */
    public void finish(Attachment attached) {
        intents.remove(attached);
        table.put(attached.key(), attached);
    }

    /**
     * Writes what changed of an attachment that is done.
     *
     * @throws JournalException when it cannot be written; nothing has changed here then
     */
    public void update(Attachment attached) {
        journal.put(attached);
        table.put(attached.key(), attached);
    }

    /**
     * Removes an attachment from the journal, at once or once it can be written, then here; notes the addresses
     * that cool down.
     */
    public void remove(Attachment attachment, List<IpAddress> coolingNow) {
        journal.remove(attachment.key(), coolingNow);
        intents.remove(attachment);
        table.remove(attachment.key());
    }
}
