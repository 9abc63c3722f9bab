package io.podwire.node.dataplane;

import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.plan.UnderlayChoice;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The underlay as it is now: a node may get another address, subnet or interface while it runs. While there is none, it
 * is as it was last, since routes that nothing better replaces stay. Looked for by one thread at a time, read by all.
 */
public final class CurrentUnderlay {
    private static final Logger log = LoggerFactory.getLogger(CurrentUnderlay.class);

    private final Rtnetlink host;
    private final UnderlayChoice choice;
    private volatile Underlay now;
    private volatile Runnable moved = () -> {};
    private Optional<String> missing = Optional.empty();

    /**
     * Finds it.
     *
     * @throws IllegalArgumentException when there is none, naming the option that chooses it
     */
    public CurrentUnderlay(Rtnetlink host, UnderlayChoice choice) {
        this.host = host;
        this.choice = choice;
        this.now = Underlay.find(host, choice);
    }

    /** Has something called, on the thread that looks, when it has another interface or other addresses. */
    public void whenMoved(Runnable action) {
        moved = action;
    }

    /** As it was found last. */
    public Underlay last() {
        return now;
    }

    /** As it is now. */
    public synchronized Underlay look() {
        Underlay before = now;
        try {
            now = Underlay.find(host, choice);
            missing = Optional.empty();
        } catch (IllegalArgumentException e) {
            Optional<String> why = Optional.of(String.valueOf(e.getMessage()));
            if (!missing.equals(why)) {
                log.warn("the underlay is lost, other nodes are told the last one ({}): {}", before.text(), why.get());
                missing = why;
            }
            return before;
        }
        if (!now.samePlace(before)) {
            log.warn("the underlay is {} now, it was {}", now.text(), before.text());
            moved.run();
        }
        return now;
    }
}
