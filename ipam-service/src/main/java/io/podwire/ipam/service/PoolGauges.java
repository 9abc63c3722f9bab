package io.podwire.ipam.service;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.ipam.core.Ledger;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Owned and total blocks of each pool as gauges; its loop reads the store, and owns the gauges. */
public final class PoolGauges implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(PoolGauges.class);

    private final BlockFlow blocks;
    private final MultiGauge owned;
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
        // Not ".total": Prometheus keeps that ending for counters, and its client library cuts it off.
        this.total = MultiGauge.builder("podwire.ipam.blocks.all")
                .description("Blocks of the pool in all")
                .register(meters);
        loop.execute(this::refresh);
        loop.every(period, this::refresh);
    }

    private void refresh() {
        try {
            Ledger ledger = blocks.ledger();
            owned.register(
                    ledger.pools().stream()
                            .map(pool -> MultiGauge.Row.of(
                                    Tags.of("pool", pool.name()),
                                    ledger.blocksOf(pool.name()).size()))
                            .toList(),
                    true);
            total.register(
                    ledger.pools().stream()
                            .map(pool -> MultiGauge.Row.of(Tags.of("pool", pool.name()), pool.totalBlocks()))
                            .toList(),
                    true);
        } catch (ServiceException e) {
            log.debug("the gauges of pools stay as they are: {}", e.getMessage());
        }
    }

    @Override
    public void close() {
        loop.close();
    }
}
