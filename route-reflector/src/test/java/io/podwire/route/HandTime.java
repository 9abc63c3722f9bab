package io.podwire.route;

import io.podwire.common.loop.TimeSource;
import java.time.Duration;
import java.time.Instant;

/** Time that a test moves. */
final class HandTime implements TimeSource {
    private volatile Duration now = Duration.ofHours(1);

    void move(Duration by) {
        now = now.plus(by);
    }

    @Override
    public Duration monotonic() {
        return now;
    }

    @Override
    public Instant wall() {
        return Instant.EPOCH.plus(now);
    }
}
