package io.podwire.ipam.source;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolSource;
import io.podwire.ipam.core.PoolUsage;
import io.podwire.ipam.service.BlockFlow;
import io.podwire.ipam.service.CasFlow;
import io.podwire.ipam.service.PoolFlow;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the stored pools as one place declares them, by what {@link PoolPlan} decides: after each change there, and
 * now and then. Its loop owns all state; {@link #refused} may be read from anywhere. Any number of replicas may do
 * this at once, as long as they are told the same.
 */
public final class PoolReconciler implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PoolReconciler.class);

    private final PoolSource.Kind kind;
    private final PoolFlow pools;
    private final BlockFlow blocks;
    private final TimeSource time;
    private final Duration grace;
    private final Consumer<SortedMap<String, IpPoolStatus>> report;
    private final EventLoop loop;
    /** Since when each stored pool is declared no more. */
    private final Map<String, Duration> missing = new HashMap<>();

    private Optional<Declared> declared = Optional.empty();
    private SortedMap<String, String> problems = new TreeMap<>();
    private boolean readable = true;
    private volatile int refused;

    /**
     * A reconciler that was told nothing yet, and so does nothing.
     *
     * @param kind whose pools it keeps
     * @param period between two looks at the store
     * @param grace how long a pool must be missing before it is withdrawn
     * @param report is told of each declared pool after each look, on the loop
     */
    PoolReconciler(
            PoolSource.Kind kind,
            CasFlow flow,
            TimeSource time,
            MeterRegistry meters,
            Duration period,
            Duration grace,
            Consumer<SortedMap<String, IpPoolStatus>> report) {
        this.kind = kind;
        this.pools = new PoolFlow(flow, kind);
        this.blocks = new BlockFlow(flow);
        this.time = time;
        this.grace = grace;
        this.report = report;
        String name = kind.name().toLowerCase(Locale.ROOT);
        this.loop = new EventLoop("pools-of-" + name);
        Gauge.builder("podwire.ipam.pools.refused", this, PoolReconciler::refused)
                .description("Pools that are declared there and are not stored so; the log names them and why")
                .tag("source", name)
                .register(meters);
        loop.every(period, this::look);
    }

    /** Takes over what is declared from now on. */
    void declare(Declared now) {
        loop.execute(() -> {
            declared = Optional.of(now);
            look();
        });
    }

    /** Declared pools that are not stored as declared. */
    public int refused() {
        return refused;
    }

    private void look() {
        if (declared.isEmpty()) {
            return;
        }
        try {
            SortedMap<String, String> now = act(declared.get());
            tell(now);
            if (!readable) {
                log.info("the store answers again, pools are kept as {} declares them", kind);
            }
            readable = true;
        } catch (ServiceException e) {
            if (readable) {
                log.warn("pools cannot be kept as {} declares them, trying again: {}", kind, e.getMessage());
            }
            readable = false;
        }
    }

    /** Does what there is to do; gives what is wrong with which pool. */
    private SortedMap<String, String> act(Declared now) {
        List<PoolUsage> stored = blocks.ledger().usage();
        SortedMap<String, String> wrong = new TreeMap<>(now.refused());
        for (PoolAction action : PoolPlan.decide(now, stored, missed(now, stored))) {
            try {
                obey(action, wrong);
            } catch (ServiceException e) {
                wrong.put(action.name(), e.getMessage());
            }
        }
        return wrong;
    }

    private void obey(PoolAction action, SortedMap<String, String> wrong) {
        switch (action) {
            case PoolAction.Create(Pool pool) -> pools.create(pool);
            case PoolAction.Change(String name, var edits) -> {
                var _ = pools.update(name, edits);
            }
            case PoolAction.Delete(String name) -> pools.delete(name);
            case PoolAction.Refuse(String name, String why) -> wrong.put(name, why);
        }
    }

    private Set<String> missed(Declared now, List<PoolUsage> stored) {
        Set<String> lacking = stored.stream()
                .map(PoolUsage::pool)
                .filter(now::lacks)
                .map(Pool::name)
                .collect(Collectors.toSet());
        missing.keySet().retainAll(lacking);
        Duration at = time.monotonic();
        lacking.forEach(name -> {
            if (missing.putIfAbsent(name, at) == null) {
                log.warn("pool {} is declared by {} no more: it is withdrawn in {} s", name, kind, grace.toSeconds());
                loop.schedule(grace, this::look);
            }
        });
        return missing.entrySet().stream()
                .filter(entry -> at.minus(entry.getValue()).compareTo(grace) >= 0)
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
    }

    private void tell(SortedMap<String, String> now) {
        now.forEach((name, why) -> {
            if (!why.equals(problems.get(name))) {
                log.error("pool {} is not stored as {} declares it: {}", name, kind, why);
            }
        });
        problems.keySet().stream()
                .filter(name -> !now.containsKey(name))
                .forEach(name -> log.info("nothing is wrong any more with pool {} of {}", name, kind));
        problems = now;
        refused = now.size();
        report.accept(statuses(now));
    }

    private SortedMap<String, IpPoolStatus> statuses(SortedMap<String, String> wrong) {
        Map<String, PoolUsage> stored = blocks.ledger().usage().stream()
                .filter(usage -> usage.pool().source().kind() == kind)
                .collect(Collectors.toMap(usage -> usage.pool().name(), Function.identity()));
        SortedMap<String, IpPoolStatus> statuses = new TreeMap<>();
        declared.ifPresent(of -> {
            of.pools().keySet().forEach(name -> statuses.put(name, status(stored, wrong, name)));
            of.refused().keySet().forEach(name -> statuses.put(name, status(stored, wrong, name)));
        });
        return statuses;
    }

    private static IpPoolStatus status(Map<String, PoolUsage> stored, Map<String, String> wrong, String name) {
        return IpPoolMapping.status(Optional.ofNullable(stored.get(name)), wrong.getOrDefault(name, ""));
    }

    @Override
    public void close() {
        loop.close();
    }
}
