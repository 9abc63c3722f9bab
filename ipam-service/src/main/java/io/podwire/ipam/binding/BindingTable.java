package io.podwire.ipam.binding;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.NodeEpoch;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What every node has reported. Guarded by its own monitor, held for microseconds; time is an argument.
 *
 * <p>State is soft: a table starts empty and refills as nodes connect. The end of a stream takes nothing back: missing
 * data means in use. A node that is away is forgotten by {@link #forget} alone.
 */
public final class BindingTable {
    private static final Logger log = LoggerFactory.getLogger(BindingTable.class);

    /** So many installations without a name of their own are remembered. */
    private static final int MOST_REFUSED = 1000;

    private final Map<NodeName, NodeReport> reports = new TreeMap<>();
    private final Map<NodeName, Stream> streams = new HashMap<>();
    /** When those were heard last whose name another installation has; the eldest leaves first. */
    private final Map<NodeEpoch, Duration> refused = new LinkedHashMap<>();
    /** What {@link #snapshot} gave last; null after a change. */
    private List<NodeReport> newest = List.of();

    private final NamespaceCounts namespaces;

    /** A table of nodes that report no single addresses. */
    public BindingTable() {
        this(_ -> false);
    }

    /**
     * A table.
     *
     * @param single true for an address that the ledger has as a single one: {@link #inUse} leaves those out
     */
    public BindingTable(Predicate<IpAddress> single) {
        namespaces = new NamespaceCounts(single);
    }

    /** One stream of a node, as the table sees it. Its fields belong to the table's monitor. */
    public static final class Stream {
        private final Consumer<ServiceException> fail;
        private NodeEpoch epoch;

        /**
         * A stream that has said nothing yet.
         *
         * @param fail ends it; called at most once, without the table's monitor, when another one takes its place
         */
        public Stream(Consumer<ServiceException> fail) {
            this.fail = fail;
        }
    }

    /**
     * A stream's first message. The stream is its node's own from now on; the node's stream before it ends.
     *
     * @param bindings all that the node has
     * @throws ServiceException STALE_EPOCH, OWNED_BY_OTHER (another installation of that name is connected),
     *     INVALID_ARGUMENT (not the first message)
     */
    public void full(Stream stream, NodeEpoch caller, Collection<Binding> bindings, Duration now) {
        Stream before;
        synchronized (this) {
            if (stream.epoch != null) {
                throw new ServiceException(
                        ErrorReason.INVALID_ARGUMENT,
                        "full: only the first message of a stream has it; open another stream to tell everything anew");
            }
            ReportDecision decision =
                    ReportRules.full(Optional.ofNullable(reports.get(caller.node())), caller, bindings, now);
            if (decision instanceof ReportDecision.NameTaken) {
                refuse(caller, now);
            }
            accept(decision, caller, 1);
            stream.epoch = caller;
            before = streams.put(caller.node(), stream);
        }
        if (before == null) {
            log.info("{} reports {} bindings", caller, bindings.size());
        } else {
            log.info(
                    "{} reports {} bindings on a newer stream, which replaces the one before", caller, bindings.size());
            before.fail.accept(new ServiceException(
                    ErrorReason.FAILED_PRECONDITION, "a newer stream of " + caller + " replaced this one"));
        }
    }

    /**
     * A further message of a stream.
     *
     * @param updated new and changed bindings
     * @param removed addresses that are not bound any more
     * @throws ServiceException FAILED_PRECONDITION (a message is missing, or another stream has taken this one's place),
     *     INVALID_ARGUMENT (nothing was told before, or another epoch is)
     */
    public synchronized void delta(
            Stream stream,
            NodeEpoch caller,
            long sequence,
            Collection<Binding> updated,
            Collection<IpAddress> removed,
            Duration now) {
        if (stream.epoch == null) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT, "report: the first message of a stream has full, got delta");
        }
        if (!stream.epoch.equals(caller)) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "node: this stream belongs to " + stream.epoch + ", got " + caller
                            + "; open another stream for another epoch");
        }
        if (streams.get(caller.node()) != stream) {
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION, "a newer stream of " + caller.node() + " replaced this one");
        }
        accept(ReportRules.delta(reports.get(caller.node()), sequence, updated, removed, now), caller, sequence);
    }

    /**
     * What the node's own audit finds, with a message of its stream; of another's stream: nothing.
     *
     * @param findings how many by kind of object
     */
    public synchronized void audited(Stream stream, Map<String, Integer> findings) {
        if (stream.epoch != null && streams.get(stream.epoch.node()) == stream) {
            reports.computeIfPresent(stream.epoch.node(), (_, report) -> report.finding(findings));
            newest = null;
        }
    }

    private void accept(ReportDecision decision, NodeEpoch caller, long sequence) {
        switch (decision) {
            case ReportDecision.Accept(NodeReport next) -> {
                reports.put(next.node(), next);
                namespaces.put(next.node(), next.bindings());
                newest = null;
            }
            case ReportDecision.Stale(NodeEpoch known) ->
                throw new ServiceException(
                        ErrorReason.STALE_EPOCH,
                        "report of " + caller + " refused: " + known + " in boot " + known.bootId()
                                + " has reported, which is newer",
                        Map.of("known_counter", Long.toString(known.counter())));
            case ReportDecision.NameTaken(NodeEpoch known) ->
                throw new ServiceException(
                        ErrorReason.OWNED_BY_OTHER,
                        "report of " + caller + " refused: " + known
                                + " is connected under that name; stop it, or give this node another name",
                        Map.of("node", known.node().value(), "node_uid", known.uid()));
            case ReportDecision.Gap(long expected) ->
                throw new ServiceException(
                        ErrorReason.FAILED_PRECONDITION,
                        "sequence: message " + Long.toUnsignedString(sequence) + " of " + caller + " came where "
                                + expected + " was expected; open another stream and tell everything anew",
                        Map.of("expected", Long.toString(expected)));
        }
    }

    private void refuse(NodeEpoch caller, Duration now) {
        refused.remove(caller);
        refused.put(caller, now);
        if (refused.size() > MOST_REFUSED) {
            refused.remove(refused.keySet().iterator().next());
        }
    }

    /**
     * The lives that show signs of being: those that are connected, and those that would be if their name were not taken.
     *
     * @param since when the latter must have tried last
     */
    public synchronized Set<NodeEpoch> alive(Duration since) {
        refused.values().removeIf(at -> at.compareTo(since) < 0);
        Set<NodeEpoch> alive = new HashSet<>(refused.keySet());
        reports.values().stream()
                .filter(NodeReport::connected)
                .map(NodeReport::epoch)
                .forEach(alive::add);
        return alive;
    }

    /** A stream has ended, in whatever way: its node is away, what it reported stays. Of another's stream: nothing. */
    public synchronized void ended(Stream stream) {
        if (stream.epoch != null && streams.remove(stream.epoch.node(), stream)) {
            reports.computeIfPresent(stream.epoch.node(), (_, report) -> report.away());
            newest = null;
            log.info("{} is away, what it reported stays", stream.epoch);
        }
    }

    /**
     * Forgets nodes that are away.
     *
     * @param least how long since their last message
     * @param which of those
     * @return the names of those forgotten
     */
    public synchronized Set<NodeName> forget(Duration now, Duration least, Predicate<NodeReport> which) {
        Set<NodeName> forgotten = new TreeSet<>();
        reports.values().removeIf(report -> {
            boolean gone = !report.connected() && now.minus(report.at()).compareTo(least) >= 0 && which.test(report);
            if (gone) {
                forgotten.add(report.node());
                namespaces.remove(report.node());
                newest = null;
            }
            return gone;
        });
        return forgotten;
    }

    /** How many addresses pods of a namespace have, by what nodes reported, single addresses left out. */
    public synchronized int inUse(String namespace) {
        return namespaces.of(namespace);
    }

    /** The same of all namespaces that have any. */
    public synchronized Map<String, Integer> inUse() {
        return namespaces.all();
    }

    /** What is known now, by node. */
    public synchronized List<NodeReport> snapshot() {
        if (newest == null) {
            newest = List.copyOf(reports.values());
        }
        return newest;
    }
}
