package io.podwire.ipam.audit;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Since when each finding has been there at every look: one that was missing at a look starts again. Whoever calls it
 * owns it; time is an argument.
 */
public final class Looks {
    private final Duration interval;
    private Map<Finding.Identity, Duration> first = new HashMap<>();

    /**
     * Has not looked yet.
     *
     * @param interval how far apart two looks have to be that confirm a finding
     */
    public Looks(Duration interval) {
        this.interval = interval;
    }

    /**
     * A finding and how long it has been there.
     *
     * @param seenFor 0 at its first look
     * @param confirmed true when that is the interval or more
     */
    public record Seen(Finding finding, Duration seenFor, boolean confirmed) {}

    /**
     * Another look.
     *
     * @param now a monotonic time, not before that of the look before
     */
    public List<Seen> look(List<Finding> findings, Duration now) {
        Map<Finding.Identity, Duration> still = new HashMap<>();
        List<Seen> seen = new ArrayList<>();
        for (Finding finding : findings) {
            Duration since = first.getOrDefault(finding.identity(), now);
            still.put(finding.identity(), since);
            Duration seenFor = now.minus(since);
            seen.add(new Seen(finding, seenFor, seenFor.compareTo(interval) >= 0));
        }
        first = still;
        return seen;
    }
}
