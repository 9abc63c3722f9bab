package io.podwire.route.session;

import static io.podwire.route.bgp.message.NotificationCodes.CEASE;
import static io.podwire.route.bgp.message.NotificationCodes.DECONFIGURED;
import static io.podwire.route.bgp.message.NotificationCodes.MAX_PREFIXES;
import static io.podwire.route.bgp.message.NotificationCodes.SEND_HOLD_EXPIRED;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.bgp.codec.BgpDecoder;
import io.podwire.route.bgp.codec.BgpEncoder;
import io.podwire.route.bgp.codec.BgpProtocolException;
import io.podwire.route.bgp.codec.Decoded;
import io.podwire.route.bgp.fsm.ConnectionState;
import io.podwire.route.bgp.fsm.LocalSettings;
import io.podwire.route.bgp.fsm.Negotiated;
import io.podwire.route.bgp.fsm.PeerAction;
import io.podwire.route.bgp.fsm.PeerEvent;
import io.podwire.route.bgp.fsm.PeerMachine;
import io.podwire.route.bgp.fsm.PeerState;
import io.podwire.route.bgp.fsm.Side;
import io.podwire.route.bgp.fsm.Step;
import io.podwire.route.bgp.fsm.TimerKind;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.BgpMessage.EndOfRib;
import io.podwire.route.bgp.message.BgpMessage.Keepalive;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.BgpMessage.Reach;
import io.podwire.route.bgp.message.BgpMessage.RouteRefresh;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.Capability;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.bgp.message.SessionFormat;
import io.podwire.route.reflect.bgp.ReflectionRules;
import io.podwire.route.reflect.bgp.ReflectionRules.Advertised;
import io.podwire.route.reflect.bgp.ReflectionRules.Refusal;
import io.podwire.route.rib.bgp.BestPath;
import io.podwire.route.rib.bgp.BgpPath;
import io.podwire.route.rib.bgp.Neighbor;
import io.podwire.route.rib.bgp.Source;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.NetSocket;
import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One neighbour: turns octets and timeouts into events, and does what {@link PeerMachine} says. Owned by the
 * speaker's event loop.
 *
 * <p>What the neighbour has yet to be told is a set of prefixes, not a queue of messages: however slowly it
 * reads, it takes at most one entry for a prefix, and what is sent in the end is the newest.
 */
final class PeerSession {
    private static final Logger log = LoggerFactory.getLogger(PeerSession.class);
    private static final int DIAL_MILLIS = 10_000;

    /** Prefixes worked on before others have their turn. */
    private static final int BATCH = 8_000;

    /** After more prefixes than allowed. */
    private static final Duration OVERFLOW_SILENCE = Duration.ofMinutes(15);

    private static final Duration CLIENT_LINGER = Duration.ofSeconds(5);

    /** RFC 9687 §3. */
    private static final Duration SEND_HOLD = Duration.ofMinutes(8);

    private final BgpSpeaker speaker;
    private final PeerSettings settings;
    private final PeerMachine machine;
    private final LocalSettings local;
    private final NetClient client;

    private final Deque<PeerEvent> events = new ArrayDeque<>();
    private boolean handling;
    private PeerState state = PeerState.INITIAL;
    private final Map<Side, Connection> connections = new EnumMap<>(Side.class);
    private final Map<Side, Map<TimerKind, Long>> timers = new EnumMap<>(Side.class);

    private Optional<Established> session = Optional.empty();
    private final Set<IpFamily> staleFamilies = EnumSet.noneOf(IpFamily.class);
    private Optional<Long> restartTimer = Optional.empty();

    private Duration since;
    private long refused;
    private long malformed;
    private long sessions;
    private String lastProblem = "";

    /** What belongs to one session. */
    private static final class Established {
        private final Side side;
        private final Negotiated negotiated;
        private final Neighbor neighbor;
        private final Set<IpFamily> families;
        private final Untold untold = new Untold();
        private final AdjRibOut told;
        private final Set<IpFamily> endOfRibDue;
        private boolean pumping;
        private Optional<Duration> blockedSince = Optional.empty();

