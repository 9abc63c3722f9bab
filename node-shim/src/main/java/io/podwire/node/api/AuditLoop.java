package io.podwire.node.api;

import io.podwire.node.dataplane.Finding;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The node's own audit, made from time to time, and what is told of it: numbers of what two looks in a row have found. An
 * ADD that is under way at one look is done at the next. The thread that calls {@link #look} owns all state but the
 * total.
 */
public final class AuditLoop {
    private static final Logger log = LoggerFactory.getLogger(AuditLoop.class);

    private final Supplier<List<Finding>> audit;
    private final Consumer<Map<String, Integer>> told;
    private boolean looked;
    private Set<Finding> before = Set.of();
    private String failure = "";
    private volatile int total;

    /**
     * A loop that has not looked yet.
     *
     * @param audit compares journal and kernel
     * @param told takes how many findings there are by kind of object, from the second look on
     */
    public AuditLoop(Supplier<List<Finding>> audit, Consumer<Map<String, Integer>> told) {
        this.audit = audit;
        this.told = told;
    }

    /** Looks. What cannot be looked at keeps what was told before. */
    public void look() {
        Set<Finding> now;
        try {
            now = new HashSet<>(audit.get());
        } catch (RuntimeException e) {
            if (!e.toString().equals(failure)) {
                log.warn("journal and kernel cannot be compared, what was told of them stays: {}", e.toString());
            }
            failure = e.toString();
            return;
        }
        failure = "";
        if (looked) {
            SortedMap<String, Integer> counts = counts(before, now);
            total = counts.values().stream().mapToInt(Integer::intValue).sum();
            told.accept(counts);
        }
        looked = true;
        before = now;
    }

    /** Findings of the last two looks. For any thread. */
    public int total() {
        return total;
    }

    /** How many findings of each kind of object two looks share. Pure. */
    static SortedMap<String, Integer> counts(Set<Finding> before, Set<Finding> now) {
        SortedMap<String, Integer> counts = new TreeMap<>();
        now.stream().filter(before::contains).forEach(finding -> counts.merge(finding.object(), 1, Integer::sum));
        return counts;
    }
}
