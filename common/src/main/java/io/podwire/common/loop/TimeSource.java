package io.podwire.common.loop;

import java.time.Duration;
import java.time.Instant;

/** Where time comes from: it arrives through constructors, so that tests move it by hand. */
public interface TimeSource {
    /** The machine's own clock. */
    TimeSource SYSTEM = new TimeSource() {
        @Override
        public Duration monotonic() {
            return Duration.ofNanos(System.nanoTime());
        }

        @Override
        public Instant wall() {
            return Instant.now();
        }
    };

    /** Time since some fixed moment; never goes back. The only time that decisions may use. */
    Duration monotonic();

    /** The calendar's time, for people only. */
    Instant wall();
}
