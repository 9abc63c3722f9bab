package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import java.time.Duration;
import java.util.Map;

/**
 * Every address of a book that can be given to nobody, at one moment.
 *
 * @param held who has it
 * @param cooling how long ago it was released
 * @param <O> the owner's type
 */
public record Holdings<O>(Map<IpAddress, O> held, Map<IpAddress, Duration> cooling) {
    /** Copies. */
    public Holdings {
        held = Map.copyOf(held);
        cooling = Map.copyOf(cooling);
    }
}
