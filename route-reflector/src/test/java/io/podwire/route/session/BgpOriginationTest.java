package io.podwire.route.session;

import static io.podwire.route.session.RawPeer.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.Routes;
import io.podwire.route.bgp.message.Community;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Overlay;
import io.podwire.route.rib.bgp.Neighbor;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Aggregates, services and nodes that leave, as neighbours on loopback see them. */
class BgpOriginationTest extends SpeakerScene {
    @BeforeEach
    void start() {
        begin(
                new Origination(List.of(IpPrefix.parse("10.8.0.0/16")), List.of(IpPrefix.parse("10.9.0.0/24"))),
                peer(CLIENT, ASN, Neighbor.Kind.CLIENT),
                peer(OTHER, ASN, Neighbor.Kind.CLIENT),
                peer(EXTERNAL, 64513, Neighbor.Kind.EXTERNAL));
    }

    @Test
    void anAggregateIsToldInPlaceOfNodesPrefixesInside() {
        RawPeer client = raw(CLIENT, ASN).establish();
        announce(Routes.route("a", "10.8.1.0/26", "10.1.0.0/26"));
        awaitRoutes(client, "10.1.0.0/26", "10.8.0.0/16", "10.9.0.0/24");
        assertThat(speaker.explain(IpPrefix.parse("10.8.1.7/32")).orElseThrow().prefix())
                .as("known, but not told")
                .isEqualTo(IpPrefix.parse("10.8.1.0/26"));
        announce(Routes.route("a", "10.1.0.0/26"));
        awaitRoutes(client, "10.1.0.0/26", "10.9.0.0/24");
    }

    @Test
    void whoTakesSeveralPathsIsToldEveryNodeOfAService() {
        announce(at("a", "192.0.2.51"));
        announce(at("b", "192.0.2.52"));
        RawPeer one = raw(OTHER, ASN).establish();
        RawPeer several = raw(CLIENT, ASN);
        several.severalPaths();
        awaitRoutes(one, "10.9.0.0/24");
        assertThat(one.routes().get("10.9.0.0/24").nextHop()).isEqualTo(IpAddress.parse("192.0.2.51"));
        await("both")
                .untilAsserted(() -> assertThat(several.pathsOf("10.9.0.0/24"))
                        .containsExactlyInAnyOrder("192.0.2.51", "192.0.2.52"));

        speaker.leaving(Set.of(new NodeName("a")));
        await("the one that stays").untilAsserted(() -> {
            assertThat(several.pathsOf("10.9.0.0/24")).containsExactly("192.0.2.52");
            assertThat(one.routes().get("10.9.0.0/24").nextHop()).isEqualTo(IpAddress.parse("192.0.2.52"));
        });
        speaker.leaving(Set.of());
        await("both again")
                .untilAsserted(() -> assertThat(several.pathsOf("10.9.0.0/24"))
                        .containsExactlyInAnyOrder("192.0.2.51", "192.0.2.52"));
    }

