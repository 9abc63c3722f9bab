package io.podwire.route.session;

import static io.podwire.route.session.RawPeer.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.route.bgp.message.BgpMessage.Notification;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.rib.bgp.Neighbor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Peers that come, change and go while the speaker runs. */
class ChangingPeersTest extends SpeakerScene {
    private static final PeerSettings FIXED = peer(CLIENT, ASN, Neighbor.Kind.CLIENT);
    private static final PeerSettings FURTHER = peer(OTHER, ASN, Neighbor.Kind.CLIENT);

    @BeforeEach
    void start() {
        begin(Origination.NONE, FIXED);
    }

    @Test
    void aFurtherPeerComesChangesAndGoesAndOthersNeverNotice() {
        RawPeer fixed = raw("127.0.0.11").establish();
        RawPeer early = raw("127.0.0.12").read();
        await("a stranger").until(early::ended);

        speaker.peers(List.of(FURTHER));
        RawPeer further = raw("127.0.0.12").establish();
        further.announce(PLAIN, "10.0.0.7", "203.0.113.0/24");
        awaitRoutes(fixed, "203.0.113.0/24");
        speaker.peers(List.of(FURTHER));
        assertThat(speaker.peers()).as("the same changes nothing").allMatch(p -> p.sessions() == 1);
        assertThat(further.ended()).isFalse();

        speaker.peers(List.of(peer(OTHER, ASN, Neighbor.Kind.NON_CLIENT)));
        assertThat(further.refusal()).isEqualTo(Notification.of(6, 3));
        awaitRoutes(fixed);
        RawPeer again = raw("127.0.0.12").establish();
        speaker.peers(List.of());
        assertThat(again.refusal()).isEqualTo(Notification.of(6, 3));
        assertThat(speaker.peers()).extracting(PeerStatus::settings).containsExactly(FIXED);
        assertThat(fixed.ended()).isFalse();
    }

    @Test
    void whatDoesNotFitIsRefusedAndChangesNothing() {
        assertThatThrownBy(() -> speaker.peers(List.of(peer("127.0.0.11", 64513, Neighbor.Kind.EXTERNAL))))
                .hasMessageContaining("127.0.0.11");
        assertThat(speaker.peers()).extracting(PeerStatus::settings).containsExactly(FIXED);
    }

    /** Java's sockets send with a TTL of 64, as from behind many routers: not even a connection comes of it. */
    @Test
    void packetsFromAfarNeverReachUs() throws IOException {
        speaker.peers(List.of(near(FURTHER)));
        await("the peer").untilAsserted(() -> assertThat(speaker.peers()).hasSize(2));
        try (Socket far = new Socket()) {
            far.bind(new InetSocketAddress(InetAddress.getByName("127.0.0.12"), 0));
            assertThatThrownBy(() ->
                            far.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), speaker.port()), 300))
                    .isInstanceOf(SocketTimeoutException.class);
        }
        RawPeer other = raw("127.0.0.11").establish();
        assertThat(other.ended()).isFalse();

        speaker.peers(List.of(FURTHER));
        await("the peer without a limit")
                .untilAsserted(() -> assertThat(speaker.peers())
                        .extracting(PeerStatus::settings)
                        .contains(FURTHER));
        RawPeer further = raw("127.0.0.12").establish();
        assertThat(further.ended()).isFalse();
    }

    /** The same from the start, on a socket of both families. */
    @Test
    void packetsFromAfarNeverReachUsFromTheStartOn() throws IOException {
        try (BgpSpeaker strict = new BgpSpeaker(
                        new SpeakerSettings(
                                new LocalRouter(ASN, IpAddress.parse("192.0.2.1"), IpAddress.parse("192.0.2.1")),
                                "::",
                                0,
                                List.of(FIXED, near(FURTHER)),
                                Origination.NONE,
                                Duration.ofMillis(1)),
                        TimeSource.SYSTEM,
                        new SplittableRandom(1));
                Socket far = new Socket()) {
            far.bind(new InetSocketAddress(InetAddress.getByName("127.0.0.12"), 0));
            assertThatThrownBy(() ->
                            far.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), strict.port()), 300))
                    .isInstanceOf(SocketTimeoutException.class);
        }
    }

    /** Whom we dial answers from afar. */
    @Test
    void answersFromAfarMakeNoConnection() throws IOException {
        try (ServerSocket far = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.12"));
                BgpSpeaker dialling = new BgpSpeaker(
                        new SpeakerSettings(
                                new LocalRouter(ASN, IpAddress.parse("192.0.2.1"), IpAddress.parse("192.0.2.1")),
                                "",
                                0,
                                List.of(near(dialled(far.getLocalPort()))),
                                Origination.NONE,
                                Duration.ofMillis(1)),
                        TimeSource.SYSTEM,
                        new SplittableRandom(1))) {
            far.setSoTimeout(300);
            assertThatThrownBy(far::accept).isInstanceOf(SocketTimeoutException.class);
            assertThat(dialling.peers()).extracting(PeerStatus::state).containsExactly("Connect");
        }
    }

    private static PeerSettings dialled(int port) {
        return new PeerSettings(
                FURTHER.name(),
                FURTHER.address(),
                port,
                ASN,
                FURTHER.kind(),
                false,
                FURTHER.families(),
                FURTHER.holdSeconds(),
                FURTHER.restartSeconds(),
                false,
                FURTHER.secret(),
                FURTHER.addPaths(),
                FURTHER.maxPrefixes(),
                FURTHER.policy());
    }

    private static PeerSettings near(PeerSettings peer) {
        return new PeerSettings(
                peer.name(),
                peer.address(),
                peer.port(),
                peer.asn(),
                peer.kind(),
                peer.passive(),
                peer.families(),
                peer.holdSeconds(),
                peer.restartSeconds(),
                true,
                peer.secret(),
                peer.addPaths(),
                peer.maxPrefixes(),
                peer.policy());
    }
}
