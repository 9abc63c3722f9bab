package io.podwire.route.session;

import static io.podwire.route.session.RawPeer.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.route.Routes;
import io.podwire.route.bgp.Corpus;
import io.podwire.route.bgp.message.AsPath;
import io.podwire.route.bgp.message.BgpMessage.EndOfRib;
import io.podwire.route.bgp.message.BgpMessage.Keepalive;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.bgp.message.BgpMessage.Open;
import io.podwire.route.bgp.message.BgpMessage.RouteRefresh;
import io.podwire.route.bgp.message.BgpMessage.Update;
import io.podwire.route.bgp.message.Bytes;
import io.podwire.route.bgp.message.PathAttribute;
import io.podwire.route.bgp.message.PathAttributes;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.rib.bgp.Neighbor;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The speaker over real sockets on loopback; its neighbours do what a test wants. */
class BgpSpeakerTest extends SpeakerScene {
    private static final PathAttributes FOREIGN = PathAttributes.of(
            new PathAttribute.Origin(PathAttribute.OriginKind.IGP), new PathAttribute.Path(AsPath.of(64513L)));

    @BeforeEach
    void start() {
        begin(
                Origination.NONE,
                peer(CLIENT, ASN, Neighbor.Kind.CLIENT),
                peer(OTHER, ASN, Neighbor.Kind.CLIENT),
                peer(NON_CLIENT, ASN, Neighbor.Kind.NON_CLIENT),
                peer(EXTERNAL, 64513, Neighbor.Kind.EXTERNAL));
    }

    @Test
    void statusNamesEveryNeighbourInTheOrderOfTheSettings() {
        assertThat(speaker.peers())
                .extracting(peer -> peer.settings().name() + " " + peer.state())
                .containsExactly(CLIENT + " Active", OTHER + " Active", NON_CLIENT + " Active", EXTERNAL + " Active");
    }

    @Test
    void nodesArePassedOnWithThemselvesAsNextHop() {
        announce(Routes.route("a", "10.1.0.0/26"));
        RawPeer client = raw(CLIENT).establish();
        RawPeer external = raw(EXTERNAL, 64513).establish();
        for (RawPeer peer : List.of(client, external)) {
            awaitRoutes(peer, "10.1.0.0/26");
            RawPeer.Told told = peer.routes().get("10.1.0.0/26");
            assertThat(told.nextHop()).isEqualTo(IpAddress.parse("192.0.2.1"));
        }
        assertThat(client.routes().get("10.1.0.0/26").attributes()).isEqualTo(PLAIN);
        assertThat(external.routes().get("10.1.0.0/26").attributes().asPath()).isEqualTo(AsPath.of(ASN));
        await("the end of what there is")
                .until(() -> client.heard(EndOfRib.class).count() == 2);

        announce(Routes.route("a", "10.1.0.64/26"));
        awaitRoutes(client, "10.1.0.64/26");
        awaitRoutes(external, "10.1.0.64/26");
    }

    @Test
    void clientsRoutesAreReflectedAndExplained() {
        RawPeer client = raw(CLIENT).establish();
        RawPeer other = raw(OTHER).establish();
        RawPeer nonClient = raw(NON_CLIENT).establish();
        client.announce(PLAIN, "10.0.0.7", "203.0.113.0/24");
        for (RawPeer peer : List.of(other, nonClient)) {
            awaitRoutes(peer, "203.0.113.0/24");
            RawPeer.Told told = peer.routes().get("203.0.113.0/24");
            assertThat(told.nextHop()).isEqualTo(IpAddress.parse("10.0.0.7"));
            assertThat(told.attributes().originatorId()).contains(IpAddress.parse("192.0.2.11"));
            assertThat(told.attributes().clusterList()).containsExactly(IpAddress.parse("192.0.2.1"));
        }
        nonClient.announce(PLAIN, "10.0.0.8", "198.51.100.0/24");
        awaitRoutes(client, "198.51.100.0/24");
        assertThat(speaker.explain(IpPrefix.parse("203.0.113.9/32"))).hasValueSatisfying(route -> {
            assertThat(route.prefix()).isEqualTo(IpPrefix.parse("203.0.113.0/24"));
            assertThat(route.toldTo()).containsExactly(OTHER, NON_CLIENT);
        });

        client.send(new Update(List.of(IpPrefix.parse("203.0.113.0/24")), PathAttributes.NONE, List.of()));
        awaitRoutes(nonClient);
        awaitRoutes(other, "198.51.100.0/24");
    }

