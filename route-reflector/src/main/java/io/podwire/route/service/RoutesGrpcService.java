package io.podwire.route.service;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import io.podwire.common.service.Handshakes;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.ListRoutesRequest;
import io.podwire.proto.route.v1.ListRoutesResponse;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import io.podwire.route.reflect.Peer;
import io.podwire.route.reflect.Reflector;
import io.podwire.route.rib.RibEntry;
import java.util.Collection;
import java.util.List;

/**
 * The Routes API: {@link Reflector} over gRPC streams. Holds no state of its own.
 *
 * <p>State is soft: a reflector starts empty and refills as nodes connect, and it says so by a new
 * {@code RouteUpdate.epoch}. What that asks of a node:
 *
 * <ul>
 *   <li>A full state only adds to and changes what the node knows until the node has seen its epoch for
 *       the stale time (120 s): a refilling reflector does not know everybody yet. After that time the node
 *       drops what the latest state, full plus deltas, does not name. Who knows an epoch for longer takes
 *       each full state as exact.
 *   <li>What a delta removes was withdrawn or went stale: it goes at once, in any epoch.
 *   <li>Closing the stream, well or not, withdraws nothing; the routes stay for {@code --stale-after}. An
 *       announcement without a prefix withdraws that prefix at once, so a restarted node announces only
 *       after it has found its own blocks again.
 *   <li>A prefix that is not the node's own by ipam-service's word, and an address that is none of Services, is named in
 *       {@code RouteUpdate.refused}; the stream and the others live on.
 *   <li>After a refusal of the stream (FAILED_PRECONDITION, INVALID_ARGUMENT) the stream is over and what was announced
 *       before is going stale: try again with backoff.
 * </ul>
 */
public final class RoutesGrpcService extends RoutesGrpc.RoutesImplBase {
    private static final int MAX_PAGE = 10_000;

    private final Reflector reflector;
    private final String epoch;

    /**
     * The service.
     *
     * @param reflector holds the state
     * @param epoch names this life of the reflector: never the same after a restart
     */
    public RoutesGrpcService(Reflector reflector, String epoch) {
        this.reflector = reflector;
        this.epoch = epoch;
    }

    @Override
    public StreamObserver<Announcement> exchange(StreamObserver<RouteUpdate> responses) {
        ServerCallStreamObserver<RouteUpdate> node = (ServerCallStreamObserver<RouteUpdate>) responses;
        // The observer is written on the reflector's loop alone: it is not safe for several threads.
        Peer peer = new Peer(
                node::isReady,
                update -> node.onNext(RouteMapping.toProto(epoch, update)),
                why -> node.onError(GrpcErrors.toGrpc(why)),
                node::onCompleted);
        node.setOnReadyHandler(() -> reflector.writable(peer));
        node.setOnCancelHandler(() -> reflector.broken(peer));
        return new StreamObserver<>() {
            private boolean greeted;

            @Override
            public void onNext(Announcement announcement) {
                try {
                    if (!greeted) {
                        Handshakes.check(announcement.getHandshake(), RouteMapping.PROTOCOL);
                        greeted = true;
                    }
                    var nodeEpoch = RouteMapping.epoch(announcement.getNode());
                    var route = RouteMapping.route(announcement.getRoute());
                    if (!route.node().equals(nodeEpoch.node())) {
                        throw RouteMapping.invalid("route.node: must be the announcing node " + nodeEpoch.node()
                                + ", got " + route.node());
                    }
                    reflector.announced(peer, nodeEpoch, route, RouteMapping.services(announcement));
                } catch (ServiceException e) {
                    reflector.refused(peer, e);
                }
            }

            @Override
            public void onError(Throwable failure) {
                reflector.broken(peer);
            }

            @Override
            public void onCompleted() {
                reflector.completed(peer);
            }
        };
    }

    @Override
    public void listRoutes(ListRoutesRequest request, StreamObserver<ListRoutesResponse> responses) {
        if (request.getPageSize() < 0 || request.getPageSize() > MAX_PAGE) {
            throw RouteMapping.invalid("page_size: must be 0 to " + MAX_PAGE + ", got " + request.getPageSize());
        }
        int size = request.getPageSize() == 0 ? MAX_PAGE : request.getPageSize();
        // A token is the last node of the page before: pages stay right while nodes come and go.
        var entries = reflector.table().entries();
        Collection<RibEntry> rest = request.getPageToken().isEmpty()
                ? entries.values()
                : entries.tailMap(RouteMapping.parse("page_token", request.getPageToken(), NodeName::new), false)
                        .values();
        List<RibEntry> page = rest.stream().limit(size).toList();
        ListRoutesResponse.Builder response = ListRoutesResponse.newBuilder();
        page.forEach(entry -> response.addRoutes(RouteMapping.toProto(entry, reflector.refusals(entry.node()))));
        if (page.size() < rest.size()) {
            response.setNextPageToken(page.getLast().node().value());
        }
        responses.onNext(response.build());
        responses.onCompleted();
    }
}
