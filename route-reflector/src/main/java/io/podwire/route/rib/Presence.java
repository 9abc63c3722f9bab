package io.podwire.route.rib;

import java.time.Duration;

/** Whether a node's stream is up. */
public sealed interface Presence {
    /** It is. */
    record Connected() implements Presence {}

    /**
     * It ended.
     *
     * @param since when, in {@link io.podwire.common.loop.TimeSource#monotonic} time
     */
    record Gone(Duration since) implements Presence {}
}