        private Established(Side side, Negotiated negotiated, Neighbor neighbor) {
            this.side = side;
            this.negotiated = negotiated;
            this.neighbor = neighbor;
            this.families = EnumSet.copyOf(negotiated.families());
            this.told = new AdjRibOut(negotiated.format(), negotiated.addPath());
            this.endOfRibDue = EnumSet.copyOf(negotiated.families());
        }
    }

    PeerSession(BgpSpeaker speaker, PeerSettings settings) {
        this.speaker = speaker;
        this.settings = settings;
        this.local = new LocalSettings(
                speaker.local().asn(),
                speaker.local().identifier(),
                settings.asn(),
                settings.holdSeconds(),
                settings.families(),
                settings.restartSeconds(),
                settings.passive(),
                settings.addPaths() > 1);
        this.machine = new PeerMachine(local);
        this.client = speaker.vertx()
                .createNetClient(
                        new NetClientOptions().setConnectTimeout(DIAL_MILLIS).setTcpNoDelay(true));
        this.since = speaker.now();
        for (Side side : Side.values()) {
            timers.put(side, new EnumMap<>(TimerKind.class));
        }
    }

    PeerSettings settings() {
        return settings;
    }

    void start() {
        handle(new PeerEvent.Start());
    }

    /** Ends it for good. With graceful restart agreed on, silently: the neighbour keeps our routes. */
    void shutDown(Notification why) {
        boolean graceful = session.filter(up -> settings.restartSeconds() > 0
                        && up.negotiated.remote().gracefulRestart().isPresent())
                .isPresent();
        if (graceful) {
            connections.values().forEach(Connection::close);
        } else {
            handle(new PeerEvent.Stop(why, Duration.ofSeconds(-1)));
        }
    }

    /** Ends it because it is no peer any more: its routes are gone at once. */
    void remove() {
        handle(new PeerEvent.Stop(Notification.of(CEASE, DECONFIGURED), Duration.ofSeconds(-1)));
        List.copyOf(staleFamilies).forEach(this::dropStale);
        // After its last words.
        var _ = speaker.vertx().setTimer(CLIENT_LINGER.toMillis(), _ -> {
            var _ = client.close();
        });
    }

    /** A connection from the neighbour's address. */
    void accepted(NetSocket socket) {
        switch (machine.admit(state)) {
            case ACCEPT -> {}
            case REPLACE -> handle(new PeerEvent.TransportDown(Side.INCOMING));
            case REFUSE -> {
                var _ = socket.close();
                return;
            }
        }
        connected(Side.INCOMING, socket);
    }

    /** Something about these prefixes may have changed. */
    void changed(Collection<IpPrefix> prefixes) {
        session.ifPresent(up -> {
            for (IpPrefix prefix : prefixes) {
                if (up.families.contains(prefix.family())) {
                    up.untold.add(prefix);
                }
            }
            pumpSoon(up);
        });
    }

    /** End-of-RIB may be due now. */
    void refilled() {
        session.ifPresent(this::pumpSoon);
    }

    PeerStatus status() {
        Map<IpFamily, Integer> imported = new EnumMap<>(IpFamily.class);
        for (IpFamily family : settings.families()) {
            imported.put(family, speaker.rib().count(settings.address(), family));
        }
        return new PeerStatus(
                settings,
                stateName(),
                speaker.now().minus(since),
                session.map(up -> up.neighbor.identifier().toString()).orElse(""),
                session.map(up -> up.negotiated.holdSeconds()).orElse(0),
                session.map(up -> up.negotiated.families()).orElse(Set.of()),
                !staleFamilies.isEmpty(),
                imported,
                session.map(up -> up.told.size()).orElse(0),
                refused,
                malformed,
                sessions,
                lastProblem);
    }