    /** What is malformed costs its own session at most, and others never notice. */
    @Test
    void malformedMessagesHurtNobodyElse() {
        RawPeer good = raw(OTHER).establish();
        good.announce(PLAIN, "10.0.0.7", "203.0.113.0/24");
        for (Corpus.Case malformed : Corpus.all()) {
            // An OPEN belongs to the begin of a connection.
            boolean isOpen = malformed.octets().toArray()[18] == 1;
            try (RawPeer bad = raw(CLIENT)) {
                bad.read();
                if (!isOpen) {
                    bad.establish();
                    awaitRoutes(bad, "203.0.113.0/24");
                }
                bad.send(malformed.octets().toArray());
                if (malformed.expect().startsWith("reset")) {
                    Notification answer = bad.refusal();
                    assertThat("reset " + answer.code() + "/" + answer.subcode())
                            .as(malformed.name())
                            .isEqualTo(malformed.expect());
                    await(malformed.name() + ": the end").until(bad::ended);
                } else if (!isOpen) {
                    bad.announce(PLAIN, "10.0.0.8", "192.0.2.0/24");
                    await(malformed.name() + ": the session goes on")
                            .untilAsserted(
                                    () -> assertThat(good.routes().keySet()).contains("192.0.2.0/24"));
                }
                if (malformed.expect().equals("withdraw")) {
                    assertThat(speaker.explain(IpPrefix.parse("203.0.113.0/24"))
                                    .orElseThrow()
                                    .paths())
                            .as(malformed.name())
                            .hasSize(1);
                }
                if (!bad.ended()) {
                    // So that its routes are not kept for a restart.
                    bad.send(Notification.of(6, 4));
                    await(malformed.name() + ": the end").until(bad::ended);
                }
            }
            await(malformed.name() + ": it is gone")
                    .untilAsserted(() -> assertThat(state(CLIENT)).isEqualTo("Active"));
        }
        assertThat(good.heard(Notification.class)).isEmpty();
        assertThat(status(OTHER).sessions()).isEqualTo(1);
        assertThat(good.ended()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"64999, 90, 2, 2", "64512, 1, 2, 6", "64512, 2, 2, 6"})
    void opensThatDoNotFitAreRefused(long asn, int hold, int code, int subcode) {
        RawPeer peer = raw(CLIENT).read();
        peer.send(peer.open(asn, hold));
        assertThat(peer.refusal()).isEqualTo(Notification.of(code, subcode));
        await("that").until(peer::ended);
    }

    @Test
    void onePrefixTooManyEndsTheSession() {
        RawPeer good = raw(OTHER).establish();
        RawPeer peer = raw(CLIENT).establish();
        peer.announce(PLAIN, "10.0.0.7", prefixes(0, 100));
        await("that").untilAsserted(() -> assertThat(good.routes()).hasSize(100));
        peer.announce(PLAIN, "10.0.0.7", prefixes(100, 101));

        assertThat(peer.refusal()).isEqualTo(Notification.of(6, 1));
        awaitRoutes(good);
        assertThat(state(CLIENT)).isEqualTo("Stopped");
        RawPeer again = raw(CLIENT).read();
        await("it is left alone for a while").until(again::ended);
        assertThat(status(OTHER).sessions()).isEqualTo(1);
    }

