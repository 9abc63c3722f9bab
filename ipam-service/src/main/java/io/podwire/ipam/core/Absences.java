package io.podwire.ipam.core;

import io.podwire.common.net.NodeName;
import java.time.Duration;
import java.util.Map;
import java.util.Set;

/**
 * What the looks at the nodes so far have shown.
 *
 * @param listed what the last list named; empty before the first
 * @param missing nodes, and installations of nodes, that were missing at each look since, by what they are called
 */
public record Absences(Set<NodeName> listed, Map<String, Absence> missing) {
    /** Before the first look. */
    public static final Absences NONE = new Absences(Set.of(), Map.of());

    /**
     * One that is missing.
     *
     * @param gone what it had at the first look that missed it
     * @param since the end of that look, a monotonic time
     */
    public record Absence(GoneNode gone, Duration since) {}

    /** Copies. */
    public Absences {
        listed = Set.copyOf(listed);
        missing = Map.copyOf(missing);
    }

    /** After a look that failed: looks in a row begin anew. */
    public Absences interrupted() {
        return new Absences(listed, Map.of());
    }
}
