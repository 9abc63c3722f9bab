package io.podwire.ipam.service;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import java.time.Duration;

/** Makes single addresses free once they have cooled down, see {@link CoolDownLook}, on a loop of its own. */
public final class CoolDowns implements AutoCloseable {
    private final EventLoop loop = new EventLoop("cool-downs");

    /**
     * Starts looking.
     *
     * @param usual cool-down of pools that name none
     * @param period time between two looks
     */
    public CoolDowns(AddressFlow flow, TimeSource time, Duration usual, Duration period) {
        loop.every(period, new CoolDownLook(flow, time, usual)::look);
    }

    @Override
    public void close() {
        loop.close();
    }
}
