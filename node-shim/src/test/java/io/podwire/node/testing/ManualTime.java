package io.podwire.node.testing;

import io.podwire.common.loop.TimeSource;
import java.time.Duration;
import java.time.Instant;

/** Time that a test moves by hand. Safe for several threads. */
public final class ManualTime implements TimeSource {
    private Duration now = Duration.ofHours(1);

    /** Moves it on. */
    public synchronized void advance(Duration by) {
        now = now.plus(by);
    }

    @Override
    public synchronized Duration monotonic() {
        return now;
    }

    @Override
    public synchronized Instant wall() {
        return Instant.ofEpochSecond(1_700_000_000).plus(now);
    }
}
