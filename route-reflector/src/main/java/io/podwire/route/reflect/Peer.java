package io.podwire.route.reflect;

import io.podwire.common.error.ServiceException;
import io.podwire.route.rib.NodeEpoch;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * One stream of a node, as the reflector sees it. Its functions are called, and its state changes, on the
 * reflector's loop alone.
 */
public final class Peer {
    final BooleanSupplier writable;
    final Consumer<ReaderUpdate> send;
    final Consumer<ServiceException> fail;
    final Runnable complete;

    private NodeEpoch epoch;
    private Subscription subscription;
    private boolean ended;

    /**
     * A stream that has said nothing yet.
     *
     * @param writable false while earlier messages wait to be read
     * @param send sends one message
     * @param fail ends the stream with an error
     * @param complete ends the stream well
     */
    public Peer(
            BooleanSupplier writable, Consumer<ReaderUpdate> send, Consumer<ServiceException> fail, Runnable complete) {
        this.writable = writable;
        this.send = send;
        this.fail = fail;
        this.complete = complete;
    }

    /** Whose stream it is: empty before its first accepted announcement. */
    Optional<NodeEpoch> epoch() {
        return Optional.ofNullable(epoch);
    }

    Subscription subscription() {
        return subscription;
    }

    void accepted(NodeEpoch announcing) {
        if (epoch == null) {
            epoch = announcing;
            subscription = new Subscription(announcing.node());
        }
    }

    /** Marks the end; false when it had ended. */
    boolean end() {
        boolean first = !ended;
        ended = true;
        return first;
    }

    boolean ended() {
        return ended;
    }
}
