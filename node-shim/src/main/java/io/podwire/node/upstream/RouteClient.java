package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.node.dataplane.RouteReconciler;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.RoutePlan;
import io.podwire.node.plan.UnderlayEnd;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stream to route-reflector: announces this node's prefixes, and brings the others' routes to
 * the reconciler. The loop given to the constructor owns all state.
 */
public final class RouteClient {
    private static final Logger log = LoggerFactory.getLogger(RouteClient.class);

    private final EventLoop loop;
    private final TimeSource time;
    private final NodeIdentity self;
    private final List<UnderlayEnd> underlay;
    private final Set<IpFamily> families;
    private final RouteReconciler routes;
    private final ReconnectingStream<Announcement, RouteUpdate> stream;
    private final RouteMirror mirror = new RouteMirror();
    private Optional<RemoteNode> announced = Optional.empty();
    private String epoch = "";
    private long sequence;
    private boolean started;
    /** Why prefixes of the announcement are not taken, by prefix. Written by the loop alone; read by anyone. */
    private volatile SortedMap<IpPrefix, String> refused = Collections.emptySortedMap();
    /** Those that wait until the reflector knows the newest announcement. */
    private final List<CompletableFuture<Void>> untold = new ArrayList<>();

    /**
     * A client that is not connected yet.
     *
     * @param underlay this node's places on the underlay
     * @param families what its pods have addresses of
     */
    public RouteClient(
            ManagedChannel channel,
            EventLoop loop,
            TimeSource time,
            NodeIdentity self,
            List<UnderlayEnd> underlay,
            Set<IpFamily> families,
            RouteReconciler routes) {
        this.loop = loop;
        this.time = time;
        this.self = self;
        this.underlay = List.copyOf(underlay);
        this.families = Set.copyOf(families);
        this.routes = routes;
        this.stream = new ReconnectingStream<>(
                "route-reflector", channel, loop, RoutesGrpc.newStub(channel)::exchange, this::first, this::received);
        loop.every(Duration.ofSeconds(5), () -> {
            if (mirror.sweep(time.monotonic())) {
                log.warn(
                        "routes of nodes that the reflector has not named for {} are dropped", RouteMirror.STALE_AFTER);
                program();
            }
        });
    }

    /** True while the stream is good. */
    public boolean connected() {
        return stream.connected();
    }

    /** Why others are not led to prefixes that this node announces, one sentence for each prefix. */
    public SortedMap<IpPrefix, String> refused() {
        return refused;
    }

    /**
     * Announces this node, whole; the first call connects.
     *
     * @return done once this announcement or a later one was sent on a stream that the reflector answers
     */
    public CompletableFuture<Void> announce(RemoteNode node) {
        CompletableFuture<Void> told = new CompletableFuture<>();
        loop.execute(() -> {
            untold.add(told);
            if (!announced.equals(Optional.of(node))) {
                announced = Optional.of(node);
                if (started) {
                    stream.send(announcement());
                } else {
                    started = true;
                    stream.start();
                }
            }
            told();
        });
        return told;
    }

    /** What was sent last says all: a stream's first message, and each change since. */
    private void told() {
        if (stream.reaches()) {
            untold.forEach(told -> told.complete(null));
            untold.clear();
        }
    }

    private Announcement first() {
        // The state of an old stream is no base for the deltas of a new one.
        epoch = "";
        return announcement();
    }

    private Announcement announcement() {
        return Announcement.newBuilder()
                .setHandshake(Channels.HANDSHAKE)
                .setNode(self.toProto())
                .setRoute(StreamMapping.route(announced.orElseThrow()))
                .build();
    }

    private void received(RouteUpdate update) {
        try {
            switch (update.getUpdateCase()) {
                case FULL -> {
                    mirror.full(
                            update.getEpoch(),
                            update.getFull().getRoutesList().stream()
                                    .map(StreamMapping::remote)
                                    .toList(),
                            time.monotonic());
                    refused(StreamMapping.refused(update.getRefused()));
                }
                case DELTA -> {
                    if (!update.getEpoch().equals(epoch) || update.getSequence() != sequence + 1) {
                        stream.reset("update " + update.getSequence() + " of epoch " + update.getEpoch()
                                + " came after " + sequence + " of " + epoch + ": a full state is needed");
                        return;
                    }
                    mirror.delta(
                            update.getDelta().getUpdatedList().stream()
                                    .map(StreamMapping::remote)
                                    .toList(),
                            update.getDelta().getRemovedList().stream()
                                    .map(NodeName::new)
                                    .toList());
                    if (update.hasRefused()) {
                        refused(StreamMapping.refused(update.getRefused()));
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
        told();
        program();
    }

    private void refused(SortedMap<IpPrefix, String> now) {
        now.forEach((prefix, why) -> {
            if (!why.equals(refused.get(prefix))) {
                log.warn("route-reflector leads nobody to {}: {}", prefix, why);
            }
        });
        refused.keySet().stream()
                .filter(prefix -> !now.containsKey(prefix))
                .forEach(prefix -> log.info("route-reflector does not refuse {} any more", prefix));
        refused = now;
    }

    private void program() {
        routes.plan(RoutePlan.plan(
                underlay,
                families,
                mirror.nodes().stream()
                        .filter(r -> !r.node().equals(self.name()))
                        .toList()));
    }
}
