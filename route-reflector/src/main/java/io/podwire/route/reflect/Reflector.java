package io.podwire.route.reflect;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.NodeName;
import io.podwire.route.rib.AnnounceResult;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.RibDelta;
import io.podwire.route.rib.RibEntry;
import io.podwire.route.rib.RibRules;
import io.podwire.route.rib.RouteTable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells each node what the others announce. One loop owns the table and the streams; every method may be
 * called from any thread and only hands its work to that loop, in order.
 */
public final class Reflector implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Reflector.class);
    private static final Duration SWEEP_PERIOD = Duration.ofMillis(500);

    private final EventLoop loop = new EventLoop("reflector");
    private final TimeSource time;
    private final Duration staleAfter;
    private final Counter fullsSent;
    private final Counter deltasSent;

    private final Map<NodeName, Peer> peers = new HashMap<>();
    private final List<Consumer<RouteTable>> watchers = new ArrayList<>();
    /** Written by the loop alone; read by anyone. */
    private volatile RouteTable table = RouteTable.EMPTY;

    /**
     * Starts with nothing known.
     *
     * @param time moves {@code staleAfter}
     * @param staleAfter how long the routes of a node outlive its stream, more than zero
     * @param meters where counts are kept
     */
    public Reflector(TimeSource time, Duration staleAfter, MeterRegistry meters) {
        this.time = time;
        this.staleAfter = staleAfter;
        this.fullsSent = updates(meters, "full");
        this.deltasSent = updates(meters, "delta");
        Gauge.builder("podwire.route.nodes", this, r -> r.count(RibEntry::connected))
                .tag("state", "connected")
                .description("Nodes whose stream is up, and nodes remembered after its end")
                .register(meters);
        Gauge.builder("podwire.route.nodes", this, r -> r.count(entry -> !entry.connected()))
                .tag("state", "gone")
                .description("Nodes whose stream is up, and nodes remembered after its end")
                .register(meters);
        Gauge.builder("podwire.route.prefixes", this, Reflector::prefixes)
                .description("Prefixes that nodes hold")
                .register(meters);
        loop.every(SWEEP_PERIOD, this::sweep);
    }

    /** What is known now. */
    public RouteTable table() {
        return table;
    }

    /** A stream says what its node holds, whole. A refusal ends the stream and changes nothing else. */
    public void announced(Peer peer, NodeEpoch epoch, NodeRoute route) {
        loop.execute(() -> {
            if (!peer.ended()) {
                onAnnounced(peer, epoch, route);
            }
        });
    }

    /** A stream can take messages again. */
    public void writable(Peer peer) {
        loop.execute(() -> flush(peer));
    }

    /** A stream ended well. Withdraws nothing. */
    public void completed(Peer peer) {
        loop.execute(() -> {
            if (ended(peer)) {
                peer.complete.run();
            }
        });
    }

    /** A stream broke. Withdraws nothing. */
    public void broken(Peer peer) {
        loop.execute(() -> ended(peer));
    }

    /** A stream said something that cannot be understood: ends it. */
    public void refused(Peer peer, ServiceException why) {
        loop.execute(() -> fail(peer, why));
    }

    /**
     * Shows the table as it is now and after each change that readers see. The watcher runs on the reflector's
     * loop, and only hands on.
     */
    public void watch(Consumer<RouteTable> watcher) {
        loop.execute(() -> {
            watchers.add(watcher);
            watcher.accept(table);
        });
    }

    @Override
    public void close() {
        loop.close();
    }

    private void onAnnounced(Peer peer, NodeEpoch epoch, NodeRoute route) {
        if (peer.epoch().isPresent() && !peer.epoch().get().equals(epoch)) {
            fail(
                    peer,
                    new ServiceException(
                            ErrorReason.INVALID_ARGUMENT,
                            "node: this stream belongs to " + peer.epoch().get() + ", got " + epoch
                                    + "; open another stream for another epoch"));
            return;
        }
        switch (RibRules.announce(table, epoch, route)) {
            case AnnounceResult.Accepted(RouteTable next, RibDelta delta) -> accept(peer, epoch, next, delta);
            case AnnounceResult.StaleEpoch(NodeEpoch known) ->
                fail(
                        peer,
                        new ServiceException(
                                ErrorReason.STALE_EPOCH,
                                "announcement of " + epoch + " refused: " + known + " is known, which is newer",
                                Map.of("known_counter", Long.toString(known.counter()))));
            case AnnounceResult.NameTaken(NodeEpoch known) ->
                fail(
                        peer,
                        new ServiceException(
                                ErrorReason.OWNED_BY_OTHER,
                                "announcement of " + epoch + " refused: " + known
                                        + " is connected under that name; stop it, or give this node another name",
                                Map.of("node", known.node().value(), "node_uid", known.nodeUid())));
            case AnnounceResult.PrefixTaken(var asked, var held, var holder) ->
                fail(
                        peer,
                        new ServiceException(
                                ErrorReason.OWNED_BY_OTHER,
                                "prefixes: " + asked + " of node " + epoch.node() + " overlaps " + held + " of node "
                                        + holder + "; nothing of the announcement was taken over",
                                Map.of(
                                        "prefix", asked.toString(),
                                        "held_prefix", held.toString(),
                                        "holder", holder.value())));
        }
    }

    private void accept(Peer peer, NodeEpoch epoch, RouteTable next, RibDelta delta) {
        table = next;
        peer.accepted(epoch);
        Peer before = peers.put(epoch.node(), peer);
        if (before == null) {
            log.info("{} is connected", epoch);
        } else if (before != peer) {
            log.info("a newer stream of {} replaces the one before", epoch);
            if (before.end()) {
                before.fail.accept(new ServiceException(
                        before.epoch().filter(epoch::equals).isPresent()
                                ? ErrorReason.FAILED_PRECONDITION
                                : ErrorReason.STALE_EPOCH,
                        "a newer stream of " + epoch + " replaced this one"));
            }
        }
        publish(delta);
        flush(peer);
    }

    private void publish(RibDelta delta) {
        List<NodeName> changed = delta.nodes();
        if (changed.isEmpty()) {
            return;
        }
        watchers.forEach(watcher -> watcher.accept(table));
        for (Peer reader : peers.values()) {
            reader.subscription().changed(changed);
            flush(reader);
        }
    }

    private void flush(Peer peer) {
        while (!peer.ended() && peer.epoch().isPresent() && peer.writable.getAsBoolean()) {
            ReaderUpdate update = peer.subscription().next(table).orElse(null);
            if (update == null) {
                return;
            }
            peer.send.accept(update);
            switch (update) {
                case ReaderUpdate.Full _ -> fullsSent.increment();
                case ReaderUpdate.Delta _ -> deltasSent.increment();
            }
        }
    }

    private void fail(Peer peer, ServiceException why) {
        if (ended(peer)) {
            // What a node sent stands in the message: it stays one line.
            log.warn("stream ended: {}", why.getMessage().replaceAll("\\p{Cntrl}", "?"));
            peer.fail.accept(why);
        }
    }

    /** Marks a stream's end; false when it had ended before. */
    private boolean ended(Peer peer) {
        if (!peer.end()) {
            return false;
        }
        peer.epoch().ifPresent(epoch -> {
            // The node's own stream: one that was replaced had ended before.
            peers.remove(epoch.node());
            table = RibRules.streamEnded(table, epoch, time.monotonic());
            log.info("{} is gone, its routes stay for {}", epoch, staleAfter);
        });
        return true;
    }

    private void sweep() {
        RibRules.Change change = RibRules.sweep(table, time.monotonic(), staleAfter);
        if (!change.delta().removed().isEmpty()) {
            table = change.table();
            log.warn(
                    "nodes gone for {} are forgotten: {}",
                    staleAfter,
                    change.delta().removed());
            publish(change.delta());
        }
    }

    private double count(Predicate<RibEntry> which) {
        return table.entries().values().stream().filter(which).count();
    }

    private double prefixes() {
        return table.entries().values().stream()
                .mapToInt(entry -> entry.route().prefixes().size())
                .sum();
    }

    private static Counter updates(MeterRegistry meters, String kind) {
        return Counter.builder("podwire.route.updates.sent")
                .tag("kind", kind)
                .description("Messages to nodes")
                .register(meters);
    }
}
