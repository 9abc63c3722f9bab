package io.podwire.node.dataplane;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.NftEvent;
import io.podwire.node.netlink.RtnetlinkEvent;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.plan.RulesetPlanner;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has a part of the node looked at, and repaired, soon after the kernel tells that somebody changed it, and all of it
 * every 30 s whatever the kernel tells. An event is a reason to look, never what is acted on; many events are one look.
 *
 * <p>The loop given to the constructor owns all state but the events that wait.
 */
public final class DriftWatch {
    /** From one look to the next, and for as long events are gathered: an ADD is over then. */
    static final Duration GAP = Duration.ofMillis(100);

    private static final Logger log = LoggerFactory.getLogger(DriftWatch.class);
    private static final Duration AUDIT = Duration.ofSeconds(30);
    /** Kernel settings are files: nobody tells when they change. A repair is promised within a second. */
    private static final Duration SETTINGS = Duration.ofMillis(500);

    private static final Duration RETRY = Duration.ofSeconds(1);

    private final EventLoop loop;
    private final TimeSource time;
    private final Supplier<Wanted> wanted;
    private final RulesetReconciler ruleset;
    private final Map<Part, Look> looks;
    private final MeterRegistry meters;

    private final PendingEvents pending = new PendingEvents();
    private final Map<Integer, String> names = new HashMap<>();
    private final Lane rules = new Lane();
    private final Lane wiring = new Lane();
    private final Map<Part, String> failures = new EnumMap<>(Part.class);
    private final Map<Part, List<Finding>> beyondRepair = new EnumMap<>(Part.class);
    private Optional<String> program = Optional.empty();

    /** A part of the node, in the order in which they are looked at: pods' ports need the bridge. */
    public enum Part {
        /** Podwire's tables. */
        RULESET,
        /** Kernel settings. */
        SETTINGS,
        /** The pods' bridge. */
        BRIDGE,
        /** The node's side of the pods' wiring. */
        PODS,
        /** The way to other nodes. */
        ROUTES
    }

    /**
     * What events are judged by.
     *
     * @param attachments those that are done
     * @param bridge index of the pods' bridge
     * @param mtu of the bridge, in bytes
     * @param underlay index of the interface to other nodes
     * @param tunnel index of the VXLAN device, 0 when there is none
     * @param remote the destinations of routes to other nodes
     */
    public record Wanted(
            List<Attachment> attachments, int bridge, int mtu, int underlay, int tunnel, Set<IpPrefix> remote) {
        /** Copies. */
        public Wanted {
            attachments = List.copyOf(attachments);
            remote = Set.copyOf(remote);
        }
    }

    /** Looks at a part and repairs what is not as it has to be. */
    @FunctionalInterface
    public interface Look {
        /** What came of it. */
        Result look() throws IOException;
    }

    /**
     * What came of a look.
     *
     * @param repairs what was repaired
     * @param beyondRepair what is wrong and stays so
     * @param again true when something could not be judged because it is being worked on
     */
    public record Result(List<Repair> repairs, List<Finding> beyondRepair, boolean again) {
        /** Copies. */
        public Result {
            repairs = List.copyOf(repairs);
            beyondRepair = List.copyOf(beyondRepair);
        }

        /** All that was wrong is repaired. */
        public static Result of(List<Repair> repairs) {
            return new Result(repairs, List.of(), false);
        }
    }

    /**
     * A watch that looks at nothing before {@link #start}.
     *
     * @param wanted what has to be now; asked on the loop
     * @param looks at each part but the ruleset; made on the loop
     */
    public DriftWatch(
            EventLoop loop,
            TimeSource time,
            Supplier<Wanted> wanted,
            RulesetReconciler ruleset,
            Map<Part, Look> looks,
            MeterRegistry meters) {
        this.loop = loop;
        this.time = time;
        this.wanted = wanted;
        this.ruleset = ruleset;
        this.looks = new EnumMap<>(looks);
        this.looks.put(Part.RULESET, this::lookAtRuleset);
        this.meters = meters;
    }

    /** Looks at everything, now and from time to time. Both monitors have to be open. */
    public void start() {
        loop.execute(() -> ask(EnumSet.allOf(Part.class)));
        loop.every(AUDIT, () -> ask(EnumSet.allOf(Part.class)));
        loop.every(SETTINGS, () -> look(Part.SETTINGS));
    }

