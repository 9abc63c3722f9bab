package io.podwire.route.session;

import static io.podwire.route.bgp.message.NotificationCodes.CEASE;
import static io.podwire.route.bgp.message.NotificationCodes.SHUTDOWN;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.bgp.fsm.TimerKind;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.NodePaths;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.rib.RouteTable;
import io.podwire.route.rib.bgp.BestPath;
import io.podwire.route.rib.bgp.BgpPath;
import io.podwire.route.rib.bgp.BgpRib;
import io.podwire.route.rib.bgp.Neighbor;
import io.podwire.route.rib.bgp.Source;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.NetSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Speaks BGP-4 with the routers of the network. One event loop owns the sessions and the paths; the public
 * methods may be called from any thread and hand their work to it.
 */
public final class BgpSpeaker implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(BgpSpeaker.class);

    private static final int BACKLOG = 128;
    private static final long ASK_SECONDS = 10;

    private final SpeakerSettings settings;
    private final TimeSource time;
    private final RandomGenerator random;
    private final SignedTransport transport;
    private final Vertx vertx;
    private final Context context;
    private final Optional<NetServer> server;
    private final AtomicReference<RouteTable> newest = new AtomicReference<>(RouteTable.EMPTY);
    private final AtomicBoolean nodesDue = new AtomicBoolean();

    private final BgpRib rib = new BgpRib();
    private final Map<IpAddress, PeerSession> sessions = new LinkedHashMap<>();
    /** What neighbours are told besides what nodes hold and serve. */
    private Origination origination;
    /** Nodes' paths, as they are in {@link #rib}. */
    private NodePaths ofNodes = NodePaths.NONE;

    private Set<NodeName> leaving = Set.of();
    /** Identifiers of paths, RFC 7911: a source has one path for a prefix, and one identifier for all of them. */
    private final Map<Source, Long> paths = new HashMap<>();

    private long nextPath = 1;

    private boolean refilled;

    /**
     * Listens and dials.
     *
     * @param random for the jitter of timers
     * @throws IllegalStateException when it cannot listen
     */
    public BgpSpeaker(SpeakerSettings settings, TimeSource time, RandomGenerator random) {
        this.settings = settings;
        this.origination = settings.origination();
        this.time = time;
        this.random = random;
        // No class path resolving and no file cache: nothing is written to the temporary folder.
        this.transport = new SignedTransport(settings);
        this.vertx = Vertx.builder()
                .with(new VertxOptions()
                        .setEventLoopPoolSize(1)
                        .setWorkerPoolSize(1)
                        .setInternalBlockingPoolSize(1)
                        .setPreferNativeTransport(true)
                        .setFileSystemOptions(new FileSystemOptions()
                                .setClassPathResolvingEnabled(false)
                                .setFileCachingEnabled(false)))
                .withTransport(transport)
                .build();
        this.context = vertx.getOrCreateContext();
        try {
            settings.peers().forEach(peer -> sessions.put(peer.address(), new PeerSession(this, peer)));
            this.server = settings.listenHost().isEmpty() ? Optional.empty() : Optional.of(listen());
        } catch (RuntimeException e) {
            closeVertx();
            throw e;
        }
        later(() -> {
            sessions.values().forEach(PeerSession::start);
            var _ = vertx.setTimer(settings.refill().toMillis(), _ -> {
                refilled = true;
                sessions.values().forEach(PeerSession::refilled);
            });
        });
    }

    private NetServer listen() {
        NetServer listening = vertx.createNetServer(
                        new NetServerOptions().setAcceptBacklog(BACKLOG).setTcpNoDelay(true))
                .connectHandler(this::accepted);
        try {
            return listening
                    .listen(settings.listenPort(), settings.listenHost())
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(ASK_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException(
                    "cannot listen on --bgp-listen " + settings.listenHost() + ":" + settings.listenPort() + ": "
                            + (e.getCause() == null ? e : e.getCause()).getMessage(),
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while starting to listen for BGP", e);
        }
    }

    /** On the only event loop there is, though not in its context. */
    private void accepted(NetSocket socket) {
        IpAddress from = IpAddress.parse(withoutZone(socket.remoteAddress().hostAddress()));
        PeerSession session = sessions.get(from);
        if (session == null) {
            log.debug("a connection from {} is refused: no such BGP peer", from);
            var _ = socket.close();
        } else {
            session.accepted(socket);
        }
    }

    private static String withoutZone(String address) {
        int zone = address.indexOf('%');
        return zone < 0 ? address : address.substring(0, zone);
    }

    /** The port where connections are taken; 0 when none are. */
    public int port() {
        return server.map(NetServer::actualPort).orElse(0);
    }

    /** What nodes hold now. The newest counts, however often it is called. */
    public void nodes(RouteTable table) {
        newest.set(table);
        if (!nodesDue.getAndSet(true)) {
            later(this::applyNodes);
        }
    }

    /**
     * The further peers, beside those of the settings: sessions with others end, and those whose settings are the same
     * go on.
     *
     * @throws IllegalArgumentException when they do not fit to each other, to the others or to us
     */
    public void peers(List<PeerSettings> further) {
        List<PeerSettings> all = settings.with(further).peers();
        later(() -> replacePeers(all));
    }

    private void replacePeers(List<PeerSettings> all) {
        Map<IpAddress, PeerSettings> wanted = new HashMap<>();
        all.forEach(peer -> wanted.put(peer.address(), peer));
        for (PeerSession session : List.copyOf(sessions.values())) {
            if (!session.settings().equals(wanted.get(session.settings().address()))) {
                sessions.remove(session.settings().address());
                session.remove();
            }
        }
        // A key and a hop limit are there before the first packet of their peer is taken.
        transport.peers(all);
        Map<IpAddress, PeerSession> inOrder = new LinkedHashMap<>();
        List<PeerSession> fresh = new ArrayList<>();
        for (PeerSettings peer : all) {
            PeerSession session = sessions.get(peer.address());
            if (session == null) {
                session = new PeerSession(this, peer);
                fresh.add(session);
            }
            inOrder.put(peer.address(), session);
        }
        sessions.clear();
        sessions.putAll(inOrder);
        fresh.forEach(PeerSession::start);
    }

    /** The nodes that are to be used last, because they are about to go: RFC 8326. */
    public void leaving(Set<NodeName> nodes) {
        Set<NodeName> copy = Set.copyOf(nodes);
        later(() -> {
            if (!leaving.equals(copy)) {
                leaving = copy;
                applyNodes();
            }
        });
    }

    /**
     * Where addresses of services lie, in place of what the settings say.
     *
     * @param prefixes none overlapping another
     */
    public void services(List<IpPrefix> prefixes) {
        later(() -> {
            Origination next = origination.withServices(prefixes);
            if (!origination.equals(next)) {
                origination = next;
                applyNodes();
            }
        });
    }

    /** How it stands with each neighbour, in the order of the settings. */
    public List<PeerStatus> peers() {
        return ask(() -> sessions.values().stream().map(PeerSession::status).toList());
    }

    /**
     * Prefixes in their order, with their paths.
     *
     * @param after the last one of the page before, or empty text
     * @param limit at most so many
     */
    public List<RouteInUse> routes(List<IpPrefix> after, int limit) {
        return ask(() -> rib.prefixes().stream()
                .filter(prefix -> after.isEmpty() || prefix.compareTo(after.getFirst()) > 0)
                .sorted()
                .limit(limit)
                .map(this::inUse)
                .toList());
    }

    /** The longest prefix that has a path and holds all of this one, with its paths. */
    public Optional<RouteInUse> explain(IpPrefix prefix) {
        return ask(() -> {
            for (int length = prefix.length(); length >= 0; length--) {
                IpPrefix wider = IpPrefix.containing(prefix.address(), length);
                if (!rib.paths(wider).isEmpty()) {
                    return Optional.of(inUse(wider));
                }
            }
            return Optional.<RouteInUse>empty();
        });
    }

    /** Who we are. */
    public LocalRouter local() {
        return settings.local();
    }

    /** Ends the sessions: with graceful restart agreed on silently, so that neighbours keep the routes. */
    @Override
    public void close() {
        try {
            var _ = ask(() -> {
                sessions.values().forEach(session -> session.shutDown(Notification.of(CEASE, SHUTDOWN)));
                return true;
            });
        } finally {
            closeVertx();
        }
    }

    Vertx vertx() {
        return vertx;
    }

    BgpRib rib() {
        return rib;
    }

    Duration now() {
        return time.monotonic();
    }

    boolean isRefilled() {
        return refilled;
    }

    /** RFC 4271 §10: so that many peers do not act in step. */
    Duration jittered(TimerKind kind, Duration after) {
        return switch (kind) {
            case HOLD -> after;
            case CONNECT_RETRY, KEEPALIVE ->
                after.multipliedBy(75 + random.nextInt(26)).dividedBy(100);
        };
    }

    void later(Runnable task) {
        context.runOnContext(_ -> task.run());
    }

    /** Tells every session that the path in use of these has changed. */
    void changed(Collection<IpPrefix> prefixes) {
        if (!prefixes.isEmpty()) {
            sessions.values().forEach(session -> session.changed(prefixes));
        }
    }

    /** True when a node of ours holds a prefix that this one is a part of. The same prefix is no part. */
    boolean insideNodePrefix(IpPrefix prefix) {
        IpPrefix before = ofNodes.held().lowerKey(prefix);
        return before != null && before.contains(prefix);
    }

    /** True when an aggregate is told in place of a node's prefix. */
    boolean isReplaced(IpPrefix prefix) {
        return !origination.aggregates().isEmpty()
                && origination.replaces(prefix)
                && ofNodes.held().containsKey(prefix);
    }

    /** The identifier of what this source tells, 1 or more. */
    long pathIdentifier(Source source) {
        Source key = switch (source) {
            case Source.Node node -> node;
            // The same neighbour after its restart with another identifier is the same source.
            case Source.Learned(Neighbor neighbor) ->
                new Source.Learned(new Neighbor(neighbor.address(), 0, neighbor.kind(), neighbor.address()));
        };
        return paths.computeIfAbsent(key, _ -> nextPath++);
    }

    private void applyNodes() {
        nodesDue.set(false);
        NodePaths next = NodePaths.of(newest.get(), origination, leaving);
        List<IpPrefix> changed = new ArrayList<>();
        replace(ofNodes.all(), next.all(), changed);
        boolean more = !ofNodes.held().keySet().containsAll(next.held().keySet());
        ofNodes = next;
        paths.keySet()
                .removeIf(source -> source instanceof Source.Node(NodeName node)
                        && newest.get().entry(node).isEmpty());
        if (more) {
            changed.addAll(dropInside());
        }
        changed(changed);
    }

    private void replace(
            Map<IpPrefix, List<BgpPath>> before, Map<IpPrefix, List<BgpPath>> next, List<IpPrefix> changed) {
        for (IpPrefix prefix : before.keySet()) {
            if (!next.containsKey(prefix) && rib.setNodes(prefix, List.of())) {
                changed.add(prefix);
            }
        }
        next.forEach((prefix, ofPrefix) -> {
            if (!ofPrefix.equals(before.get(prefix)) && rib.setNodes(prefix, ofPrefix)) {
                changed.add(prefix);
            }
        });
    }

    /** What neighbours told of a prefix before one of our nodes held it. */
    private List<IpPrefix> dropInside() {
        List<IpPrefix> changed = new ArrayList<>();
        for (IpAddress neighbor : sessions.keySet()) {
            changed.addAll(rib.removeAll(neighbor, _ -> true, this::insideNodePrefix));
        }
        return changed;
    }

    private RouteInUse inUse(IpPrefix prefix) {
        return new RouteInUse(
                prefix,
                kind(prefix),
                BestPath.explain(rib.paths(prefix)),
                sessions.values().stream()
                        .filter(session -> session.told(prefix))
                        .map(session -> session.settings().name())
                        .toList());
    }

    private RouteInUse.Kind kind(IpPrefix prefix) {
        if (ofNodes.held().containsKey(prefix)) {
            return RouteInUse.Kind.NODE;
        }
        if (ofNodes.served().containsKey(prefix)) {
            return RouteInUse.Kind.SERVICE_ADDRESS;
        }
        if (!ofNodes.told().containsKey(prefix)) {
            return RouteInUse.Kind.LEARNED;
        }
        return origination.services().contains(prefix) ? RouteInUse.Kind.SERVICES : RouteInUse.Kind.AGGREGATE;
    }

    private <T> T ask(Supplier<T> question) {
        try {
            return CompletableFuture.supplyAsync(question, this::later).get(ASK_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException("the BGP speaker did not answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while asking the BGP speaker", e);
        }
    }

    private void closeVertx() {
        try {
            vertx.close().toCompletionStage().toCompletableFuture().get(ASK_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            log.warn("the BGP speaker's sockets are not closed after {} s", ASK_SECONDS, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
