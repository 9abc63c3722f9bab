package io.podwire.node.witness;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.TimeSource;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.wire.NlFormatException;
import io.podwire.node.plan.DropCause;
import io.podwire.node.plan.RulesetPlanner;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this node's rules have dropped since the first look, by policy, rule and direction, for people and for metrics. The
 * kernel counts, in the rules that drop; here counters are read. Safe for all threads.
 */
public final class Drops {
    private static final Logger log = LoggerFactory.getLogger(Drops.class);
    /** NFPROTO_INET and NFPROTO_BRIDGE, linux/netfilter.h. */
    private static final int INET = 1;

    private static final int BRIDGE = 7;

    private final ReentrantLock lock = new ReentrantLock();
    private final NftRules kernel;
    private final TimeSource time;
    private final MeterRegistry meters;
    private final DropTally tally = new DropTally();
    private final Map<DropCause, Told> told = new HashMap<>();
    private Optional<Counter> more = Optional.empty();
    private boolean complained;

    /** A counter and what it has been told so far. */
    private record Told(Counter counter, long packets) {}

    /**
     * What was dropped for one cause.
     *
     * @param cause empty: all causes beyond the first 500
     * @param packets how many
     * @param bytes theirs
     * @param lastRisen the look that last found more
     */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of lines, not a missing argument
    public record Line(Optional<DropCause> cause, long packets, long bytes, Instant lastRisen) {}

    /** Counts of the rules in the kernel; the first {@link #look} says where counting begins. */
    public Drops(NftRules kernel, TimeSource time, MeterRegistry meters) {
        this.kernel = kernel;
        this.time = time;
        this.meters = meters;
    }

    /** Reads the kernel's counters. Call it often enough: what a rule counts after the last look at it is lost. */
    public void look() {
        lock.lock();
        try {
            List<DropTally.Found> found = new ArrayList<>();
            kernel.rules(INET, RulesetPlanner.POLICY_TABLE.name())
                    .forEach(rule -> found.add(new DropTally.Found(INET, rule)));
            kernel.rules(BRIDGE, RulesetPlanner.SPOOF_TABLE.name())
                    .forEach(rule -> found.add(new DropTally.Found(BRIDGE, rule)));
            tally.look(found, time.wall());
            tell();
            complained = false;
        } catch (NetlinkException | NlFormatException e) {
            if (!complained) {
                log.warn("cannot read how much the rules have dropped, trying again: {}", e.getMessage());
            }
            complained = true;
        } finally {
            lock.unlock();
        }
    }

    /** A look, and what has been dropped since the first one, most packets first. */
    public List<Line> lines() {
        lock.lock();
        try {
            look();
            List<Line> lines = new ArrayList<>();
            tally.counts().entrySet().stream()
                    .sorted(DropTally.MOST_FIRST)
                    .forEach(e -> lines.add(line(Optional.of(e.getKey()), e.getValue())));
            tally.more().ifPresent(count -> lines.add(line(Optional.empty(), count)));
            return List.copyOf(lines);
        } finally {
            lock.unlock();
        }
    }

    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as in Line
    private static Line line(Optional<DropCause> cause, DropTally.Count count) {
        return new Line(cause, count.packets(), count.bytes(), count.lastRisen().orElse(Instant.EPOCH));
    }

    private void tell() {
        tally.counts().forEach((cause, count) -> {
            Told before = told.computeIfAbsent(cause, c -> new Told(meter(c), 0));
            before.counter().increment((double) (count.packets() - before.packets()));
            told.put(cause, new Told(before.counter(), count.packets()));
        });
        tally.more().ifPresent(count -> {
            Counter counter = more.orElseGet(() -> policyMeter("other", "other", "other"));
            more = Optional.of(counter);
            counter.increment((double) count.packets() - counter.count());
        });
    }

    private Counter meter(DropCause cause) {
        return switch (cause) {
            case DropCause.DefaultDeny(DropCause.Direction direction, List<String> policies) ->
                policyMeter(label(direction), String.join(",", policies), "default-deny");
            case DropCause.ByRule(DropCause.Direction direction, String policy, int index) ->
                policyMeter(label(direction), policy, Integer.toString(index));
            case DropCause.Guard(String name) ->
                Counter.builder("podwire.guard.drops")
                        .description("packets dropped by what holds for every pod, by its name")
                        .tag("guard", name)
                        .register(meters);
        };
    }

    private Counter policyMeter(String direction, String policy, String rule) {
        return Counter.builder("podwire.policy.drops")
                .description("packets dropped by policies: by default deny of those that isolate the pod, or by a rule."
                        + " At most 500 of both kinds together, all further ones as \"other\"")
                .tag("direction", direction)
                .tag("policy", policy)
                .tag("rule", rule)
                .register(meters);
    }

    private static String label(DropCause.Direction direction) {
        return direction.name().toLowerCase(Locale.ROOT);
    }
}
