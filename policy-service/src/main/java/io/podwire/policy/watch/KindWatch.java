package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.policy.snapshot.Change;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The objects of one kind, by an informer that is begun anew when it falls silent. The loop given to it owns all state;
 * informers only post to it.
 *
 * <p>An API server sends a bookmark each minute on a watch without events, so a version that stands still for minutes
 * means a watch that died without a word. The informer itself lists anew where the server has forgotten its version
 * (410), and asks again when a list or a watch fails.
 */
final class KindWatch<T extends HasMetadata> implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KindWatch.class);

    private final EventLoop loop;
    private final TimeSource time;
    private final String kind;
    private final Supplier<SharedIndexInformer<T>> make;
    private final Supplier<T> bare;
    private final Function<T, Optional<Change>> set;
    private final Function<T, Change> gone;
    private final Consumer<Change> changed;
    private final Runnable listed;
    private final Runnable unsure;

    private Optional<SharedIndexInformer<T>> informer = Optional.empty();
    private int generation;
    private boolean complete;
    private String version = "";
    private Duration movedAt = Duration.ZERO;
    private volatile boolean closed;

    /**
     * A watch that has not begun.
     *
     * @param kind named in the log
     * @param bare makes an object without content
     * @param changed hears of what the watch saw
     * @param listed told when the first list is in, after its objects
     * @param unsure told when something may be gone that no event told of
     */
    KindWatch(
            EventLoop loop,
            TimeSource time,
            String kind,
            Supplier<SharedIndexInformer<T>> make,
            Supplier<T> bare,
            Function<T, Optional<Change>> set,
            Function<T, Change> gone,
            Consumer<Change> changed,
            Runnable listed,
            Runnable unsure) {
        this.loop = loop;
        this.time = time;
        this.kind = kind;
        this.make = make;
        this.bare = bare;
        this.set = set;
        this.gone = gone;
        this.changed = changed;
        this.listed = listed;
        this.unsure = unsure;
    }

    /** True once the first list is in. On the loop only. */
    boolean complete() {
        return complete;
    }

    /** Lists, then watches. On the loop only. */
    void begin() {
        int mine = ++generation;
        version = "";
        movedAt = time.monotonic();
        SharedIndexInformer<T> next = make.get().removeNamespaceIndex().itemStore(new KeyStore<>(bare));
        // fabric8 logs the failure itself; it must try again until we close.
        next.exceptionHandler((_, _) -> !closed);
        next.addEventHandler(new Handler(mine));
        informer = Optional.of(next);
        var _ = next.start();
    }

    /** Begins anew when nothing has come for that long, no bookmark either. On the loop only. */
    void look(Duration deadline) {
        String now = informer.map(SharedIndexInformer::lastSyncResourceVersion).orElse("");
        if (!version.equals(now)) {
            version = String.valueOf(now);
            movedAt = time.monotonic();
        } else if (time.monotonic().minus(movedAt).compareTo(deadline) >= 0) {
            log.warn(
                    "the watch of {} has brought nothing for {} s, no bookmark either: it is begun anew",
                    kind,
                    deadline.toSeconds());
            informer.ifPresent(SharedIndexInformer::stop);
            begin();
        }
    }

    /** Stops the informer; it posts no more. */
    @Override
    public void close() {
        closed = true;
        informer.ifPresent(SharedIndexInformer::stop);
    }

    /** Posts what one informer says. Mapped before it is posted: what waits in the loop is small. */
    private final class Handler implements ResourceEventHandler<T> {
        private final int mine;

        Handler(int mine) {
            this.mine = mine;
        }

        private void post(Runnable step) {
            loop.execute(() -> {
                if (mine == generation) {
                    step.run();
                }
            });
        }

        @Override
        public void onAdd(T object) {
            set.apply(object).ifPresent(change -> post(() -> changed.accept(change)));
        }

        @Override
        public void onUpdate(T before, T object) {
            onAdd(object);
        }

        @Override
        public void onDelete(T object, boolean deletedFinalStateUnknown) {
            Change change = gone.apply(object);
            post(() -> {
                if (deletedFinalStateUnknown) {
                    unsure.run();
                } else {
                    changed.accept(change);
                }
            });
        }

        @Override
        public void onList(String resourceVersion, boolean remainedEmpty) {
            post(() -> {
                if (complete) {
                    unsure.run();
                } else {
                    complete = true;
                    listed.run();
                }
            });
        }
    }
}
