package io.podwire.node.cni;

import io.podwire.node.journal.Attachment;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes attachments whose container is gone and whose DEL never came: the runtime crashed, or the machine
 * was rebooted. One thread calls it, again and again.
 *
 * <p>An attachment is abandoned when its host link is gone, which ends with the container's network
 * namespace, and its path leads to no namespace or to another one. What cannot be looked at is in use. It is
 * removed when two looks in a row and a last one, with nobody else working on it, agree; its address cools
 * down then as after any DEL. An ADD that failed and could not be undone is tried again at each look.
 */
public final class Reaper {
    private static final Logger log = LoggerFactory.getLogger(Reaper.class);

    private final Node node;
    private final DelFlow del;
    private Set<Attachment> suspects = Set.of();

    /** The reaper of one node. */
    public Reaper(Node node, DelFlow del) {
        this.node = node;
        this.del = del;
    }

    /** Looks at every attachment, and removes what the look before found abandoned too. */
    public void look() {
        Set<Attachment> now = new HashSet<>();
        for (Attachment attachment : node.attachments().all()) {
            try {
                look(attachment, now);
            } catch (RuntimeException e) {
                log.error("cannot remove {}, trying again at the next look", attachment.key(), e);
            }
        }
        suspects = now;
    }

    private void look(Attachment attachment, Set<Attachment> now) {
        switch (attachment.state()) {
            case INTENT -> {
                if (del.delIf(attachment, _ -> true)) {
                    log.warn("undid the ADD of {}, which had failed and could not be undone then", attachment.key());
                }
            }
            case ATTACHED -> {
                if (!abandoned(attachment)) {
                    return;
                }
                now.add(attachment);
                if (suspects.contains(attachment) && del.delIf(attachment, this::abandoned)) {
                    log.warn(
                            "{} of pod {} is gone with its network namespace {} and its DEL never came: removed, {} is"
                                    + " free",
                            attachment.key(),
                            attachment.pod().display(),
                            attachment.netnsPath(),
                            attachment.addresses());
                }
            }
        }
    }

    private boolean abandoned(Attachment attachment) {
        return !node.wiring().linked(attachment) && !atItsPath(attachment);
    }

    private static boolean atItsPath(Attachment attachment) {
        try (Netns found = Netns.open(Path.of(attachment.netnsPath()))) {
            return found.inode() == attachment.netnsInode();
        } catch (NetnsException e) {
            return e.reason() == NetnsException.Reason.FAILED;
        }
    }
}
