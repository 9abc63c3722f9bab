package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.podwire.common.loop.EventLoop;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The objects of a kind that a cluster may have or not: it is asked whether it has it, now and again while it has not,
 * and watched from then on. The loop given to it owns all state.
 */
final class OptionalKind<T extends HasMetadata> implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(OptionalKind.class);

    private final EventLoop loop;
    private final String kind;
    private final BooleanSupplier served;
    private final Duration again;
    private final KindWatch<T> watch;
    private final Runnable absence;

    private boolean asking;
    private boolean absent;
    private boolean begun;

    /**
     * A kind that has not been asked about.
     *
     * @param kind named in the log
     * @param served whether the cluster has it: asks the server, beside the loop
     * @param again how long after a question that failed it is asked again
     * @param watch begun when it is there
     * @param absence told when it is not there, the first time
     */
    OptionalKind(
            EventLoop loop, String kind, BooleanSupplier served, Duration again, KindWatch<T> watch, Runnable absence) {
        this.loop = loop;
        this.kind = kind;
        this.served = served;
        this.again = again;
        this.watch = watch;
        this.absence = absence;
    }

    /** True once the kind is known to be absent, or its first list is in. On the loop only. */
    boolean complete() {
        return absent || watch.complete();
    }

    /** True when the cluster has it. On the loop only. */
    boolean present() {
        return begun;
    }

    /** Asks, and watches when the answer is yes. On the loop only. */
    void begin() {
        if (asking || begun) {
            return;
        }
        asking = true;
        Thread.ofVirtual().name("kubernetes-kinds").start(() -> {
            try {
                boolean there = served.getAsBoolean();
                loop.execute(() -> answered(there));
            } catch (RuntimeException e) {
                loop.execute(() -> {
                    asking = false;
                    log.warn(
                            "asking whether the cluster has {} failed, asking again in {} ms: {}",
                            kind,
                            again.toMillis(),
                            e.toString());
                    loop.schedule(again, this::begin);
                });
            }
        });
    }

    private void answered(boolean there) {
        asking = false;
        if (there) {
            begun = true;
            log.info("the cluster has {}: they are watched", kind);
            watch.begin();
        } else if (!absent) {
            absent = true;
            log.info("the cluster has no {}, they are watched when it has", kind);
            absence.run();
        }
    }

    /** As {@link KindWatch#look}; asks again while the cluster does not have the kind. On the loop only. */
    void look(Duration deadline) {
        if (begun) {
            watch.look(deadline);
        } else {
            begin();
        }
    }

    /** Watches no more. */
    @Override
    public void close() {
        watch.close();
    }
}