    boolean told(IpPrefix prefix) {
        return session.filter(up -> up.told.contains(prefix)).isPresent();
    }

    private String stateName() {
        if (!state.enabled()) {
            return "Stopped";
        }
        ConnectionState farther =
                rank(state.outgoing()) >= rank(state.incoming()) ? state.outgoing() : state.incoming();
        return switch (farther) {
            case ConnectionState.None() -> "Active";
            case ConnectionState.Connecting() -> "Connect";
            case ConnectionState.OpenSent() -> "OpenSent";
            case ConnectionState.OpenConfirm _ -> "OpenConfirm";
            case ConnectionState.Established _ -> "Established";
        };
    }

    private static int rank(ConnectionState connection) {
        return switch (connection) {
            case ConnectionState.None() -> 0;
            case ConnectionState.Connecting() -> 1;
            case ConnectionState.OpenSent() -> 2;
            case ConnectionState.OpenConfirm _ -> 3;
            case ConnectionState.Established _ -> 4;
        };
    }

    private void handle(PeerEvent event) {
        events.add(event);
        if (handling) {
            return;
        }
        handling = true;
        try {
            while (!events.isEmpty()) {
                String before = stateName();
                Step step = machine.on(state, events.poll());
                state = step.next();
                step.actions().forEach(this::perform);
                if (!before.equals(stateName())) {
                    since = speaker.now();
                }
            }
        } finally {
            handling = false;
        }
    }

    private void perform(PeerAction action) {
        switch (action) {
            case PeerAction.Dial() -> dial();
            case PeerAction.SendOpen(Side side) -> send(side, local.open(!speaker.isRefilled()));
            case PeerAction.Send(Side side, Keepalive message) -> keepalive(side, message);
            case PeerAction.Send(Side side, BgpMessage message) -> send(side, message);
            case PeerAction.Close(Side side) ->
                Optional.ofNullable(connections.remove(side)).ifPresent(Connection::close);
            case PeerAction.Arm(Side side, TimerKind kind, Duration after) -> arm(side, kind, after);
            case PeerAction.Disarm(Side side, TimerKind kind) -> disarm(side, kind);
            case PeerAction.Up(Side side, Negotiated negotiated) -> up(side, negotiated);
            case PeerAction.Deliver(BgpMessage message) -> deliver(message);
            case PeerAction.Down(boolean keepsRoutes, String reason) -> down(keepsRoutes, reason);
            case PeerAction.Failed(String reason) -> {
                if (!reason.equals(lastProblem)) {
                    log.info("BGP {}: {}", settings.name(), reason);
                }
                lastProblem = reason;
            }
        }
    }

    private void dial() {
        var _ = client.connect(settings.port(), settings.address().toString()).onComplete(dialled -> {
            if (!(state.outgoing() instanceof ConnectionState.Connecting)) {
                if (dialled.succeeded()) {
                    var _ = dialled.result().close();
                }
            } else if (dialled.succeeded()) {
                connected(Side.OUTGOING, dialled.result());
            } else {
                handle(new PeerEvent.TransportDown(Side.OUTGOING));
            }
        });
    }

    private void connected(Side side, NetSocket socket) {
        Connection connection = new Connection(speaker.vertx(), socket, settings);
        connections.put(side, connection);
        connection.listen(new Connection.Listener() {
            @Override
            public void message(byte[] octets) {
                read(side, octets);
            }

            @Override
            public void noMessage(BgpProtocolException why) {
                malformed(side, why);
            }

            @Override
            public void ended() {
                handle(new PeerEvent.TransportDown(side));
            }

            @Override
            public void writable() {
                session.ifPresent(up -> {
                    up.blockedSince = Optional.empty();
                    pumpSoon(up);
                });
            }
        });
        handle(new PeerEvent.TransportUp(side));
    }