    @Test
    void whatOurNodesHoldIsNobodyElses() {
        announce(Routes.route("a", "10.1.0.0/26"));
        RawPeer good = raw(OTHER).establish();
        RawPeer peer = raw(CLIENT).establish();
        peer.announce(PLAIN, "10.0.0.7", "10.1.0.0/28", "10.1.0.0/26", "0.0.0.0/0", "203.0.113.0/24");
        awaitRoutes(good, "10.1.0.0/26", "203.0.113.0/24");
        assertThat(good.routes().get("10.1.0.0/26").nextHop()).isEqualTo(IpAddress.parse("192.0.2.1"));
        assertThat(status(CLIENT).refused())
                .as("a part of a node's, and a default route")
                .isEqualTo(2);

        peer.announce(PLAIN, "10.0.0.7", "10.2.0.0/28");
        awaitRoutes(good, "10.1.0.0/26", "10.2.0.0/28", "203.0.113.0/24");
        announce(Routes.route("a", "10.1.0.0/26", "10.2.0.0/26"));
        awaitRoutes(good, "10.1.0.0/26", "10.2.0.0/26", "203.0.113.0/24");
    }

    @Test
    void slowReadersHoldUpNobodyAndGetTheNewest() {
        announce(Routes.route("a", "10.1.0.0/26"));
        RawPeer slow = raw(CLIENT);
        slow.send(slow.open());
        slow.send(new Keepalive());
        await("that").until(() -> state(CLIENT).equals("Established"));
        RawPeer good = raw(NON_CLIENT).establish();
        RawPeer source = raw(OTHER).establish();
        int rounds = 4_000;
        String[] prefixes = prefixes(0, 90);
        for (int i = 1; i <= rounds; i++) {
            source.announce(
                    PLAIN.with(new PathAttribute.Med(i))
                            .with(new PathAttribute.Unknown(200, Bytes.of(new byte[3_000]))),
                    "10.0.0.7",
                    prefixes);
        }
        source.announce(PLAIN.with(new PathAttribute.Med(7777)), "10.0.0.7", prefixes);
        await("that")
                .untilAsserted(() -> assertThat(
                                good.routes().get(prefixes[0]).attributes().med())
                        .hasValue(7777));
        assertThat(status(CLIENT).state()).isEqualTo("Established");

        slow.read();
        await("that").untilAsserted(() -> {
            assertThat(slow.routes()).hasSize(91);
            assertThat(slow.routes().get(prefixes[0]).attributes().med()).hasValue(7777);
        });
        assertThat(slow.heard(Update.class).count())
                .as("%d changes, of which the kernel's buffers hold some", rounds)
                .isLessThan(rounds / 2);
    }

    /** What we add on the way may be too much for a message. */
    @Test
    void attributesThatFillAMessageAreNotToldAndHurtNobody() {
        RawPeer good = raw(OTHER).establish();
        RawPeer peer = raw(CLIENT).establish();
        peer.announce(PLAIN, "10.0.0.7", "203.0.113.0/24");
        awaitRoutes(good, "203.0.113.0/24");
        peer.announce(
                PLAIN.with(new PathAttribute.Unknown(200, Bytes.of(new byte[4_030]))), "10.0.0.7", "203.0.113.0/24");
        awaitRoutes(good);
        peer.announce(PLAIN, "10.0.0.7", "198.51.100.0/24");
        awaitRoutes(good, "198.51.100.0/24");
    }

    @Test
    void halfOpenConnectionsAndStrangersHoldUpNobody() {
        for (int i = 0; i < 50; i++) {
            var _ = raw(CLIENT);
            RawPeer stranger = raw("127.0.0.99").read();
            await("a stranger is not spoken with").until(stranger::ended);
        }
        RawPeer peer = raw(CLIENT).establish();
        assertThat(state(CLIENT)).isEqualTo("Established");
        assertThat(peer.heard(Open.class)).hasSize(1);
    }

