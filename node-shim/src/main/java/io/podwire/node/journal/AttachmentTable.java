package io.podwire.node.journal;

import io.podwire.common.net.IpAddress;
import io.podwire.node.plan.EndpointKey;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journal's attachments and the ADDs under way, kept in memory too.
 *
 * <p>A new attachment is in the folder of intents until the journal has it, which is some milliseconds later: its pod
 * does not wait for that, and those of a burst take one commit. Safe for several threads.
 */
public final class AttachmentTable {
    private static final Logger log = LoggerFactory.getLogger(AttachmentTable.class);

    private final Journal journal;
    private final IntentFolder intents;
    private final Executor soon;
    private final ConcurrentSkipListMap<EndpointKey, Attachment> table = new ConcurrentSkipListMap<>();
    /** Done, and in the folder of intents alone. */
    private final ConcurrentHashMap<EndpointKey, Attachment> unsettled = new ConcurrentHashMap<>();

    private volatile Runnable afterSettling = () -> {};

    /**
     * Reads the attachments.
     *
     * @param journal that {@link #recover} has given what the intents knew
     * @param soon runs tasks one after the other, some milliseconds later
     */
    public AttachmentTable(Journal journal, IntentFolder intents, Executor soon) {
        this.journal = journal;
        this.intents = intents;
        this.soon = soon;
        journal.attachments().forEach(a -> table.put(a.key(), a));
        intents.all().forEach(a -> {
            if (a.state() == Attachment.State.ATTACHED) {
                unsettled.put(a.key(), table.getOrDefault(a.key(), a));
            } else {
                table.put(a.key(), a);
            }
        });
        settle();
    }

    /** Brings attachments that an earlier life completed into its journal, before a new life begins. */
    public static void recover(Journal journal, IntentFolder intents) {
        List<Attachment> completed = intents.all().stream()
                .filter(a -> a.state() == Attachment.State.ATTACHED)
                .toList();
        if (!completed.isEmpty()) {
            log.info("{} attachments of the last life come into the journal now", completed.size());
            journal.keep(completed);
        }
    }

    /**
     * What is to be run some milliseconds after an ADD was done, instead of what was before: its answer is on its way by
     * then.
     */
    public void afterSettling(Runnable task) {
        afterSettling = task;
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
     * An ADD that has begun is done.
     *
     * @throws JournalException when it cannot be written; it is not done then
     */
    public void finish(Attachment attached) {
        intents.complete(attached);
        table.put(attached.key(), attached);
        unsettled.put(attached.key(), attached);
        soon.execute(() -> {
            settle();
            afterSettling.run();
        });
    }

    /** Writes what is kept in memory or as an intent to the journal, if it can be written now. */
    public void catchUp() {
        journal.catchUp();
        settle();
    }

    /** What {@link #catchUp} or the next ADD tries again is kept. */
    private synchronized void settle() {
        List<Attachment> done = List.copyOf(unsettled.values());
        if (done.isEmpty()) {
            return;
        }
        try {
            journal.put(done);
        } catch (JournalException e) {
            log.warn("{} new attachments are not in the journal yet, but among the intents", done.size(), e);
            return;
        }
        done.forEach(this::settled);
    }

    private void settled(Attachment attached) {
        intents.remove(attached);
        unsettled.remove(attached.key());
    }

    /**
     * Writes what changed of an attachment that is done.
     *
     * @throws JournalException when it cannot be written; nothing has changed here then
     */
    public synchronized void update(Attachment attached) {
        journal.put(List.of(attached));
        settled(attached);
        table.put(attached.key(), attached);
    }

    /**
     * Removes an attachment from the journal, at once or once it can be written, then here; notes the addresses
     * that cool down.
     */
    public synchronized void remove(Attachment attachment, List<IpAddress> coolingNow) {
        journal.remove(attachment.key(), coolingNow);
        settled(attachment);
        table.remove(attachment.key());
    }
}
