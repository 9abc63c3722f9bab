package io.podwire.route;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import io.podwire.proto.route.v1.ServiceAddresses;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/** A node's stream: announces, and keeps what it is told. It reads only after {@link #readAll}. */
final class NodeClient implements AutoCloseable {
    private static final int SMALL_WINDOW_BYTES = 64 << 10;

    private final String node;
    private final String uid;
    private final long counter;
    private final ManagedChannel channel;
    private final CompletableFuture<Status> ended = new CompletableFuture<>();
    private final CompletableFuture<ServiceException> refused = new CompletableFuture<>();
    private final List<RouteUpdate> updates = new CopyOnWriteArrayList<>();
    private ClientCallStreamObserver<Announcement> call;

    NodeClient(String target, String node, String uid, long counter) {
        this.node = node;
        this.uid = uid;
        this.counter = counter;
        this.channel = NettyChannelBuilder.forTarget(target)
                .usePlaintext()
                .flowControlWindow(SMALL_WINDOW_BYTES)
                .build();
        var _ = RoutesGrpc.newStub(channel).exchange(new ClientResponseObserver<Announcement, RouteUpdate>() {
            @Override
            public void beforeStart(ClientCallStreamObserver<Announcement> requests) {
                call = requests;
                requests.disableAutoRequestWithInitial(0);
            }

            @Override
            public void onNext(RouteUpdate update) {
                updates.add(update);
            }

            @Override
            public void onError(Throwable failure) {
                ended.complete(Status.fromThrowable(failure));
                if (failure instanceof StatusRuntimeException status) {
                    refused.complete(GrpcErrors.fromGrpc("exchange", status));
                }
            }

            @Override
            public void onCompleted() {
                ended.complete(Status.OK);
            }
        });
    }

    NodeClient readAll() {
        call.request(Integer.MAX_VALUE);
        return this;
    }

    NodeClient announce(String... prefixes) {
        return announce(List.of(prefixes));
    }

    NodeClient announce(List<String> prefixes) {
        return send(announcement(prefixes).build());
    }

    /** Announces no prefix, and that it serves these addresses of Services. */
    NodeClient serve(String... addresses) {
        return send(announcement(List.of())
                .setServiceAddresses(ServiceAddresses.newBuilder().addAllAddresses(List.of(addresses)))
                .build());
    }

    private Announcement.Builder announcement(List<String> prefixes) {
        return Announcement.newBuilder()
                .setHandshake(
                        Handshake.newBuilder().setRelease("test").setProtocol(1).setMinProtocol(1))
                .setNode(NodeEpoch.newBuilder()
                        .setNode(node)
                        .setNodeUid(uid)
                        .setBootId("boot-" + counter)
                        .setCounter(counter))
                .setRoute(NodeRoute.newBuilder()
                        .setNode(node)
                        .setUnderlayAddress("192.0.2.1")
                        .setUnderlayLength(24)
                        .addAllPrefixes(prefixes));
    }

    NodeClient send(Announcement announcement) {
        call.onNext(announcement);
        return this;
    }

    void halfClose() {
        call.onCompleted();
    }

    /** What the updates amount to: node and prefixes. Fails on a gap, or on a start without full state. */
    Map<String, List<String>> routes() {
        Map<String, List<String>> routes = new TreeMap<>();
        long sequence = 0;
        for (RouteUpdate update : updates) {
            sequence++;
            if (update.getSequence() != sequence || update.hasFull() != (sequence == 1)) {
                throw new AssertionError("update " + sequence + " is " + update);
            }
            update.getFull().getRoutesList().forEach(r -> routes.put(r.getNode(), r.getPrefixesList()));
            update.getDelta().getUpdatedList().forEach(r -> routes.put(r.getNode(), r.getPrefixesList()));
            update.getDelta().getRemovedList().forEach(routes::remove);
        }
        return routes;
    }

    List<RouteUpdate> updates() {
        return updates;
    }

    Status ended() throws Exception {
        return ended.get(10, TimeUnit.SECONDS);
    }

    boolean isOpen() {
        return !ended.isDone();
    }

    ServiceException refused() throws Exception {
        return refused.get(10, TimeUnit.SECONDS);
    }

    /** Ends the connection without a word, as a dying node does. */
    @Override
    public void close() {
        channel.shutdownNow();
    }
}
