package io.podwire.node.cni;

import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import java.util.Optional;
import java.util.concurrent.locks.Lock;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * DEL: the journal knows all there is to remove, so neither the network namespace nor the previous
 * result is needed. What is not in the journal is gone already, which is success.
 */
public final class DelFlow {
    private static final Logger log = LoggerFactory.getLogger(DelFlow.class);

    private final Node node;

    /** The flow of one node. */
    public DelFlow(Node node) {
        this.node = node;
    }

    /** Does a DEL that waited in the spool. */
    public void delSpooled(EndpointKey key, String network) {
        del(key, network);
        node.failPoints().reach("spool.done");
    }

    /** Detaches a container from a network. */
    public void del(EndpointKey key, String network) {
        Lock lock = node.locks().get(key);
        lock.lock();
        try {
            Optional<Attachment> known = node.attachments().get(key);
            if (known.isEmpty()) {
                log.debug("DEL of {}: nothing is attached", key);
            } else if (!known.get().network().equals(network)) {
                log.info(
                        "DEL of {} in network {}: it is attached to network {}, which stays",
                        key,
                        network,
                        known.get().network());
            } else {
                node.remove(known.get());
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Detaches an attachment if it is still the one that is meant, and a last look agrees. One that a call is
     * working on is left to that call.
     *
     * @return true when it was detached
     */
    boolean delIf(Attachment meant, Predicate<Attachment> agrees) {
        Lock lock = node.locks().get(meant.key());
        if (!lock.tryLock()) {
            return false;
        }
        try {
            if (!node.attachments().get(meant.key()).equals(Optional.of(meant)) || !agrees.test(meant)) {
                return false;
            }
            node.remove(meant);
            return true;
        } finally {
            lock.unlock();
        }
    }
}
