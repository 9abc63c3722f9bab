package io.podwire.ipam.service;

import io.podwire.common.loop.EventLoop;
import java.time.Duration;

/** Takes back what nodes own that are gone for good, see {@link ReclaimLook}, on a loop of its own. */
public final class GoneNodes implements AutoCloseable {
    private final EventLoop loop = new EventLoop("gone-nodes");

    /**
     * Starts looking.
     *
     * @param period time between two looks
     */
    public GoneNodes(ReclaimLook look, Duration period) {
        loop.execute(look::look);
        loop.every(period, look::look);
    }

    @Override
    public void close() {
        loop.close();
    }
}