    private void read(Side side, byte[] octets) {
        SessionFormat format = state.get(side) instanceof ConnectionState.Established(Negotiated negotiated)
                ? negotiated.format()
                : SessionFormat.INITIAL;
        try {
            Decoded decoded = BgpDecoder.decode(octets, format);
            if (!decoded.errors().isEmpty()) {
                malformed++;
                problem("attributes of an UPDATE are malformed: "
                        + decoded.errors().getFirst().reason()
                        + (decoded.treatedAsWithdraw() ? "; its routes count as withdrawn" : "; it was dropped"));
            }
            handle(new PeerEvent.Received(side, decoded.message()));
        } catch (BgpProtocolException e) {
            malformed(side, e);
        }
    }

    private void malformed(Side side, BgpProtocolException why) {
        problem(why.getMessage());
        handle(new PeerEvent.Malformed(side, why.answer()));
    }

    private void problem(String what) {
        if (!what.equals(lastProblem)) {
            log.warn("BGP {}: {}", settings.name(), what);
        }
        lastProblem = what;
    }

    private void send(Side side, BgpMessage message) {
        Optional.ofNullable(connections.get(side))
                .ifPresent(connection -> connection.write(BgpEncoder.encode(message, SessionFormat.INITIAL)));
    }

    /** A neighbour that takes nothing gets no KEEPALIVEs on top, and counts as gone after a while. */
    private void keepalive(Side side, Keepalive message) {
        Connection connection = connections.get(side);
        if (connection == null || !connection.full()) {
            send(side, message);
            return;
        }
        session.ifPresent(up -> {
            Duration since = up.blockedSince.orElse(speaker.now());
            up.blockedSince = Optional.of(since);
            Duration limit = Duration.ofSeconds(2L * up.negotiated.holdSeconds());
            limit = limit.compareTo(SEND_HOLD) < 0 ? SEND_HOLD : limit;
            if (speaker.now().minus(since).compareTo(limit) >= 0) {
                handle(new PeerEvent.Malformed(side, Notification.of(SEND_HOLD_EXPIRED, 0)));
            }
        });
    }

    private void arm(Side side, TimerKind kind, Duration after) {
        disarm(side, kind);
        long millis = Math.max(1, speaker.jittered(kind, after).toMillis());
        timers.get(side).put(kind, speaker.vertx().setTimer(millis, _ -> {
            timers.get(side).remove(kind);
            handle(new PeerEvent.TimerFired(side, kind));
        }));
    }

    private void disarm(Side side, TimerKind kind) {
        Long timer = timers.get(side).remove(kind);
        if (timer != null) {
            var _ = speaker.vertx().cancelTimer(timer);
        }
    }

    private void up(Side side, Negotiated negotiated) {
        Neighbor neighbor = new Neighbor(
                settings.address(),
                settings.asn(),
                settings.kind(),
                negotiated.remote().identifier());
        Established up = new Established(side, negotiated, neighbor);
        session = Optional.of(up);
        sessions++;
        log.info(
                "BGP {}: session with {} (AS {}) is up, {}, hold time {} s",
                settings.name(),
                neighbor.identifier(),
                settings.asn(),
                EnumSet.copyOf(negotiated.families()),
                negotiated.holdSeconds());
        // RFC 4724 §4.2: who did not go on forwarding has lost them.
        Optional<Capability.GracefulRestart> restart = negotiated.remote().gracefulRestart();
        for (IpFamily family : List.copyOf(staleFamilies)) {
            if (!negotiated.families().contains(family)
                    || restart.filter(r -> r.forwarded(family)).isEmpty()) {
                dropStale(family);
            }
        }
        negotiated.families().forEach(family -> untell(up, family));
        pumpSoon(up);
    }