    @Test
    void anAddressOfAServiceIsToldOfItsNodesBesideTheCoveringPrefixOfAll() {
        RawPeer one = raw(OTHER, ASN).establish();
        RawPeer several = raw(CLIENT, ASN);
        several.severalPaths();
        announce(at("a", "192.0.2.51"));
        announce(at("b", "192.0.2.52"), "10.9.0.7", "10.8.0.7");
        awaitRoutes(one, "10.9.0.0/24", "10.9.0.7/32", "10.8.0.7/32");
        assertThat(one.routes().get("10.9.0.7/32").nextHop()).isEqualTo(IpAddress.parse("192.0.2.52"));
        announce(at("a", "192.0.2.51"), "10.9.0.7");
        await("both")
                .untilAsserted(() -> assertThat(several.pathsOf("10.9.0.7/32"))
                        .containsExactlyInAnyOrder("192.0.2.51", "192.0.2.52"));
        assertThat(several.pathsOf("10.9.0.0/24")).containsExactlyInAnyOrder("192.0.2.51", "192.0.2.52");
        assertThat(speaker.explain(IpPrefix.parse("10.9.0.7/32")).orElseThrow().kind())
                .isEqualTo(RouteInUse.Kind.SERVICE_ADDRESS);
        assertThat(speaker.explain(IpPrefix.parse("10.9.0.8/32")).orElseThrow().kind())
                .isEqualTo(RouteInUse.Kind.SERVICES);

        speaker.leaving(Set.of(new NodeName("a")));
        await("the one that stays")
                .untilAsserted(() -> assertThat(several.pathsOf("10.9.0.7/32")).containsExactly("192.0.2.52"));
        announce(at("b", "192.0.2.52"));
        await("better a leaving one than none")
                .untilAsserted(() -> assertThat(several.pathsOf("10.9.0.7/32")).containsExactly("192.0.2.51"));
        announce(at("a", "192.0.2.51"));
        awaitRoutes(one, "10.9.0.0/24");
    }

    @Test
    void pathsStayWhereAPrefixBecomesSomethingElseToUs() {
        RawPeer client = raw(CLIENT, ASN).establish();
        announce(Routes.route("a", "10.8.1.0/26"));
        awaitRoutes(client, "10.8.0.0/16", "10.9.0.0/24");
        announce(Routes.route("a", "10.8.0.0/16"));
        awaitKind("10.8.0.0/16", RouteInUse.Kind.NODE);
        announce(Routes.route("a", "10.8.1.0/26"));
        awaitKind("10.8.0.0/16", RouteInUse.Kind.AGGREGATE);
        speaker.services(List.of(IpPrefix.parse("10.9.0.7/32"), IpPrefix.parse("10.10.0.0/24")));
        awaitRoutes(client, "10.8.0.0/16", "10.9.0.7/32", "10.10.0.0/24");
        announce(Routes.route("a", "10.8.1.0/26"), "10.9.0.7");
        awaitKind("10.9.0.7/32", RouteInUse.Kind.SERVICE_ADDRESS);
        announce(Routes.route("a", "10.8.1.0/26"));
        awaitKind("10.9.0.7/32", RouteInUse.Kind.SERVICES);
        awaitRoutes(client, "10.8.0.0/16", "10.9.0.7/32", "10.10.0.0/24");
    }

    private void awaitKind(String prefix, RouteInUse.Kind kind) {
        await("that").untilAsserted(() -> {
            RouteInUse route = speaker.explain(IpPrefix.parse(prefix)).orElseThrow();
            assertThat(route.prefix()).hasToString(prefix);
            assertThat(route.kind()).isEqualTo(kind);
        });
    }

    /** RFC 8326. */
    @Test
    void whatALeavingNodeHoldsIsToldAsToBeUsedLast() {
        announce(Routes.route("a", "10.1.0.0/26"));
        RawPeer client = raw(CLIENT, ASN).establish();
        RawPeer external = raw(EXTERNAL, 64513).establish();
        awaitRoutes(client, "10.1.0.0/26", "10.9.0.0/24");
        speaker.leaving(Set.of(new NodeName("a")));
        await("that").untilAsserted(() -> {
            PathAttributes told = client.routes().get("10.1.0.0/26").attributes();
            assertThat(told.communities()).containsExactly(Community.GRACEFUL_SHUTDOWN);
            assertThat(told.localPref()).isZero();
            assertThat(external.routes().get("10.1.0.0/26").attributes().communities())
                    .containsExactly(Community.GRACEFUL_SHUTDOWN);
        });
        speaker.leaving(Set.of());
        await("that")
                .untilAsserted(
                        () -> assertThat(client.routes().get("10.1.0.0/26").attributes())
                                .isEqualTo(PLAIN));
    }

    private static NodeRoute at(String node, String address) {
        return new NodeRoute(new NodeName(node), IpAddress.parse(address), 24, new Overlay.None(), List.of());
    }
}
