package io.podwire.route.service;

import com.google.common.base.Ascii;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.proto.route.v1.BgpPath;
import io.podwire.proto.route.v1.BgpPeer;
import io.podwire.proto.route.v1.BgpPeerKind;
import io.podwire.proto.route.v1.BgpPeerSource;
import io.podwire.proto.route.v1.BgpPeerSpec;
import io.podwire.proto.route.v1.BgpRoute;
import io.podwire.proto.route.v1.BgpRouteKind;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.peers.PeerRegistry;
import io.podwire.route.peers.PeersFile;
import io.podwire.route.rib.bgp.BestPath;
import io.podwire.route.rib.bgp.Neighbor;
import io.podwire.route.rib.bgp.Source;
import io.podwire.route.session.PeerStatus;
import io.podwire.route.session.RouteInUse;

/** Between the records of the speaker and the API's messages. */
final class BgpMapping {
    private BgpMapping() {}

    /** What is not set in the message is not there. */
    static PeersFile.Peer fromProto(BgpPeerSpec peer) {
        return new PeersFile.Peer(
                peer.getName().isEmpty() ? null : peer.getName(),
                peer.getAddress(),
                peer.hasPort() ? peer.getPort() : null,
                Integer.toUnsignedLong(peer.getAsn()),
                peer.getClient(),
                peer.getPassive(),
                peer.getFamiliesCount() == 0 ? null : peer.getFamiliesList(),
                peer.hasHoldSeconds() ? peer.getHoldSeconds() : null,
                peer.hasRestartSeconds() ? peer.getRestartSeconds() : null,
                peer.getTtlSecurity(),
                peer.getPasswordFile(),
                peer.hasAddPaths() ? peer.getAddPaths() : null,
                peer.hasMaxPrefixes() ? peer.getMaxPrefixes() : null,
                peer.getImportRulesList(),
                peer.hasExportRules() ? peer.getExportRules().getRulesList() : null,
                peer.getCommunitiesList(),
                peer.getLargeCommunitiesList());
    }

    static BgpPeer toProto(PeerStatus status, PeerRegistry.Source source) {
        BgpPeer.Builder proto = BgpPeer.newBuilder()
                .setName(status.settings().name())
                .setAddress(status.settings().address().toString())
                .setAsn((int) status.settings().asn())
                .setKind(
                        switch (status.settings().kind()) {
                            case EXTERNAL -> BgpPeerKind.BGP_PEER_KIND_EXTERNAL;
                            case CLIENT -> BgpPeerKind.BGP_PEER_KIND_CLIENT;
                            case NON_CLIENT -> BgpPeerKind.BGP_PEER_KIND_NON_CLIENT;
                        })
                .setSource(
                        switch (source) {
                            case OPTIONS -> BgpPeerSource.BGP_PEER_SOURCE_OPTIONS;
                            case GRPC -> BgpPeerSource.BGP_PEER_SOURCE_GRPC;
                            case KUBERNETES -> BgpPeerSource.BGP_PEER_SOURCE_KUBERNETES;
                        })
                .setState(status.state())
                .setStateSeconds(status.inState().toSeconds())
                .setIdentifier(status.identifier())
                .setHoldSeconds(status.holdSeconds())
                .setRestarting(status.restarting())
                .setImported(status.imported().values().stream()
                        .mapToLong(Integer::longValue)
                        .sum())
                .setAdvertised(status.advertised())
                .setRefused(status.refused())
                .setMalformed(status.malformed())
                .setSessions(status.sessions())
                .setLastProblem(status.lastProblem());
        status.families().stream().sorted().map(BgpMapping::family).forEach(proto::addFamilies);
        return proto.build();
    }

    static BgpRoute toProto(RouteInUse route) {
        BgpRoute.Builder proto = BgpRoute.newBuilder()
                .setPrefix(route.prefix().toString())
                .addAllToldTo(route.toldTo())
                .setKind(
                        switch (route.kind()) {
                            case LEARNED -> BgpRouteKind.BGP_ROUTE_KIND_LEARNED;
                            case NODE -> BgpRouteKind.BGP_ROUTE_KIND_NODE;
                            case AGGREGATE -> BgpRouteKind.BGP_ROUTE_KIND_AGGREGATE;
                            case SERVICES -> BgpRouteKind.BGP_ROUTE_KIND_SERVICES;
                            case SERVICE_ADDRESS -> BgpRouteKind.BGP_ROUTE_KIND_SERVICE_ADDRESS;
                        });
        route.paths().forEach(ranked -> proto.addPaths(path(ranked)));
        return proto.build();
    }

    private static BgpPath path(BestPath.Ranked ranked) {
        PathAttributes attributes = ranked.path().attributes();
        BgpPath.Builder proto = BgpPath.newBuilder()
                .setNextHop(ranked.path().nextHop().toString())
                .setAsPath(attributes.asPath().toString())
                .setOrigin(Ascii.toLowerCase(attributes.origin().name()))
                .setLocalPreference((int) attributes.localPref())
                .setOriginatorId(
                        attributes.originatorId().map(IpAddress::toString).orElse(""))
                .setStale(ranked.path().stale())
                .setLostBecause(ranked.lostAt()
                        .map(step -> "a better path has the " + step.reason())
                        .orElse(""));
        attributes.med().ifPresent(med -> proto.setMed((int) med));
        attributes.communities().forEach(community -> proto.addCommunities(community.toString()));
        attributes.largeCommunities().forEach(community -> proto.addCommunities(community.toString()));
        attributes.clusterList().forEach(cluster -> proto.addClusterList(cluster.toString()));
        switch (ranked.path().source()) {
            case Source.Node(var node) -> proto.setNode(node.value());
            case Source.Learned(Neighbor neighbor) ->
                proto.setPeer(neighbor.address().toString());
        }
        return proto.build();
    }

    /** An address is the prefix of itself alone. */
    static IpPrefix prefix(String text) {
        return RouteMapping.parse(
                "prefix", text, t -> t.indexOf('/') < 0 ? IpPrefix.ofHost(IpAddress.parse(t)) : IpPrefix.parse(t));
    }

    static String family(IpFamily family) {
        return switch (family) {
            case V4 -> "ipv4";
            case V6 -> "ipv6";
        };
    }
}
