package io.podwire.route.reflect;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.rib.AnnounceResult;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Refusal;
import io.podwire.route.rib.RibDelta;
import io.podwire.route.rib.RibEntry;
import io.podwire.route.rib.RibRules;
import io.podwire.route.rib.RouteTable;
import io.podwire.route.rib.ServiceAddresses;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells each node what the others announce. One loop owns the table and the streams; every method may be
 * called from any thread and only hands its work to that loop, in order.
 *
 * <p>Where ipam-service is asked who owns what, a node's prefix is taken when it is the node's own by that word, and is
 * withdrawn when it is no more. A prefix that is news is asked about at once; its answer, as any refusal, is told to the
 * node, and the rest of the announcement is taken meanwhile. While ipam-service is away its last word holds. Without any word,
 * as after a start, announcements wait for {@link #PATIENCE} and are then taken unchecked, for pods run on these nodes; the
 * first word is applied to them all.
 *
 * <p>Addresses of Services go by {@link ServiceFence}, are told to no node, and may have several nodes each.
 */
public final class Reflector implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Reflector.class);
    private static final Comparator<Refusal> BY_PREFIX = Comparator.comparing(Refusal::prefix);
    private static final Duration SWEEP_PERIOD = Duration.ofMillis(500);
    /** How long announcements wait for ipam-service's first word. */
    static final Duration PATIENCE = Duration.ofSeconds(3);
    /** A node with more single addresses of unknown owners is answered by the next reading of all. */
    private static final int MOST_QUESTIONS = 64;

    private final EventLoop loop = new EventLoop("reflector");
    private final TimeSource time;
    private final Duration staleAfter;
    private final Counter fullsSent;
    private final Counter deltasSent;
    private final Counter refusalsSent;

    private final Map<NodeName, Peer> peers = new HashMap<>();
    private final List<Consumer<RouteTable>> watchers = new ArrayList<>();
    /** Written by the loop alone; read by anyone. */
    private volatile RouteTable table = RouteTable.EMPTY;

    private final List<Consumer<List<IpPrefix>>> serviceWatchers = new ArrayList<>();
    private final Owners owners = new Owners();
    private ServiceFence fence = new ServiceFence(List.of(), false);
    private final Set<Peer> waiting = new LinkedHashSet<>();
    private Optional<Consumer<Question>> ipam = Optional.empty();
    private boolean patient = true;
    private String away = "";
    /** When ipam-service has told last who owns what; null before. Written by the loop alone; read by anyone. */
    private volatile Duration heard;
    /** The same of who is refused. */
    private volatile Map<NodeName, List<Refusal>> refused = Map.of();

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
        this.refusalsSent = updates(meters, "refused");
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
        Gauge.builder("podwire.route.service.addresses", this, Reflector::serviceAddresses)
                .description("Addresses of Services, of each node, that BGP neighbours are led to")
                .register(meters);
        for (Refusal.Reason reason : Refusal.Reason.values()) {
            Gauge.builder("podwire.route.prefixes.refused", this, r -> r.refused(reason))
                    .tag("reason", reason.name().toLowerCase(Locale.ROOT))
                    .description("Prefixes that connected nodes announce and that are not taken")
                    .register(meters);
        }
        Gauge.builder("podwire.route.owners.age", this, Reflector::age)
                .baseUnit("seconds")
                .description("Time since ipam-service told last who owns what; NaN when it has not, or is not asked")
                .register(meters);
        loop.every(SWEEP_PERIOD, this::sweep);
    }

    /**
     * From now on only what a node owns is taken of its announcements. Call it before any stream begins.
     *
     * @param ask hears of what ipam-service is to be asked besides all; {@link #answered} or {@link #away} follows
     */
    public void check(Consumer<Question> ask) {
        loop.execute(() -> ipam = Optional.of(ask));
        loop.schedule(PATIENCE, () -> {
            patient = false;
            if (heard == null) {
                log.warn(
                        "ipam-service has not told yet who owns what: until it does, announcements are taken unchecked");
                decideWaiting();
            }
        });
    }

    /**
     * Takes addresses of Services that lie in these prefixes. Call it before any stream begins; without it what nodes say of
     * Services is ignored.
     *
     * @param prefixes none overlapping another
     * @param pools whether there are others beside them, of which {@link #servicePools} tells
     */
    public void serve(List<IpPrefix> prefixes, boolean pools) {
        loop.execute(() -> fence = new ServiceFence(prefixes, pools));
    }

    /** ipam-service has told of all of its pools for load balancers; with {@link #owned} nodes are judged by that. */
    public void servicePools(List<IpPrefix> pools) {
        loop.execute(() -> onServicePools(pools));
    }

    /** Shows in which prefixes addresses of Services lie, now and after each change; as {@link #watch}. */
    public void watchServices(Consumer<List<IpPrefix>> watcher) {
        loop.execute(() -> {
            serviceWatchers.add(watcher);
            watcher.accept(fence.prefixes());
        });
    }

    /** ipam-service has told what all nodes own. */
    public void owned(Owned all) {
        loop.execute(() -> onOwned(all));
    }

    /** ipam-service has answered a question. */
    public void answered(Question question, Owned answer) {
        loop.execute(() -> onAnswered(question, answer));
    }

    /**
     * ipam-service does not answer. What it has told holds until {@link #owned} is called again.
     *
     * @param why one sentence
     */
    public void away(String why) {
        loop.execute(() -> {
            if (away.isEmpty()) {
                log.warn("{}; what it has told last holds, a prefix that it has not spoken of is refused", why);
            }
            away = why;
            for (Peer peer : List.copyOf(peers.values())) {
                if (peer.questioned()) {
                    peer.endQuestion(false);
                    decide(peer);
                }
            }
        });
    }

    /** Which prefixes of a node's announcement are not taken. */
    public List<Refusal> refusals(NodeName node) {
        return refused.getOrDefault(node, List.of());
    }

    /** What is known now. */
    public RouteTable table() {
        return table;
    }

    /** A stream says what its node holds and serves, whole. A refusal ends the stream and changes nothing else. */
    public void announced(Peer peer, NodeEpoch epoch, NodeRoute route, ServiceAddresses services) {
        loop.execute(() -> {
            if (!peer.ended()) {
                onAnnounced(peer, epoch, route, services);
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
     * Shows the table as it is now, and after each change that readers see or of addresses of Services. The watcher runs on
     * the reflector's loop, and only hands on.
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

    private void onAnnounced(Peer peer, NodeEpoch epoch, NodeRoute route, ServiceAddresses services) {
        Optional<NodeEpoch> before = peer.asking();
        if (before.isPresent() && !before.get().equals(epoch)) {
            fail(
                    peer,
                    new ServiceException(
                            ErrorReason.INVALID_ARGUMENT,
                            "node: this stream belongs to " + before.get() + ", got " + epoch
                                    + "; open another stream for another epoch"));
            return;
        }
        peer.asks(epoch, route, services);
        if (ipam.isPresent()) {
            // It may be back: one that announces news is a reason to ask.
            decide(peer, true);
        } else {
            take(peer, epoch, RibRules.announce(table, epoch, route, served(peer)));
            if (!peer.ended()) {
                tell(peer, epoch.node(), serviceRefusals(peer));
            }
        }
    }

    private void decide(Peer peer) {
        decide(peer, away.isEmpty());
    }

    /** Takes what is the node's own of what it announced last, and tells it what is not. */
    private void decide(Peer peer, boolean mayAsk) {
        if (peer.ended()) {
            return;
        }
        if (heard == null && patient) {
            waiting.add(peer);
            return;
        }
        NodeEpoch epoch = peer.asking().orElseThrow();
        List<Refusal> refusals = new ArrayList<>(
                heard == null ? List.of() : owners.refusals(epoch, peer.asked().prefixes()));
        List<Refusal> unasked = peer.unasked(refusals);
        if (!unasked.isEmpty() && !peer.questioned() && mayAsk) {
            peer.question(unasked);
            ipam.orElseThrow().accept(new Question(epoch.node(), singles(unasked)));
        }
        NodeRoute own = without(peer.asked(), refusals);
        AnnounceResult result = RibRules.announce(table, epoch, own, served(peer));
        while (result instanceof AnnounceResult.PrefixTaken(IpPrefix asked, IpPrefix held, NodeName holder)) {
            // Before ipam-service's first word whoever came first has it.
            refusals.add(new Refusal(
                    asked,
                    Refusal.Reason.OWNED_BY_OTHER,
                    "prefix " + asked + " of node " + epoch + " refused: it overlaps " + held + " of node " + holder));
            own = without(own, refusals);
            result = RibRules.announce(table, epoch, own, served(peer));
        }
        take(peer, epoch, result);
        if (!peer.ended() && !peer.questioned()) {
            tell(
                    peer,
                    epoch.node(),
                    Stream.concat(refusals.stream().map(this::whileAway), serviceRefusals(peer).stream())
                            .sorted(BY_PREFIX)
                            .toList());
        }
    }

    /** Those of the addresses of Services that a node says it serves which are taken. */
    private ServiceAddresses served(Peer peer) {
        NodeEpoch epoch = peer.asking().orElseThrow();
        return switch (peer.askedServices()) {
            case ServiceAddresses.Unknown unknown -> unknown;
            case ServiceAddresses.Of(List<IpAddress> addresses) ->
                new ServiceAddresses.Of(addresses.stream()
                        .filter(address -> serves(epoch, address))
                        .toList());
        };
    }

    /** Why the others are not. */
    private List<Refusal> serviceRefusals(Peer peer) {
        NodeEpoch epoch = peer.asking().orElseThrow();
        return switch (peer.askedServices()) {
            case ServiceAddresses.Unknown() -> List.of();
            case ServiceAddresses.Of(List<IpAddress> addresses) ->
                fence.isUsed()
                        ? addresses.stream()
                                .flatMap(address -> serviceRefusal(epoch, address).stream())
                                .toList()
                        : List.of();
        };
    }

    private boolean serves(NodeEpoch life, IpAddress address) {
        return serviceRefusal(life, address).isEmpty();
    }

    private Optional<Refusal> serviceRefusal(NodeEpoch life, IpAddress address) {
        return owners.over(life)
                .map(why -> ServiceFence.refusal(life, address, Refusal.Reason.STALE_EPOCH, why))
                .or(() -> fence.refusal(life, address));
    }

    private static NodeRoute without(NodeRoute route, List<Refusal> refusals) {
        Set<IpPrefix> not = refusals.stream().map(Refusal::prefix).collect(Collectors.toSet());
        return route.with(prefix -> !not.contains(prefix));
    }

    private static Set<IpAddress> singles(List<Refusal> unasked) {
        Set<IpAddress> singles = unasked.stream()
                .map(Refusal::prefix)
                .filter(prefix -> prefix.length() == prefix.family().bits())
                .map(IpPrefix::address)
                .collect(Collectors.toSet());
        return singles.size() > MOST_QUESTIONS ? Set.of() : singles;
    }

    /** That nobody is known to own it is no answer where nobody answers. */
    private Refusal whileAway(Refusal refusal) {
        return refusal.reason() == Refusal.Reason.NOT_OWNED && !away.isEmpty()
                ? new Refusal(
                        refusal.prefix(),
                        Refusal.Reason.UNKNOWN,
                        refusal.why() + "; it is away now and is asked again until it answers")
                : refusal;
    }

    private void tell(Peer peer, NodeName node, List<Refusal> refusals) {
        if (refusals.equals(peer.refusals())) {
            return;
        }
        refusals.stream()
                .filter(refusal -> !peer.refusals().contains(refusal))
                .forEach(refusal -> log.warn("{}", refusal.why()));
        peer.refusals().stream()
                .map(Refusal::prefix)
                .filter(prefix ->
                        refusals.stream().noneMatch(now -> now.prefix().equals(prefix)))
                .forEach(prefix -> log.info("{} of node {} is not refused any more", prefix, node));
        peer.refused(refusals);
        remember(node, refusals);
        flush(peer);
    }

    private void remember(NodeName node, List<Refusal> refusals) {
        Map<NodeName, List<Refusal>> next = new HashMap<>(refused);
        if (refusals.isEmpty()) {
            next.remove(node);
        } else {
            next.put(node, refusals);
        }
        refused = Map.copyOf(next);
    }

    private void onOwned(Owned all) {
        if (!owners.takeAll(all)) {
            log.warn("ipam-service tells of less than half of the blocks that it knew: believed when it does so again");
            return;
        }
        if (!away.isEmpty()) {
            log.info("ipam-service answers again who owns what");
        }
        away = "";
        heard = time.monotonic();
        withdrawForeign();
        peers.values().stream().toList().forEach(this::decideIfOther);
        decideWaiting();
    }

    private void onServicePools(List<IpPrefix> pools) {
        List<IpPrefix> before = fence.prefixes();
        if (!fence.take(pools)) {
            log.warn(
                    "ipam-service tells of less than half of the pools for load balancers that it knew: believed when it"
                            + " does so again");
            return;
        }
        List<IpPrefix> now = fence.prefixes();
        if (!now.equals(before)) {
            log.info("BGP peers are told of services {}", now);
            serviceWatchers.forEach(watcher -> watcher.accept(now));
        }
    }

    private void onAnswered(Question question, Owned answer) {
        Set<NodeName> others = owners.take(question, answer);
        if (!others.isEmpty()) {
            withdrawForeign();
        }
        Peer asking = peers.get(question.node());
        if (asking != null) {
            if (asking.questioned()) {
                asking.endQuestion(true);
            }
            decide(asking);
        }
        others.stream().map(peers::get).filter(Objects::nonNull).forEach(this::decideIfOther);
    }

    /** First of all: what is another's now must not keep that one from having it. */
    private void withdrawForeign() {
        RibRules.Change change = RibRules.keep(table, owners::owns, this::serves);
        table = change.table();
        publish(change.delta(), change.services());
    }

    /** Decides anew where that may come to something else: for most nodes nothing has changed. */
    private void decideIfOther(Peer peer) {
        NodeEpoch epoch = peer.asking().orElseThrow();
        List<Refusal> refusals = owners.refusals(epoch, peer.asked().prefixes());
        ServiceAddresses served = served(peer);
        boolean same = table.entry(epoch.node())
                        .filter(entry -> entry.route().equals(without(peer.asked(), refusals))
                                && (served instanceof ServiceAddresses.Unknown
                                        || served.equals(new ServiceAddresses.Of(entry.services()))))
                        .isPresent()
                && Stream.concat(refusals.stream(), serviceRefusals(peer).stream())
                        .sorted(BY_PREFIX)
                        .toList()
                        .equals(peer.refusals());
        if (!same) {
            decide(peer);
        }
    }

    private void decideWaiting() {
        List<Peer> all = List.copyOf(waiting);
        waiting.clear();
        all.forEach(this::decide);
    }

    private void take(Peer peer, NodeEpoch epoch, AnnounceResult result) {
        switch (result) {
            case AnnounceResult.Accepted accepted -> accept(peer, epoch, accepted);
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

    private void accept(Peer peer, NodeEpoch epoch, AnnounceResult.Accepted accepted) {
        table = accepted.table();
        peer.accepted(epoch);
        Peer before = peers.put(epoch.node(), peer);
        if (before == null) {
            log.info("{} is connected", epoch);
        } else if (before != peer) {
            log.info("a newer stream of {} replaces the one before", epoch);
            remember(epoch.node(), List.of());
            if (before.end()) {
                before.fail.accept(new ServiceException(
                        before.epoch().filter(epoch::equals).isPresent()
                                ? ErrorReason.FAILED_PRECONDITION
                                : ErrorReason.STALE_EPOCH,
                        "a newer stream of " + epoch + " replaced this one"));
            }
        }
        publish(accepted.delta(), accepted.services());
        flush(peer);
    }

    private void publish(RibDelta delta, boolean services) {
        List<NodeName> changed = delta.nodes();
        if (!changed.isEmpty() || services) {
            watchers.forEach(watcher -> watcher.accept(table));
        }
        if (changed.isEmpty()) {
            return;
        }
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
                case ReaderUpdate.Refused _ -> refusalsSent.increment();
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
        waiting.remove(peer);
        peer.epoch().ifPresent(epoch -> {
            // The node's own stream: one that was replaced had ended before.
            peers.remove(epoch.node());
            remember(epoch.node(), List.of());
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
            publish(change.delta(), change.services());
        }
    }

    private double count(Predicate<RibEntry> which) {
        return table.entries().values().stream().filter(which).count();
    }

    private double refused(Refusal.Reason reason) {
        return refused.values().stream()
                .flatMap(List::stream)
                .filter(refusal -> refusal.reason() == reason)
                .count();
    }

    private double age() {
        Duration last = heard;
        return last == null ? Double.NaN : time.monotonic().minus(last).toMillis() / 1000.0;
    }

    private double prefixes() {
        return table.entries().values().stream()
                .mapToInt(entry -> entry.route().prefixes().size())
                .sum();
    }

    private double serviceAddresses() {
        return table.entries().values().stream()
                .mapToInt(entry -> entry.services().size())
                .sum();
    }

    private static Counter updates(MeterRegistry meters, String kind) {
        return Counter.builder("podwire.route.updates.sent")
                .tag("kind", kind)
                .description("Messages to nodes")
                .register(meters);
    }
}
