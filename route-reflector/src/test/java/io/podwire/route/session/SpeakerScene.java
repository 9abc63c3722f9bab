package io.podwire.route.session;

import static io.podwire.route.session.RawPeer.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.route.Routes;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.reflect.bgp.PeerPolicy;
import io.podwire.route.reflect.bgp.PrefixList;
import io.podwire.route.rib.AnnounceResult;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.RibRules;
import io.podwire.route.rib.RouteTable;
import io.podwire.route.rib.ServiceAddresses;
import io.podwire.route.rib.bgp.Neighbor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;

/** A speaker on loopback, nodes that announce, and neighbours that do what a test wants. */
abstract class SpeakerScene {
    static final long ASN = 64512;
    static final LocalRouter LOCAL = new LocalRouter(ASN, IpAddress.parse("192.0.2.1"), IpAddress.parse("192.0.2.1"));
    static final String CLIENT = "127.0.0.11";
    static final String OTHER = "127.0.0.12";
    static final String NON_CLIENT = "127.0.0.13";
    static final String EXTERNAL = "127.0.0.14";

    /** What a route of ours comes with. */
    static final PathAttributes PLAIN = PathAttributes.of(
            new PathAttribute.Origin(PathAttribute.OriginKind.IGP),
            new PathAttribute.Path(AsPath.EMPTY),
            new PathAttribute.LocalPref(100));

    private final List<AutoCloseable> open = new ArrayList<>();
    private RouteTable table = RouteTable.EMPTY;
    BgpSpeaker speaker;

    void begin(Origination origination, PeerSettings... peers) {
        speaker = new BgpSpeaker(
                new SpeakerSettings(LOCAL, "127.0.0.1", 0, List.of(peers), origination, Duration.ofMillis(1)),
                TimeSource.SYSTEM,
                new SplittableRandom(1));
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable resource : open) {
            resource.close();
        }
        speaker.close();
    }

    void announce(NodeRoute route, String... services) {
        table = ((AnnounceResult.Accepted) RibRules.announce(
                        table,
                        Routes.epoch(route.node().value(), 1),
                        route,
                        new ServiceAddresses.Of(
                                Stream.of(services).map(IpAddress::parse).toList())))
                .table();
        speaker.nodes(table);
    }

    RawPeer raw(String address) {
        return raw(address, ASN);
    }

    RawPeer raw(String address, long asn) {
        RawPeer peer = new RawPeer(address, speaker.port(), asn, ASN);
        open.add(peer);
        return peer;
    }

    static void awaitRoutes(RawPeer peer, String... prefixes) {
        await("that").untilAsserted(() -> assertThat(peer.routes().keySet()).containsExactlyInAnyOrder(prefixes));
    }

    /** One that dials us. */
    static PeerSettings peer(String address, long asn, Neighbor.Kind kind) {
        return peer(address, 179, asn, kind, true);
    }

    static PeerSettings peer(String address, int port, long asn, Neighbor.Kind kind, boolean passive) {
        return new PeerSettings(
                address,
                IpAddress.parse(address),
                port,
                asn,
                kind,
                passive,
                Set.of(IpFamily.V4, IpFamily.V6),
                90,
                120,
                false,
                Secret.NONE,
                8,
                100,
                new PeerPolicy(
                        PrefixList.parse(List.of("deny 0.0.0.0/0", "0.0.0.0/0 le 32", "::/0 le 128")),
                        new PeerPolicy.Export.Reflected(),
                        List.of(),
                        List.of()));
    }
}
