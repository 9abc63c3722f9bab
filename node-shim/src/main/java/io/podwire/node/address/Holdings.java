package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import java.time.Duration;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Every address of a book that can be given to nobody, at one moment.
 *
 * @param held who has it
 * @param cooling how long ago it was released
 * @param <O> the owner's type
 */
public record Holdings<O>(SortedMap<IpAddress, O> held, SortedMap<IpAddress, Duration> cooling) {
    /** Copies. */
    public Holdings {
        held = Collections.unmodifiableSortedMap(new TreeMap<>(held));
        cooling = Collections.unmodifiableSortedMap(new TreeMap<>(cooling));
    }
}
