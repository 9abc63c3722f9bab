package io.podwire.route.service;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPeer;
import io.podwire.proto.route.v1.CreateBgpPeerRequest;
import io.podwire.proto.route.v1.CreateBgpPeerResponse;
import io.podwire.proto.route.v1.DeleteBgpPeerRequest;
import io.podwire.proto.route.v1.DeleteBgpPeerResponse;
import io.podwire.proto.route.v1.ExplainBgpRouteRequest;
import io.podwire.proto.route.v1.ExplainBgpRouteResponse;
import io.podwire.proto.route.v1.GetBgpPeerRequest;
import io.podwire.proto.route.v1.GetBgpPeerResponse;
import io.podwire.proto.route.v1.ListBgpPeersRequest;
import io.podwire.proto.route.v1.ListBgpPeersResponse;
import io.podwire.proto.route.v1.ListBgpRoutesRequest;
import io.podwire.proto.route.v1.ListBgpRoutesResponse;
import io.podwire.proto.route.v1.SetBgpNodeLeavingRequest;
import io.podwire.proto.route.v1.SetBgpNodeLeavingResponse;
import io.podwire.route.peers.PeerRegistry;
import io.podwire.route.peers.PeersFile;
import io.podwire.route.session.BgpSpeaker;
import io.podwire.route.session.PeerStatus;
import io.podwire.route.session.RouteInUse;
import java.util.List;

/** The Bgp API: what {@link BgpSpeaker} knows and {@link PeerRegistry} takes. Holds no state of its own. */
public final class BgpGrpcService extends BgpGrpc.BgpImplBase {
    private static final int MAX_PAGE = 10_000;
    private static final int PAGE = 1_000;

    private final BgpSpeaker speaker;
    private final PeerRegistry registry;

    /** Of this speaker, and of who declares its peers. */
    public BgpGrpcService(BgpSpeaker speaker, PeerRegistry registry) {
        this.speaker = speaker;
        this.registry = registry;
    }

    @Override
    public void createBgpPeer(CreateBgpPeerRequest request, StreamObserver<CreateBgpPeerResponse> responses) {
        PeersFile.Peer peer = BgpMapping.fromProto(request.getPeer());
        try {
            responses.onNext(CreateBgpPeerResponse.newBuilder()
                    .setName(registry.create(peer).name())
                    .build());
        } catch (IllegalArgumentException e) {
            throw RouteMapping.invalid("peer: " + e.getMessage());
        }
        responses.onCompleted();
    }

    @Override
    public void getBgpPeer(GetBgpPeerRequest request, StreamObserver<GetBgpPeerResponse> responses) {
        PeerStatus peer = speaker.peers().stream()
                .filter(status -> status.settings().name().equals(request.getName()))
                .findFirst()
                .orElseThrow(() -> new ServiceException(
                        ErrorReason.NOT_FOUND, "no BGP peer is named '" + request.getName() + "'"));
        responses.onNext(GetBgpPeerResponse.newBuilder().setPeer(toProto(peer)).build());
        responses.onCompleted();
    }

    @Override
    public void deleteBgpPeer(DeleteBgpPeerRequest request, StreamObserver<DeleteBgpPeerResponse> responses) {
        registry.delete(request.getName());
        responses.onNext(DeleteBgpPeerResponse.getDefaultInstance());
        responses.onCompleted();
    }

    @Override
    public void setBgpNodeLeaving(
            SetBgpNodeLeavingRequest request, StreamObserver<SetBgpNodeLeavingResponse> responses) {
        NodeName node = RouteMapping.parse("node", request.getNode(), NodeName::new);
        registry.setLeaving(node, request.getLeaving());
        SetBgpNodeLeavingResponse.Builder response = SetBgpNodeLeavingResponse.newBuilder();
        registry.leaving().forEach(leaving -> response.addLeavingNodes(leaving.value()));
        responses.onNext(response.build());
        responses.onCompleted();
    }

    private BgpPeer toProto(PeerStatus peer) {
        return BgpMapping.toProto(peer, registry.source(peer.settings().name()).orElse(PeerRegistry.Source.OPTIONS));
    }

    @Override
    public void listBgpPeers(ListBgpPeersRequest request, StreamObserver<ListBgpPeersResponse> responses) {
        ListBgpPeersResponse.Builder response = ListBgpPeersResponse.newBuilder();
        speaker.peers().forEach(peer -> response.addPeers(toProto(peer)));
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