    @Test
    void aFlappingNeighbourTroublesNoOther() {
        RawPeer good = raw(OTHER).establish();
        for (int i = 0; i < 30; i++) {
            try (RawPeer flapping = raw(EXTERNAL, 64513).establish()) {
                flapping.announce(FOREIGN, "10.0.0.7", prefixes(0, 50));
                await("that").untilAsserted(() -> assertThat(good.routes()).hasSize(50));
                flapping.send(Notification.of(6, 4));
                awaitRoutes(good);
            }
        }
        assertThat(status(OTHER).sessions()).isEqualTo(1);
        assertThat(status(EXTERNAL).sessions()).isEqualTo(30);
    }

    /** RFC 4724 §4.2. */
    @Test
    void aRestartingNeighboursRoutesStayUntilItHasToldThemAnew() {
        RawPeer good = raw(OTHER).establish();
        RawPeer before = raw(CLIENT).establish();
        before.announce(PLAIN, "10.0.0.7", "203.0.113.0/24", "198.51.100.0/24");
        awaitRoutes(good, "198.51.100.0/24", "203.0.113.0/24");
        before.close();
        await("that")
                .untilAsserted(() -> assertThat(status(CLIENT).restarting()).isTrue());
        assertThat(good.routes()).hasSize(2);

        RawPeer after = raw(CLIENT).establish();
        after.announce(PLAIN, "10.0.0.7", "203.0.113.0/24");
        after.send(new EndOfRib(IpFamily.V4));
        after.send(new EndOfRib(IpFamily.V6));
        await("before its time of 5 s is over")
                .atMost(Duration.ofSeconds(3))
                .untilAsserted(() -> assertThat(good.routes().keySet()).containsExactly("203.0.113.0/24"));
        assertThat(status(CLIENT).restarting()).isFalse();
        assertThat(good.heard(Update.class).filter(u -> u.withdrawn().contains(IpPrefix.parse("203.0.113.0/24"))))
                .as("never gone")
                .isEmpty();

        after.close();
        await("that")
                .untilAsserted(() -> assertThat(status(CLIENT).restarting()).isTrue());
        await("5 s without it").atMost(Duration.ofSeconds(20)).untilAsserted(() -> awaitRoutes(good));
    }

    @Test
    void routesAreToldAgainOnRequest() {
        announce(Routes.route("a", "10.1.0.0/26"));
        RawPeer peer = raw(CLIENT).establish();
        awaitRoutes(peer, "10.1.0.0/26");
        long before = peer.heard(Update.class).count();
        peer.send(new RouteRefresh(25, 70));
        peer.send(RouteRefresh.of(IpFamily.V4));
        await("that").untilAsserted(() -> assertThat(peer.heard(Update.class)).hasSize((int) before + 1));
    }

    @Test
    void weAreDialledAndDial() throws Exception {
        try (ServerSocket listening = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.21"))) {
            PeerSettings peer = peer("127.0.0.21", listening.getLocalPort(), ASN, Neighbor.Kind.CLIENT, false);
            try (BgpSpeaker dialling = new BgpSpeaker(
                            new SpeakerSettings(LOCAL, "", 0, List.of(peer), Origination.NONE, Duration.ofMillis(1)),
                            TimeSource.SYSTEM,
                            new SplittableRandom(1));
                    Socket dialled = listening.accept()) {
                byte[] header = dialled.getInputStream().readNBytes(19);
                assertThat(header[18]).as("an OPEN").isEqualTo((byte) 1);
                assertThat(dialling.port()).isZero();
            }
        }
    }

    private PeerStatus status(String name) {
        return speaker.peers().stream()
                .filter(peer -> peer.settings().name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private String state(String name) {
        return status(name).state();
    }

    private static String[] prefixes(int from, int to) {
        return IntStream.range(from, to)
                .mapToObj(i -> "10." + (100 + i / 200) + "." + i % 200 + ".0/24")
                .toArray(String[]::new);
    }
}
