package io.podwire.policy.publish;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.Map;
import java.util.function.Supplier;

/** What a publisher counts. Told by its loop, read by whoever looks at metrics. */
final class PublisherMetrics {
    private final Timer compileTime;
    private final Counter nacks;
    private final Map<Class<? extends Update>, Counter> updates;
    private volatile long revision;
    private volatile int nodes;
    private volatile int kinds;
    private volatile int peers;

    PublisherMetrics(MeterRegistry meters) {
        compileTime = Timer.builder("podwire.policy.compile")
                .description("One compilation of one node's program")
                .register(meters);
        nacks = Counter.builder("podwire.policy.nacks")
                .description("Updates that a node could not apply")
                .register(meters);
        updates = Map.of(
                Update.Full.class, updates(meters, "full"),
                Update.Delta.class, updates(meters, "delta"),
                Update.Unchanged.class, updates(meters, "unchanged"));
        Gauge.builder("podwire.policy.revision", this, m -> m.revision)
                .description("Revision of the newest state")
                .register(meters);
        Gauge.builder("podwire.policy.kinds", this, m -> m.kinds)
                .description("Kinds of pods that policies can tell apart")
                .register(meters);
        Gauge.builder("podwire.policy.peers", this, m -> m.peers)
                .description("Different peers that the rules of programs name")
                .register(meters);
        Gauge.builder("podwire.policy.nodes", this, m -> m.nodes)
                .description("Nodes with a stream")
                .register(meters);
    }

    private static Counter updates(MeterRegistry meters, String kind) {
        return Counter.builder("podwire.policy.updates")
                .tag("kind", kind)
                .description(
                        "Updates that were sent to nodes: whole programs, deltas, and words that a program is as it was")
                .register(meters);
    }

    /** The newest state has this revision. */
    void revision(long newest) {
        revision = newest;
    }

    /** So many nodes have a stream. */
    void connected(int count) {
        nodes = count;
    }

    /** What the programs of the newest state tell apart. */
    void compiled(int kindsOfPods, int peersOfRules) {
        kinds = kindsOfPods;
        peers = peersOfRules;
    }

    /** A node could not apply an update. */
    void nacked() {
        nacks.increment();
    }

    /** An update goes to a node. */
    void sent(Update update) {
        updates.get(update.getClass()).increment();
    }

    /** Compiles one node's program. */
    <T> T timed(Supplier<T> compilation) {
        return compileTime.record(compilation);
    }
}
