package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.PoolUsage;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells watchers of all pools: at once, after each change whoever made it, and now and then as a sign of
 * life. Its loop owns the watchers and what was read last. It asks the store's revision instead of waiting
 * for the store's word: such watches are known to stop without one.
 */
public final class PoolWatch implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PoolWatch.class);

    private final CasFlow flow;
    private final TimeSource time;
    private final Duration signOfLife;
    private final EventLoop loop = new EventLoop("pool-watch");
    private final Set<Watcher> watchers = new LinkedHashSet<>();
    private List<PoolUsage> newest = List.of();
    private long revision = -1;
    private boolean readable = true;

    /** One reader of the pools. Its fields belong to the loop, and its parts are called there. */
    static final class Watcher {
        private final BooleanSupplier ready;
        private final Consumer<List<PoolUsage>> send;
        private final Consumer<ServiceException> fail;
        private boolean owed = true;
        private Duration sent = Duration.ZERO;

        /**
         * A reader.
         *
         * @param ready false while it still has earlier bytes to read
         * @param send takes all pools, by name
         * @param fail ends it
         */
        Watcher(BooleanSupplier ready, Consumer<List<PoolUsage>> send, Consumer<ServiceException> fail) {
            this.ready = ready;
            this.send = send;
            this.fail = fail;
        }
    }

    /**
     * A watch without watchers.
     *
     * @param period between two looks at the store, while anyone watches
     * @param signOfLife how long a watcher is left without a message while the store can be read
     */
    public PoolWatch(CasFlow flow, TimeSource time, Duration period, Duration signOfLife) {
        this.flow = flow;
        this.time = time;
        this.signOfLife = signOfLife;
        loop.every(period, this::look);
    }

    /** Adds a watcher; it fails when the store cannot be read now. */
    void add(Watcher watcher) {
        loop.execute(() -> {
            try {
                read();
                watchers.add(watcher);
                tell(watcher);
            } catch (ServiceException e) {
                watcher.fail.accept(e);
            }
        });
    }

    /** Tells the watcher what it is owed: it has become ready. */
    void writable(Watcher watcher) {
        loop.execute(() -> {
            if (watchers.contains(watcher)) {
                tell(watcher);
            }
        });
    }

    /** Forgets the watcher. */
    void gone(Watcher watcher) {
        loop.execute(() -> watchers.remove(watcher));
    }

    private void look() {
        if (watchers.isEmpty()) {
            return;
        }
        try {
            read();
            if (!readable) {
                log.info("the pools can be read again, their watchers are served");
            }
            readable = true;
        } catch (ServiceException e) {
            if (readable) {
                log.warn("the pools cannot be read, their watchers wait: {}", e.getMessage());
            }
            readable = false;
            return;
        }
        Duration now = time.monotonic();
        for (Watcher watcher : watchers) {
            watcher.owed |= now.minus(watcher.sent).compareTo(signOfLife) >= 0;
            tell(watcher);
        }
    }

    private void read() {
        long before = flow.revision();
        if (before == revision) {
            return;
        }
        List<PoolUsage> read = flow.read().ledger().usage();
        // The revision of before: what was written meanwhile is looked at once more.
        revision = before;
        if (!read.equals(newest)) {
            newest = read;
            watchers.forEach(watcher -> watcher.owed = true);
        }
    }

    private void tell(Watcher watcher) {
        if (watcher.owed && watcher.ready.getAsBoolean()) {
            watcher.owed = false;
            watcher.sent = time.monotonic();
            watcher.send.accept(newest);
        }
    }

    @Override
    public void close() {
        loop.close();
    }
}
