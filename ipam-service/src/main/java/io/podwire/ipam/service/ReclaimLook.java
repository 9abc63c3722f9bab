package io.podwire.ipam.service;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.Absences;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.NodeLook;
import io.podwire.ipam.core.ReclaimRules;
import io.podwire.ipam.core.ReclaimRules.Due;
import io.podwire.ipam.core.ReclaimRules.Found;
import io.podwire.ipam.core.ReclaimRules.Patience;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks which nodes are gone for good, and has what they own taken back. A replica counts for itself on its own
 * monotonic clock; after a restart it begins anew. What makes several of them safe is that a reclaim compares what it
 * rests on. One thread looks; it owns what was seen.
 */
public final class ReclaimLook {
    private static final Logger log = LoggerFactory.getLogger(ReclaimLook.class);

    private final ReclaimFlow flow;
    private final BindingTable table;
    private final Supplier<Set<NodeName>> nodes;
    private final TimeSource time;
    private final Patience patience;
    private Absences seen = Absences.NONE;
    private String problem = "";
    private volatile int missing;
    private volatile boolean unbelieved;

    /**
     * Has not looked yet.
     *
     * @param nodes lists all nodes of the cluster; its ServiceException says why it cannot
     */
    public ReclaimLook(
            ReclaimFlow flow,
            BindingTable table,
            Supplier<Set<NodeName>> nodes,
            TimeSource time,
            Patience patience,
            MeterRegistry meters) {
        this.flow = flow;
        this.table = table;
        this.nodes = nodes;
        this.time = time;
        this.patience = patience;
        Gauge.builder("podwire.ipam.nodes.missing", this, look -> look.missing)
                .description("Nodes, and replaced installations of nodes, that own something and are missing: what they"
                        + " have is taken back after --reclaim-grace")
                .register(meters);
        Gauge.builder("podwire.ipam.nodes.unbelieved", this, look -> look.unbelieved ? 1 : 0)
                .description("1 while the list of nodes is not believed or cannot be had, and so nothing is taken back")
                .register(meters);
    }

    /** Looks; whatever fails, looks in a row begin anew. */
    public void look() {
        try {
            Duration begun = time.monotonic();
            Set<NodeName> listed = nodes.get();
            LedgerSnapshot snapshot = flow.read();
            Found found = ReclaimRules.look(
                    seen,
                    new NodeLook(begun, time.monotonic(), listed, alive()),
                    snapshot.ledger(),
                    snapshot::version,
                    patience);
            tell(found);
            seen = found.next();
            missing = seen.missing().size();
            found.due().forEach(this::takeBack);
        } catch (ServiceException e) {
            trouble("nodes that are gone cannot be looked for, nothing is taken back: " + e.getMessage());
            seen = seen.interrupted();
        }
    }

    /** Whose name is taken tries again well within the grace. */
    private Set<NodeEpoch> alive() {
        return table.alive(time.monotonic().minus(patience.grace()));
    }

    private void takeBack(Due due) {
        NodeName node = due.gone().node();
        // It may have come since the look; the others of this look may have taken their time.
        if (alive().stream()
                .anyMatch(epoch -> due.gone().lives().stream()
                        .anyMatch(life -> life.newest().sameOwner(epoch)))) {
            log.info("node {} is missing in the list of nodes, and reports its bindings: it keeps its blocks", node);
            return;
        }
        var _ = flow.takeBack(due.gone(), "gone for " + text(due.lasting()));
    }

    private static String text(Duration lasting) {
        return lasting.toMinutes() < 2 ? lasting.toSeconds() + " s" : lasting.toMinutes() + " min";
    }

    private void tell(Found found) {
        found.doubt()
                .ifPresentOrElse(
                        why -> trouble("the list of nodes is not believed, nothing is taken back: " + why), this::fine);
        Set<String> news = new TreeSet<>(found.next().missing().keySet());
        news.removeAll(seen.missing().keySet());
        news.forEach(name -> log.warn(
                "{} owns addresses and is missing in the list of nodes, or replaced by another installation: they are"
                        + " taken back in {} unless it shows up",
                name,
                text(patience.grace())));
        seen.missing().keySet().stream()
                .filter(name ->
                        found.doubt().isEmpty() && !found.next().missing().containsKey(name))
                .forEach(name -> log.info("{} is not missing any more, or owns nothing", name));
    }

    private void trouble(String what) {
        unbelieved = true;
        missing = 0;
        if (!what.equals(problem)) {
            log.warn("{}", what);
        }
        problem = what;
    }

    private void fine() {
        unbelieved = false;
        if (!problem.isEmpty()) {
            log.info("the list of nodes is believed again");
        }
        problem = "";
    }
}
