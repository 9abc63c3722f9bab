package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.node.dataplane.RouteReconciler;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.RoutePlan;
import io.podwire.node.plan.UnderlayEnd;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The streams to route-reflector, one to each replica: announces this node's prefixes to all, and brings what they know
 * together to the reconciler. The loop given to the constructor owns all state.
 */
public final class RouteClient implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RouteClient.class);
    private static final Duration SWEEP = Duration.ofSeconds(5);
    /** Between two announcements of Services, each of which is whole. */
    private static final Duration SERVICES_PAUSE = Duration.ofMillis(50);
    /** More are refused with all of the announcement (podwire.route.v1.ServiceAddresses). */
    private static final int MOST_SERVICES = 4096;

    private final EventLoop loop;
    private final TimeSource time;
    private final NodeIdentity self;
    private final Place place;
    private final Duration staleAfter;
    private final RouteReconciler routes;
    private final ReplicaWatch replicas;
    private final Map<String, Feed> feeds = new TreeMap<>();
    private Optional<RemoteNode> announced = Optional.empty();
    /** Addresses of Services that this node serves, sorted; empty: not known yet. */
    private Optional<List<IpAddress>> services = Optional.empty();

    private boolean servicesPause;
    private boolean servicesDue;
    private boolean started;
    /** Why prefixes of the announcement are not taken, by prefix. Written by the loop alone; read by anyone. */
    private volatile SortedMap<IpPrefix, String> refused = Collections.emptySortedMap();
    /** The same of addresses of Services. */
    private volatile SortedMap<IpPrefix, String> refusedServices = Collections.emptySortedMap();

    private long heard;
    private volatile boolean connected;
    /** Those that wait until a reflector knows the newest announcement. */
    private final List<CompletableFuture<Void>> untold = new ArrayList<>();

    /**
     * What of the node decides which way leads to another one.
     *
     * @param mode how packets go to other nodes
     * @param underlay asks for this node's places on the underlay as they are now
     * @param families what its pods have addresses of
     */
    public record Place(RouteMode mode, Supplier<List<UnderlayEnd>> underlay, Set<IpFamily> families) {
        /** Copies. */
        public Place {
            families = Set.copyOf(families);
        }
    }

    /**
     * A client that is not connected yet.
     *
     * @param targets HOST:PORT, several with commas between; of a name with several addresses each is a replica
     * @param staleAfter how long a route stays that a reflector does not name after its return, more than zero
     */
    public RouteClient(
            String targets,
            EventLoop loop,
            TimeSource time,
            NodeIdentity self,
            Place place,
            Duration staleAfter,
            RouteReconciler routes) {
        this.loop = loop;
        this.time = time;
        this.self = self;
        this.place = place;
        this.staleAfter = staleAfter;
        this.routes = routes;
        this.replicas = new ReplicaWatch(
                "route-reflector", targets, InetAddress::getAllByName, found -> loop.execute(() -> serve(found)));
        Duration half = staleAfter.dividedBy(2);
        loop.every(half.compareTo(SWEEP) < 0 ? half : SWEEP, this::sweep);
    }

    /** True while the streams to all replicas are good, one at least. */
    public boolean connected() {
        return connected;
    }

    /** Why others are not led to prefixes that this node announces, one sentence for each prefix. */
    public SortedMap<IpPrefix, String> refused() {
        return refused;
    }

    /** Why routers are not led to this node for addresses of Services that it serves, one sentence for each. */
    public SortedMap<IpPrefix, String> refusedServices() {
        return refusedServices;
    }

    /**
     * Says for which addresses of Services this node is a way that others are not, in place of what was said before. A change is
     * sent at once, and those that follow within {@link #SERVICES_PAUSE} together. Before the first call reflectors take it
     * that this node does not know.
     *
     * @param addresses sorted, each once
     */
    public void serves(List<IpAddress> addresses) {
        loop.execute(() -> {
            List<IpAddress> most = addresses;
            if (addresses.size() > MOST_SERVICES) {
                most = List.copyOf(addresses.subList(0, MOST_SERVICES));
                log.error(
                        "this node serves {} addresses of Services; reflectors take {}, and are not told of {} and those"
                                + " behind it",
                        addresses.size(),
                        MOST_SERVICES,
                        addresses.get(MOST_SERVICES));
            }
            if (!services.equals(Optional.of(most))) {
                services = Optional.of(most);
                if (announced.isPresent()) {
                    sendServices();
                }
            }
        });
    }

    private void sendServices() {
        if (servicesPause) {
            servicesDue = true;
            return;
        }
        send();
        servicesPause = true;
        loop.schedule(SERVICES_PAUSE, () -> {
            servicesPause = false;
            if (servicesDue) {
                sendServices();
            }
        });
    }

    /** To all of them, all that is to be said. */
    private void send() {
        servicesDue = false;
        feeds.values().forEach(feed -> feed.stream.send(announcement()));
    }

    /**
     * Announces this node, whole; the first call connects.
     *
     * @return done once this announcement or a later one was sent on the streams that are open, one of which has an
     *     answer
     */
    public CompletableFuture<Void> announce(RemoteNode node) {
        CompletableFuture<Void> told = new CompletableFuture<>();
        loop.execute(() -> {
            untold.add(told);
            if (!announced.equals(Optional.of(node))) {
                announced = Optional.of(node);
                send();
                if (!started) {
                    started = true;
                    replicas.start();
                }
            }
            judge();
        });
        return told;
    }

    /**
     * This node has another place on the underlay: its ways to the others are other ones, and what it has connected from
     * the place before may lead nowhere.
     */
    public void moved() {
        loop.execute(() -> {
            feeds.values().forEach(Feed::reconnect);
            // Before the first word of a reflector, what an earlier life put into the kernel stays.
            if (feeds.values().stream().anyMatch(feed -> feed.told)) {
                program();
            }
        });
    }

    private void serve(List<String> targets) {
        Set<String> gone = new HashSet<>(feeds.keySet());
        targets.forEach(gone::remove);
        List<Collection<RemoteNode>> left = new ArrayList<>();
        gone.forEach(target -> {
            log.info("{} is no replica of route-reflector any more", target);
            Feed feed = feeds.remove(target);
            left.add(feed.mirror.nodes());
            feed.close();
        });
        refusals();
        for (String target : targets) {
            if (!feeds.containsKey(target)) {
                Feed feed = new Feed(target);
                feeds.put(target, feed);
                feed.stream.start();
            }
        }
        left.forEach(known -> feeds.values().forEach(feed -> feed.mirror.inherit(known, time.monotonic())));
        judge();
    }

    /** What was sent last says all: a stream's first message, and each change since. */
    private void judge() {
        connected = !feeds.isEmpty() && feeds.values().stream().allMatch(feed -> feed.stream.connected());
        if (feeds.values().stream().anyMatch(feed -> feed.stream.reaches())) {
            untold.forEach(told -> told.complete(null));
            untold.clear();
        }
    }

    private Announcement announcement() {
        Announcement.Builder announcement = Announcement.newBuilder()
                .setHandshake(Channels.HANDSHAKE)
                .setNode(self.toProto())
                .setRoute(StreamMapping.route(announced.orElseThrow()));
        services.ifPresent(addresses -> announcement.setServiceAddresses(StreamMapping.services(addresses)));
        return announcement.build();
    }

    private void sweep() {
        Set<NodeName> dropped = new TreeSet<>();
        feeds.values().forEach(feed -> {
            List<NodeName> stale = feed.mirror.sweep(time.monotonic());
            feed.withdrawn(stale);
            dropped.addAll(stale);
        });
        if (!dropped.isEmpty()) {
            log.warn("{} were not named by a reflector for {} since its return", dropped, staleAfter);
            program();
        }
        judge();
    }

    /** Tells what has become of refusals: what one reflector refuses is refused. */
    private void refusals() {
        NavigableMap<IpPrefix, String> now = new TreeMap<>();
        feeds.values().forEach(feed -> feed.refused.forEach(now::putIfAbsent));
        SortedMap<IpPrefix, String> before = new TreeMap<>(refused);
        before.putAll(refusedServices);
        now.forEach((prefix, why) -> {
            if (!why.equals(before.get(prefix))) {
                log.warn("route-reflector leads nobody to {}: {}", prefix, why);
            }
        });
        before.keySet().stream()
                .filter(prefix -> !now.containsKey(prefix))
                .forEach(prefix -> log.info("route-reflector does not refuse {} any more", prefix));
        NavigableMap<IpPrefix, String> ofServices = new TreeMap<>(now);
        ofServices.keySet().removeIf(prefix -> !isService(prefix));
        now.keySet().removeAll(ofServices.keySet());
        refused = Collections.unmodifiableNavigableMap(now);
        refusedServices = Collections.unmodifiableNavigableMap(ofServices);
    }

    private boolean isService(IpPrefix prefix) {
        return prefix.length() == prefix.family().bits()
                && Collections.binarySearch(services.orElse(List.of()), prefix.address()) >= 0;
    }

    private void program() {
        Collection<RemoteNode> known = RouteViews.merged(feeds.values().stream()
                .map(feed -> new RouteViews.View(feed.stream.connected(), feed.mirror))
                .toList());
        routes.plan(RoutePlan.plan(
                place.mode(),
                place.underlay().get(),
                place.families(),
                known.stream().filter(r -> !r.node().equals(self.name())).toList()));
    }

    @Override
    public void close() {
        replicas.close();
        var _ = loop.submit(() -> {
                    feeds.values().forEach(Feed::close);
                    feeds.clear();
                    return true;
                })
                .completeOnTimeout(false, 5, TimeUnit.SECONDS)
                .join();
    }

    /** One replica's stream and what it told. */
    private final class Feed {
        private final ManagedChannel channel;
        private final ReconnectingStream<Announcement, RouteUpdate> stream;
        private final RouteMirror mirror = new RouteMirror(staleAfter, () -> ++heard);
        private String epoch = "";
        private long sequence;
        private boolean told;
        /** Why it does not take prefixes of the announcement. */
        private SortedMap<IpPrefix, String> refused = Collections.emptySortedMap();

        Feed(String target) {
            channel = Channels.open(target);
            stream = new ReconnectingStream<>(
                    "route-reflector at " + target,
                    channel,
                    loop,
                    RoutesGrpc.newStub(channel)::exchange,
                    this::first,
                    this::received);
        }

        private Announcement first() {
            // The state of an old stream is no base for the deltas of a new one.
            epoch = "";
            return announcement();
        }

        private void received(RouteUpdate update) {
            try {
                switch (update.getUpdateCase()) {
                    case FULL -> {
                        if (mirror.isReturn(update.getEpoch())) {
                            away().forEach(other -> mirror.inherit(other.mirror.nodes(), time.monotonic()));
                        }
                        withdrawn(mirror.full(
                                update.getEpoch(),
                                update.getFull().getRoutesList().stream()
                                        .map(StreamMapping::remote)
                                        .toList(),
                                time.monotonic()));
                        refused = StreamMapping.refused(update.getRefused());
                    }
                    case DELTA -> {
                        if (!update.getEpoch().equals(epoch) || update.getSequence() != sequence + 1) {
                            stream.reset("update " + update.getSequence() + " of epoch " + update.getEpoch()
                                    + " came after " + sequence + " of " + epoch + ": a full state is needed");
                            return;
                        }
                        List<NodeName> removed = update.getDelta().getRemovedList().stream()
                                .map(NodeName::new)
                                .toList();
                        mirror.delta(
                                update.getDelta().getUpdatedList().stream()
                                        .map(StreamMapping::remote)
                                        .toList(),
                                removed);
                        withdrawn(removed);
                        if (update.hasRefused()) {
                            refused = StreamMapping.refused(update.getRefused());
                        }
                    }
                    case UPDATE_NOT_SET -> throw new IllegalArgumentException("an update has neither full nor delta");
                    default -> throw new AssertionError(update.getUpdateCase());
                }
            } catch (IllegalArgumentException e) {
                log.error("routes from the reflector cannot be used, the last ones stay: {}", e.getMessage());
                stream.reset(String.valueOf(e.getMessage()));
                return;
            }
            epoch = update.getEpoch();
            sequence = update.getSequence();
            told = true;
            refusals();
            judge();
            program();
        }

        /** A reflector that is away cannot say so itself, and what it said last would keep the node. */
        private void withdrawn(List<NodeName> nodes) {
            away().forEach(other -> nodes.forEach(other.mirror::forget));
        }

        private List<Feed> away() {
            return feeds.values().stream()
                    .filter(other -> other != this && !other.stream.connected())
                    .toList();
        }

        /** By another connection: the one before would be missed after 15 s only. */
        void reconnect() {
            channel.enterIdle();
            stream.reset("the node has another address");
        }

        void close() {
            stream.close();
            channel.shutdownNow();
        }
    }
}
