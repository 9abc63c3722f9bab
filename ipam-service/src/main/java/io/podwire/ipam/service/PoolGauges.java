package io.podwire.ipam.service;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.ipam.core.PoolUsage;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Owned, reserved and all blocks of each pool as gauges; its loop reads the store, and owns the gauges. */
public final class PoolGauges implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PoolGauges.class);

    private static final Duration NEWS = Duration.ofSeconds(5);

    private final BlockFlow blocks;
    private final MultiGauge owned;
    private final MultiGauge reserved;
    private final MultiGauge total;
    private final EventLoop loop = new EventLoop("pool-gauges");

    /**
     * Starts reading.
     *
     * @param period time between two reads
     */
    public PoolGauges(BlockFlow blocks, MeterRegistry meters, Duration period) {
        this.blocks = blocks;
        this.owned = MultiGauge.builder("podwire.ipam.blocks.owned")
                .description("Blocks of the pool that nodes own")
                .register(meters);
        this.reserved = MultiGauge.builder("podwire.ipam.blocks.reserved")
                .description("Blocks of the pool that nobody gets, for an address of theirs is reserved")
                .register(meters);
        // Not ".total": Prometheus keeps that ending for counters, and its client library cuts it off.
        this.total = MultiGauge.builder("podwire.ipam.blocks.all")
                .description("Blocks of the pool in all")
                .register(meters);
        loop.execute(this::refresh);
        loop.every(period, this::refresh);
    }

    private void refresh() {
        try {
            List<PoolUsage> usage = blocks.recent(NEWS).usage();
            set(owned, usage, PoolUsage::ownedBlocks);
            set(reserved, usage, of -> of.pool().reservedBlocks());
            set(total, usage, of -> of.pool().totalBlocks());
        } catch (ServiceException e) {
            log.debug("the gauges of pools stay as they are: {}", e.getMessage());
        }
    }

    private static void set(MultiGauge gauge, List<PoolUsage> usage, Function<PoolUsage, Number> value) {
        gauge.register(
                usage.stream()
                        .map(of -> MultiGauge.Row.of(Tags.of("pool", of.pool().name()), value.apply(of)))
                        .toList(),
                true);
    }

    @Override
    public void close() {
        loop.close();
    }
}
