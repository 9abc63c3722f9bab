package io.podwire.ipam.service;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.PoolHolders;
import io.podwire.ipam.core.HoldingPod;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.LedgerSnapshot.DrainVersion;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Evicts pods that have addresses of pools that drain, at their pools' pace; any number of replicas together keep it,
 * by {@link DrainPacer}. A turn that its replica does not use, because it ends, makes draining slower, never faster.
 * Also tells how many addresses are left. Its loop owns all state.
 */
public final class Draining implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Draining.class);
    /** A pod whose disruption budget is used up keeps others from leaving no longer than a turn. */
    private static final Duration LATER = Duration.ofSeconds(30);
    /** Longer than pods take to end; one that is there still is asked again. */
    private static final Duration LEFT = Duration.ofMinutes(5);
    /** So many more pods than may leave in a turn are asked, where some may not. */
    private static final int FURTHER_TRIES = 10;

    /** So late may a pool be seen to drain that another replica was told of. */
    private static final Duration NEWS = Duration.ofSeconds(5);

    private final CasFlow flow;
    private final BindingTable bindings;
    private final Optional<Evictor> evictor;
    private final TimeSource time;
    private final DrainPacer pacer = new DrainPacer();
    private final Map<HoldingPod, Duration> notBefore = new HashMap<>();
    private final MultiGauge left;
    private final Map<Evictor.Outcome, Counter> outcomes = new EnumMap<>(Evictor.Outcome.class);
    private final EventLoop loop = new EventLoop("draining");

    /**
     * Starts looking.
     *
     * @param evictor makes pods leave; empty: nobody is evicted
     * @param period time between two looks
     */
    public Draining(
            CasFlow flow,
            BindingTable bindings,
            Optional<Evictor> evictor,
            TimeSource time,
            MeterRegistry meters,
            Duration period) {
        this.flow = flow;
        this.bindings = bindings;
        this.evictor = evictor;
        this.time = time;
        this.left = MultiGauge.builder("podwire.ipam.draining.addresses")
                .description("Addresses of a pool that drains that are in use, as far as nodes told this replica")
                .register(meters);
        for (Evictor.Outcome outcome : Evictor.Outcome.values()) {
            outcomes.put(
                    outcome,
                    Counter.builder("podwire.ipam.evictions")
                            .description("Pods that this replica asked to leave pools that drain, by what came of it")
                            .tag("result", outcome.name().toLowerCase(Locale.ROOT))
                            .register(meters));
        }
        loop.every(period, this::look);
    }

    void look() {
        try {
            List<Pool> known = draining(flow.recent(NEWS));
            LedgerSnapshot snapshot = known.isEmpty() ? flow.known() : flow.read();
            List<Pool> draining = draining(snapshot);
            left.register(
                    draining.stream()
                            .map(pool -> MultiGauge.Row.of(
                                    Tags.of("pool", pool.name()),
                                    PoolHolders.inUse(pool, bindings.snapshot(), snapshot.ledger())))
                            .toList(),
                    true);
            pacer.retain(draining.stream().map(Pool::name).collect(Collectors.toSet()));
            Duration now = time.monotonic();
            notBefore.values().removeIf(at -> at.compareTo(now) <= 0);
            for (Pool pool : draining) {
                evictor.filter(_ -> pool.drainPace().evicts()).ifPresent(by -> drain(pool, snapshot, by));
            }
        } catch (ServiceException e) {
            log.debug("pools that drain are left alone: {}", e.getMessage());
        }
    }

    private static List<Pool> draining(LedgerSnapshot snapshot) {
        return snapshot.ledger().pools().stream()
                .filter(pool -> pool.state() == PoolState.DRAINING)
                .toList();
    }

    private void drain(Pool pool, LedgerSnapshot snapshot, Evictor by) {
        DrainVersion version = snapshot.drainVersion(pool);
        if (!pacer.due(pool.name(), version, pool.drainPace(), time.monotonic())) {
            return;
        }
        List<HoldingPod> pods = PoolHolders.leaving(pool, bindings.snapshot()).stream()
                .filter(pod -> !notBefore.containsKey(pod))
                .toList();
        if (pods.isEmpty()) {
            return;
        }
        Duration began = time.monotonic();
        if (!take(pool, version)) {
            return;
        }
        if (time.monotonic()
                        .minus(began)
                        .multipliedBy(2)
                        .compareTo(pool.drainPace().turn())
                > 0) {
            log.info("the store took long to give a turn of draining pool {}: it passes unused", pool.name());
            return;
        }
        int evicted = 0;
        int most = pool.drainPace().perTurn();
        for (HoldingPod pod : pods.subList(0, Math.min(pods.size(), most + FURTHER_TRIES))) {
            if (evicted == most) {
                return;
            }
            Evictor.Outcome outcome = by.evict(pod);
            outcomes.get(outcome).increment();
            notBefore.put(
                    pod,
                    time.monotonic()
                            .plus(
                                    switch (outcome) {
                                        case LATER -> LATER;
                                        case EVICTED, NOT_THERE -> LEFT;
                                    }));
            if (outcome == Evictor.Outcome.EVICTED) {
                evicted++;
                log.info("pod {} is evicted: pool {} drains, {}", pod, pool.name(), pool.drainPace());
            }
        }
    }

    /** True when this replica has the turn that follows a version: one has. */
    private boolean take(Pool pool, DrainVersion version) {
        return flow.run("turn of draining pool " + pool.name(), snapshot -> {
            Optional<Pool> same = snapshot.ledger()
                    .pool(pool.name())
                    .filter(now -> snapshot.drainVersion(now).equals(version));
            return same.isEmpty()
                    ? new Step.Done<>(false)
                    : new Step.Write<>(snapshot.takeDrainTurn(same.get()), true, Step.NOTHING);
        });
    }

    @Override
    public void close() {
        loop.close();
    }
}
