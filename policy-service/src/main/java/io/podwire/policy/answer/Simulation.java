package io.podwire.policy.answer;

import io.podwire.policy.compile.PortRange;
import java.util.List;

/**
 * Connections whose verdict would change.
 *
 * @param flips by source, then destination
 * @param more true when there are more than were asked for
 */
public record Simulation(List<Flip> flips, boolean more) {
    /** Copies the list. */
    public Simulation {
        flips = List.copyOf(flips);
    }

    /**
     * Connections from one end to another that would change alike.
     *
     * @param allowed true: they would pass and do not now; false: the other way round
     * @param ports which ones: disjoint, sorted, at least one
     */
    public record Flip(End source, End destination, boolean allowed, List<PortRange> ports) {
        /** Copies the list. */
        public Flip {
            ports = List.copyOf(ports);
        }
    }
}
