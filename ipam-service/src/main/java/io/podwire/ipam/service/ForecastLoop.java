package io.podwire.ipam.service;

import io.podwire.common.loop.EventLoop;
import java.time.Duration;

/** Has {@link Forecasts} look, on a loop of its own. */
public final class ForecastLoop implements AutoCloseable {
    private final EventLoop loop = new EventLoop("forecasts");

    /**
     * Starts looking.
     *
     * @param period time between two looks
     */
    public ForecastLoop(Forecasts forecasts, Duration period) {
        loop.execute(forecasts::look);
        loop.every(period, forecasts::look);
    }

    @Override
    public void close() {
        loop.close();
    }
}
