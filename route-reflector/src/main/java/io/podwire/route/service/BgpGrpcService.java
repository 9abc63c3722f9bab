package io.podwire.route.service;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.ExplainBgpRouteRequest;
import io.podwire.proto.route.v1.ExplainBgpRouteResponse;
import io.podwire.proto.route.v1.ListBgpPeersRequest;
import io.podwire.proto.route.v1.ListBgpPeersResponse;
import io.podwire.proto.route.v1.ListBgpRoutesRequest;
import io.podwire.proto.route.v1.ListBgpRoutesResponse;
import io.podwire.route.session.BgpSpeaker;
import io.podwire.route.session.RouteInUse;
import java.util.List;

/** The Bgp API: what {@link BgpSpeaker} knows. Holds no state of its own. */
public final class BgpGrpcService extends BgpGrpc.BgpImplBase {
    private static final int MAX_PAGE = 10_000;
    private static final int PAGE = 1_000;

    private final BgpSpeaker speaker;

    /** Of this speaker. */
    public BgpGrpcService(BgpSpeaker speaker) {
        this.speaker = speaker;
    }

    @Override
    public void listBgpPeers(ListBgpPeersRequest request, StreamObserver<ListBgpPeersResponse> responses) {
        ListBgpPeersResponse.Builder response = ListBgpPeersResponse.newBuilder();
        speaker.peers().forEach(peer -> response.addPeers(BgpMapping.toProto(peer)));
        responses.onNext(response.build());
        responses.onCompleted();
    }

    @Override
    public void listBgpRoutes(ListBgpRoutesRequest request, StreamObserver<ListBgpRoutesResponse> responses) {
        if (request.getPageSize() < 0 || request.getPageSize() > MAX_PAGE) {
            throw RouteMapping.invalid("page_size: must be 0 to " + MAX_PAGE + ", got " + request.getPageSize());
        }
        int size = request.getPageSize() == 0 ? PAGE : request.getPageSize();
        // A token is the last prefix of the page before: pages stay right while prefixes come and go.
        List<IpPrefix> after = request.getPageToken().isEmpty()
                ? List.of()
                : List.of(RouteMapping.parse("page_token", request.getPageToken(), IpPrefix::parse));
        List<RouteInUse> routes = speaker.routes(after, size + 1);
        ListBgpRoutesResponse.Builder response = ListBgpRoutesResponse.newBuilder();
        routes.stream().limit(size).forEach(route -> response.addRoutes(BgpMapping.toProto(route)));
        if (routes.size() > size) {
            response.setNextPageToken(routes.get(size - 1).prefix().toString());
        }
        responses.onNext(response.build());
        responses.onCompleted();
    }

    @Override
    public void explainBgpRoute(ExplainBgpRouteRequest request, StreamObserver<ExplainBgpRouteResponse> responses) {
        IpPrefix prefix = BgpMapping.prefix(request.getPrefix());
        RouteInUse route = speaker.explain(prefix)
                .orElseThrow(
                        () -> new ServiceException(ErrorReason.NOT_FOUND, "no prefix with a BGP path holds " + prefix));
        responses.onNext(ExplainBgpRouteResponse.newBuilder()
                .setRoute(BgpMapping.toProto(route))
                .build());
        responses.onCompleted();
    }
}
