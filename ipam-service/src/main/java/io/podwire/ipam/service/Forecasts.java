package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.Usage;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.UsageTrend;
import java.math.BigInteger;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * When each pool is used up if it goes on as it did lately, and a warning where that is soon. What was seen is in memory
 * alone: a replica that was started again foretells nothing at first. One thread looks; it owns all state but the newest
 * answer.
 */
public final class Forecasts {
    private static final Logger log = LoggerFactory.getLogger(Forecasts.class);

    /** A forecast is about hours. */
    private static final Duration NEWS = Duration.ofSeconds(5);

    private final CasFlow flow;
    private final BindingTable table;
    private final TimeSource time;
    private final Duration window;
    private final Duration warning;
    private Map<Watched, Trends> trends = new HashMap<>();
    private final Set<String> warned = new HashSet<>();
    private volatile Map<String, Duration> newest = Map.of();

    /** A pool whose blocks count alike. */
    private record Watched(String pool, int blockLength) {}

    private record Trends(UsageTrend blocks, UsageTrend addresses) {}

    /**
     * Has not looked yet.
     *
     * @param window what is older does not count
     * @param warning a pool that is used up sooner is warned of; 0: none is
     */
    public Forecasts(CasFlow flow, BindingTable table, TimeSource time, Duration window, Duration warning) {
        this.flow = flow;
        this.table = table;
        this.time = time;
        this.window = window;
        this.warning = warning;
    }

    /** Time until the pool is used up; empty where nothing can be foretold. */
    Optional<Duration> of(String pool) {
        return Optional.ofNullable(newest.get(pool));
    }

    /** The same of all pools of which something can be foretold. */
    Map<String, Duration> all() {
        return newest;
    }

    /** Looks; while the store does not answer, what was foretold stays. */
    public void look() {
        Ledger ledger;
        try {
            ledger = flow.recent(NEWS).ledger();
        } catch (ServiceException e) {
            log.debug("the forecasts of pools stay as they are: {}", e.getMessage());
            return;
        }
        Usage usage = Usage.of(table.snapshot(), ledger);
        Duration now = time.monotonic();
        Map<Watched, Trends> still = new HashMap<>();
        Map<String, Duration> ends = new HashMap<>();
        for (Pool pool : ledger.pools()) {
            // Who drains gives nothing more, full or not.
            if (pool.state() == PoolState.ACTIVE) {
                Watched watched = new Watched(pool.name(), pool.blockLength());
                Trends of = trends.getOrDefault(watched, new Trends(new UsageTrend(window), new UsageTrend(window)));
                still.put(watched, of);
                Stream.of(
                                blocks(of.blocks(), pool, ledger, now),
                                addresses(of.addresses(), usage.pools().get(pool.name()), now))
                        .flatMap(Optional::stream)
                        .min(Duration::compareTo)
                        .ifPresent(end -> ends.put(pool.name(), end));
            }
        }
        trends = still;
        newest = Map.copyOf(ends);
        warn(ends);
    }

    private static Optional<Duration> blocks(UsageTrend trend, Pool pool, Ledger ledger, Duration now) {
        if (pool.purpose() != PoolPurpose.PODS) {
            return Optional.empty();
        }
        int owned = ledger.blocksOf(pool.name()).size();
        trend.see(now, owned);
        return trend.untilFull(
                now, owned, pool.totalBlocks().subtract(pool.reservedBlocks()).doubleValue());
    }

    private static Optional<Duration> addresses(UsageTrend trend, Usage.OfPool of, Duration now) {
        // Reports that are still to come, as after a start, would look like growth.
        if (of.unknown().compareTo(BigInteger.ZERO) > 0) {
            return Optional.empty();
        }
        int used = of.inUse() + of.cooling();
        trend.see(now, used);
        return trend.untilFull(now, used, of.all().subtract(of.reserved()).doubleValue());
    }

    /** Once for each time that it comes near, which ends when it is twice as far away. */
    private void warn(Map<String, Duration> ends) {
        warned.removeIf(pool -> {
            Duration end = ends.get(pool);
            boolean far = end == null || end.compareTo(warning.multipliedBy(2)) > 0;
            if (far) {
                log.info("pool {} is not about to be used up any more", pool);
            }
            return far;
        });
        ends.forEach((pool, end) -> {
            if (warning.isPositive() && end.compareTo(warning) <= 0 && warned.add(pool)) {
                if (end.isZero()) {
                    log.warn("pool {} is used up: enlarge it, or create another one", pool);
                } else {
                    log.warn(
                            "pool {} is used up in {} if it goes on as in the last {}: enlarge it, or create another one",
                            pool,
                            Duration.ofSeconds(end.toSeconds()),
                            window);
                }
            }
        });
    }
}
