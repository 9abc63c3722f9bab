package io.podwire.node.cni;

import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import java.util.Optional;
import java.util.concurrent.locks.Lock;
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
}
