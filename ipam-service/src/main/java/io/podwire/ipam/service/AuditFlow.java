package io.podwire.ipam.service;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.audit.AddressAudit;
import io.podwire.ipam.audit.Audited;
import io.podwire.ipam.audit.Finding;
import io.podwire.ipam.audit.FindingKind;
import io.podwire.ipam.audit.Looks;
import io.podwire.ipam.audit.Looks.Seen;
import io.podwire.ipam.audit.Repair;
import io.podwire.ipam.audit.World;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.binding.NodeReport;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.service.AuditReport.Result;
import io.podwire.ipam.service.AuditReport.Row;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks whether store, pools and reports agree, and repairs. One look at a time: its monitor owns what was seen before.
 *
 * <p>A repair is done for what was found at two looks an interval apart and at each look between them, and once more
 * right before; then by compare-and-set. As the interval is longer than a report is believed and an ADD may take, what
 * a node says at the second look it says with the first look's allocations known to it.
 */
public final class AuditFlow {
    private static final Logger log = LoggerFactory.getLogger(AuditFlow.class);
    private static final int MOST_REPAIRS = 100;
    /** More than these are one line. */
    private static final int MOST_LINES = 20;

    private final CasFlow flow;
    private final BindingTable table;
    private final TimeSource time;
    private final Duration interval;
    private final MeterRegistry meters;
    private final Looks looks;
    private Map<Finding.Identity, Finding> confirmed = Map.of();
    /** The same by kind, and nodes that were not judged: for gauges. */
    private volatile Map<FindingKind, Long> counts = Map.of();

    private volatile int unjudged;

    /**
     * A flow that has not looked yet.
     *
     * @param interval how far apart two looks have to be that confirm a finding, 30 s or more
     */
    public AuditFlow(CasFlow flow, BindingTable table, TimeSource time, Duration interval, MeterRegistry meters) {
        this.flow = flow;
        this.table = table;
        this.time = time;
        this.interval = interval;
        this.meters = meters;
        this.looks = new Looks(interval);
        for (FindingKind kind : FindingKind.values()) {
            Gauge.builder("podwire.ipam.audit.findings", this, f -> f.counts.getOrDefault(kind, 0L))
                    .tag("kind", kind.name().toLowerCase(Locale.ROOT))
                    .description("Findings of the newest audit that were seen for --audit-period or longer")
                    .register(meters);
            var _ = repairs(kind);
        }
        Gauge.builder("podwire.ipam.audit.nodes.unjudged", this, f -> f.unjudged)
                .description("Nodes of which the newest audit says nothing, as they have not reported lately")
                .register(meters);
    }

    private Counter repairs(FindingKind kind) {
        return Counter.builder("podwire.ipam.audit.repairs")
                .tag("kind", kind.name().toLowerCase(Locale.ROOT))
                .description("Findings that audits have repaired")
                .register(meters);
    }

    /**
     * Looks, and repairs where that is asked for.
     *
     * @throws ServiceException UNAVAILABLE when the store cannot be read, INTERNAL when a record of it cannot be understood
     */
    synchronized AuditReport look(boolean fix) {
        // First the reports: what they name was in the store before.
        List<NodeReport> reports = table.snapshot();
        Duration now = time.monotonic();
        LedgerSnapshot snapshot = flow.read();
        Audited audited = AddressAudit.compare(new World(snapshot.ledger(), snapshot.requestIds(), reports, now));
        List<Seen> seen = looks.look(audited.findings(), time.monotonic());
        tell(seen, audited);
        List<Row> rows = new ArrayList<>();
        int repairs = 0;
        for (Seen one : seen) {
            if (one.finding().repair() instanceof Repair.None) {
                rows.add(new Row(one, Result.NONE, ""));
            } else if (!one.confirmed()) {
                rows.add(new Row(one, Result.EARLY, ""));
            } else if (!fix) {
                rows.add(new Row(one, Result.PROPOSED, ""));
            } else if (repairs == MOST_REPAIRS) {
                rows.add(new Row(one, Result.LEFT, ""));
            } else {
                repairs++;
                rows.add(repair(one));
            }
        }
        return new AuditReport(rows, audited, interval);
    }

    /** What is new, and what is gone. */
    private void tell(List<Seen> seen, Audited audited) {
        Map<Finding.Identity, Finding> next = new LinkedHashMap<>();
        Map<FindingKind, Long> byKind = new LinkedHashMap<>();
        for (Seen one : seen) {
            if (one.confirmed()) {
                next.put(one.finding().identity(), one.finding());
                byKind.merge(one.finding().kind(), 1L, Long::sum);
            }
        }
        List<Finding> found = next.values().stream()
                .filter(finding -> !confirmed.containsKey(finding.identity()))
                .toList();
        List<Finding> gone = confirmed.values().stream()
                .filter(finding -> !next.containsKey(finding.identity()))
                .toList();
        found.stream()
                .limit(MOST_LINES)
                .forEach(finding -> log.warn("audit: {}: {}", finding.kind(), finding.detail()));
        if (found.size() > MOST_LINES) {
            log.warn("audit: {} more findings, see podwire audit --cluster", found.size() - MOST_LINES);
        }
        gone.stream()
                .limit(MOST_LINES)
                .forEach(finding -> log.info("audit: no more {}: {}", finding.kind(), finding.object()));
        if (gone.size() > MOST_LINES) {
            log.info("audit: {} more findings are gone", gone.size() - MOST_LINES);
        }
        confirmed = next;
        counts = Map.copyOf(byKind);
        unjudged = audited.unjudged().size();
    }

    private Row repair(Seen seen) {
        Finding finding = seen.finding();
        List<NodeReport> reports = table.snapshot();
        Duration now = time.monotonic();
        try {
            boolean done =
                    flow.run("repair of " + finding.object(), snapshot -> repairStep(snapshot, finding, reports, now));
            if (done) {
                repairs(finding.kind()).increment();
            }
            return new Row(seen, done ? Result.DONE : Result.OVERTAKEN, "");
        } catch (ServiceException e) {
            log.warn("audit: {} failed: {}", finding.repair().action(), e.getMessage());
            return new Row(seen, Result.FAILED, e.getMessage());
        }
    }

    private Step<Boolean> repairStep(LedgerSnapshot snapshot, Finding finding, List<NodeReport> reports, Duration now) {
        Repair repair = finding.repair();
        Set<String> requests = repair instanceof Repair.DropHandle ? snapshot.requestIds() : Set.of();
        AddressAudit audit = new AddressAudit(new World(snapshot.ledger(), requests, reports, now));
        return audit.stillHolds(repair)
                ? new Step.Write<>(
                        changes(snapshot, repair),
                        true,
                        () -> log.info("audit: {}, for {}", repair.action(), finding.detail()))
                : new Step.Done<>(false);
    }

    private List<Change> changes(LedgerSnapshot snapshot, Repair repair) {
        Instant now = time.wall().truncatedTo(ChronoUnit.MILLIS);
        return switch (repair) {
            case Repair.Release(SingleAddress address) ->
                snapshot.turn(AddressRules.release(
                        snapshot.ledger(), address.use().user().orElseThrow().id(), List.of(address.address()), now));
            case Repair.EndReservation(SingleAddress address) ->
                snapshot.turn(List.of(address.turned(new AddressUse.Cooling(), now)));
            case Repair.DropBlock(Block block) -> snapshot.drop(block);
            case Repair.DropHandle(String requestId) -> snapshot.forgetRequest(requestId);
            case Repair.None _ -> throw new IllegalArgumentException("nothing is to be done about " + repair);
        };
    }
}