    private void down(boolean keepsRoutes, String reason) {
        Established up = session.orElseThrow();
        session = Optional.empty();
        lastProblem = reason;
        log.warn(
                "BGP {}: session is down, {}: {}",
                settings.name(),
                keepsRoutes ? "its routes stay while it restarts" : "its routes are dropped",
                reason);
        // What still waits from the time before is not waited for twice.
        List.copyOf(staleFamilies).forEach(this::dropStale);
        Optional<Capability.GracefulRestart> restart =
                up.negotiated.remote().gracefulRestart().filter(_ -> keepsRoutes);
        for (IpFamily family : settings.families()) {
            if (restart.filter(r -> r.keeps(family) && up.negotiated.families().contains(family))
                    .isPresent()) {
                speaker.rib().markStale(settings.address(), family);
                staleFamilies.add(family);
            } else {
                speaker.changed(
                        speaker.rib().removeAll(settings.address(), _ -> true, prefix -> prefix.family() == family));
            }
        }
        restart.ifPresent(r ->
                restartTimer = Optional.of(speaker.vertx().setTimer(Math.max(1, r.restartSeconds()) * 1000L, _ -> {
                    restartTimer = Optional.empty();
                    log.warn("BGP {}: did not come back in {} s", settings.name(), r.restartSeconds());
                    List.copyOf(staleFamilies).forEach(this::dropStale);
                })));
    }

    private void dropStale(IpFamily family) {
        if (staleFamilies.remove(family)) {
            speaker.changed(
                    speaker.rib().removeAll(settings.address(), BgpPath::stale, prefix -> prefix.family() == family));
        }
        if (staleFamilies.isEmpty()) {
            restartTimer.ifPresent(timer -> speaker.vertx().cancelTimer(timer));
            restartTimer = Optional.empty();
        }
    }

    private void deliver(BgpMessage message) {
        Established up = session.orElseThrow();
        switch (message) {
            case Update update -> take(up, update);
            case EndOfRib(IpFamily family) -> dropStale(family);
            case RouteRefresh refresh ->
                refresh.family().filter(up.negotiated.families()::contains).ifPresent(family -> {
                    up.told.forget(family);
                    untell(up, family);
                    pumpSoon(up);
                });
            case BgpMessage.Open _, Keepalive _, Notification _ ->
                throw new IllegalStateException("the machine delivers no " + message);
        }
    }

    private void untell(Established up, IpFamily family) {
        for (IpPrefix prefix : speaker.rib().prefixes()) {
            if (prefix.family() == family) {
                up.untold.add(prefix);
            }
        }
    }

    private void take(Established up, Update update) {
        List<IpPrefix> changed = new ArrayList<>();
        for (IpPrefix prefix : update.withdrawn()) {
            if (speaker.rib().remove(prefix, settings.address())) {
                changed.add(prefix);
            }
        }
        Optional<Refusal> refusal = ReflectionRules.refusal(update.attributes(), up.neighbor, speaker.local());
        PathAttributes attributes = ReflectionRules.imported(update.attributes());
        for (Reach reach : update.reach()) {
            IpFamily family = reach.nextHop().family();
            if (!up.negotiated.families().contains(family)) {
                continue;
            }
            BgpPath path = new BgpPath(new Source.Learned(up.neighbor), reach.nextHop(), attributes, false);
            for (IpPrefix prefix : reach.prefixes()) {
                Optional<Refusal> why = refusal.or(() -> refusalOf(prefix));
                boolean change;
                if (why.isPresent()) {
                    refused++;
                    refuse(prefix, why.get());
                    change = speaker.rib().remove(prefix, settings.address());
                } else {
                    change = speaker.rib().put(prefix, path);
                }
                if (change) {
                    changed.add(prefix);
                }
            }
            if (speaker.rib().count(settings.address(), family) > settings.maxPrefixes()) {
                problem("more than " + settings.maxPrefixes() + " prefixes of " + family.label()
                        + "; it is left alone for " + OVERFLOW_SILENCE.toMinutes() + " min");
                handle(new PeerEvent.Stop(Notification.of(CEASE, MAX_PREFIXES), OVERFLOW_SILENCE));
                break;
            }
        }
        speaker.changed(changed);
    }