    /** Hears of a change; called by a monitor's thread. */
    public void told(RtnetlinkEvent event) {
        if (pending.add(event)) {
            loop.schedule(GAP, this::judge);
        }
    }

    /** Hears of a change; called by a monitor's thread. A flushed ruleset protects nobody: it is looked at at once. */
    public void told(NftEvent event) {
        switch (event) {
            case NftEvent.TableChanged(String family, String table, boolean ours, String process) -> {
                if (!ours && isOurs(family, table)) {
                    loop.execute(() -> {
                        program = Optional.of(process);
                        ask(EnumSet.of(Part.RULESET));
                    });
                }
            }
            case NftEvent.Lost _ -> loop.execute(() -> ask(EnumSet.of(Part.RULESET)));
        }
    }

    private static boolean isOurs(String family, String table) {
        String name = family + " " + table;
        return name.equals(RulesetPlanner.POLICY_TABLE.toString())
                || name.equals(RulesetPlanner.SPOOF_TABLE.toString());
    }

    private void judge() {
        List<RtnetlinkEvent> events = pending.take();
        events.forEach(event -> {
            if (event instanceof RtnetlinkEvent.LinkChanged(Link link)) {
                names.put(link.index(), link.name());
            }
        });
        ask(Suspicion.of(events, wanted.get(), names));
        events.forEach(event -> {
            if (event instanceof RtnetlinkEvent.LinkGone(int index)) {
                names.remove(index);
            }
        });
    }

    private void ask(Set<Part> parts) {
        parts.forEach(part -> (part == Part.RULESET ? rules : wiring).due.add(part));
        rules.hurry();
        wiring.hurry();
    }

    /** Parts that are looked at together, at most once in {@link #GAP}. */
    private final class Lane {
        private final Set<Part> due = EnumSet.noneOf(Part.class);
        private Duration next = Duration.ZERO;
        private boolean scheduled;

        void hurry() {
            if (due.isEmpty() || scheduled) {
                return;
            }
            scheduled = true;
            loop.schedule(next.minus(time.monotonic()), this::look);
        }

        private void look() {
            scheduled = false;
            next = time.monotonic().plus(GAP);
            Set<Part> parts = EnumSet.copyOf(due);
            due.clear();
            parts.forEach(DriftWatch.this::look);
        }
    }

    private void look(Part part) {
        Result result;
        try {
            result = looks.get(part).look();
        } catch (RuntimeException | IOException e) {
            failed(part, e instanceof CompletionException && e.getCause() != null ? e.getCause() : e);
            return;
        }
        if (failures.remove(part) != null) {
            log.info("looking at {} works again", part);
        }
        result.repairs().forEach(this::repaired);
        List<Finding> before = beyondRepair.getOrDefault(part, List.of());
        result.beyondRepair().stream()
                .filter(finding -> !before.contains(finding))
                .forEach(finding -> log.warn(
                        "found {} {}: {}; nothing can be done about it from here, CHECK fails",
                        finding.object(),
                        finding.name(),
                        finding.problem()));
        beyondRepair.put(part, result.beyondRepair());
        if (result.again()) {
            ask(EnumSet.of(part));
        }
    }

    private void failed(Part part, Throwable failure) {
        String text = failure.toString();
        if (!text.equals(failures.put(part, text))) {
            log.error("looking at {} failed, next try in {} s", part, RETRY.toSeconds(), failure);
        }
        loop.schedule(RETRY, () -> ask(EnumSet.of(part)));
    }

    private void repaired(Repair repair) {
        Finding found = repair.found();
        log.warn("repaired {} {}, which {}: {}", found.object(), found.name(), found.problem(), repair.done());
        Counter.builder("podwire.drift.repairs")
                .description("changes by others that were put right, by kind of object")
                .tag("kind", found.object())
                .register(meters)
                .increment();
    }

    private Result lookAtRuleset() {
        Optional<String> by = program;
        program = Optional.empty();
        return Result.of(by.map(ruleset::resyncAfter).orElseGet(ruleset::resync).join());
    }
}