    private void refuse(IpPrefix prefix, Refusal why) {
        // What is merely not wanted is no problem.
        if (why != Refusal.NOT_PERMITTED) {
            problem(prefix + " is refused: " + why.reason());
        }
    }

    private Optional<Refusal> refusalOf(IpPrefix prefix) {
        if (!settings.policy().importRules().permits(prefix)) {
            return Optional.of(Refusal.NOT_PERMITTED);
        }
        return speaker.insideNodePrefix(prefix) ? Optional.of(Refusal.NODE_PREFIX) : Optional.empty();
    }

    private void pumpSoon(Established up) {
        if (!up.pumping) {
            up.pumping = true;
            speaker.later(() -> {
                up.pumping = false;
                if (session.filter(now -> now == up).isPresent()) {
                    pump(up);
                }
            });
        }
    }

    /** Tells what has changed, as far as the neighbour takes it. */
    private void pump(Established up) {
        Connection connection = connections.get(up.side);
        if (connection.full()) {
            return;
        }
        // Prefixes of one message share their path.
        IdentityHashMap<BgpPath, Optional<Advertised>> advertised = new IdentityHashMap<>();
        IdentityHashMap<BgpPath, AdjRibOut.Group> groups = new IdentityHashMap<>();
        AdjRibOut.Batch batch = up.told.batch();
        for (int budget = BATCH; budget > 0 && !up.untold.isEmpty(); budget--) {
            IpPrefix prefix = up.untold.next();
            if (up.told.severalPaths(prefix.family())) {
                batch.paths(prefix, wantedPaths(up, prefix, advertised));
            } else {
                List<BgpPath> paths = speaker.rib().paths(prefix);
                Optional<Advertised> wanted =
                        paths.isEmpty() ? Optional.empty() : wanted(up, prefix, paths.getFirst(), advertised);
                if (wanted.isPresent()) {
                    AdjRibOut.Group group = groups.get(paths.getFirst());
                    if (group == null) {
                        group = batch.group(wanted.get());
                        groups.put(paths.getFirst(), group);
                    }
                    batch.reached(prefix, group);
                } else {
                    batch.gone(prefix);
                }
            }
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        batch.write(out);
        if (!batch.unfit().isEmpty()) {
            log.warn("BGP {}: the attributes of {} fit in no message, it is not told", settings.name(), batch.unfit());
        }
        if (up.untold.isEmpty() && speaker.isRefilled()) {
            // RFC 4724 §2: worth sending to anybody, restarting or not.
            up.endOfRibDue.forEach(
                    family -> out.writeBytes(BgpEncoder.encode(new EndOfRib(family), SessionFormat.INITIAL)));
            up.endOfRibDue.clear();
        }
        if (out.size() > 0) {
            connection.write(out.toByteArray());
        }
        if (!up.untold.isEmpty()) {
            pumpSoon(up);
        }
    }

    private Optional<Advertised> wanted(
            Established up, IpPrefix prefix, BgpPath path, Map<BgpPath, Optional<Advertised>> advertised) {
        if (!ReflectionRules.permits(prefix, path, up.neighbor, settings.policy(), speaker.isReplaced(prefix))) {
            return Optional.empty();
        }
        Optional<Advertised> known = advertised.get(path);
        if (known == null) {
            known = ReflectionRules.advertised(path, up.neighbor, speaker.local(), settings.policy());
            advertised.put(path, known);
        }
        return known;
    }

    private Map<Long, Advertised> wantedPaths(
            Established up, IpPrefix prefix, Map<BgpPath, Optional<Advertised>> advertised) {
        List<BgpPath> paths = speaker.rib().paths(prefix);
        Map<Long, Advertised> wanted = new TreeMap<>();
        if (!paths.isEmpty()) {
            for (BgpPath path : BestPath.spread(paths, settings.addPaths())) {
                wanted(up, prefix, path, advertised)
                        .ifPresent(what -> wanted.put(speaker.pathIdentifier(path.source()), what));
            }
        }
        return wanted;
    }
}
