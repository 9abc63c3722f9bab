package io.podwire.route.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.proto.route.v1.BgpExportRules;
import io.podwire.proto.route.v1.BgpPeer;
import io.podwire.proto.route.v1.BgpPeerKind;
import io.podwire.proto.route.v1.BgpPeerSource;
import io.podwire.proto.route.v1.BgpPeerSpec;
import io.podwire.proto.route.v1.CreateBgpPeerRequest;
import io.podwire.proto.route.v1.DeleteBgpPeerRequest;
import io.podwire.proto.route.v1.GetBgpPeerRequest;
import io.podwire.proto.route.v1.ListBgpPeersRequest;
import io.podwire.proto.route.v1.ListBgpPeersResponse;
import io.podwire.proto.route.v1.SetBgpNodeLeavingRequest;
import io.podwire.route.peers.PeerRegistry;
import io.podwire.route.peers.StateFile;
import io.podwire.route.reflect.bgp.LocalRouter;
import io.podwire.route.reflect.bgp.Origination;
import io.podwire.route.reflect.bgp.PeerPolicy;
import io.podwire.route.session.BgpSpeaker;
import io.podwire.route.session.PeerSettings;
import io.podwire.route.session.SpeakerSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Peers by calls; the speaker waits for them, and nobody comes. */
class BgpGrpcServiceTest {
    private static final BgpPeerSpec SPEC = BgpPeerSpec.newBuilder()
            .setName("tor")
            .setAddress("127.0.0.77")
            .setAsn((int) 4_200_000_000L)
            .setPassive(true)
            .setHoldSeconds(0)
            .setAddPaths(4)
            .addImportRules("203.0.113.0/24")
            .setExportRules(BgpExportRules.getDefaultInstance())
            .addCommunities("64512:7")
            .build();

    @TempDir
    private Path folder;

    private BgpSpeaker speaker;
    private BgpGrpcService service;

    @BeforeEach
    void start() {
        IpAddress identifier = IpAddress.parse("192.0.2.1");
        SpeakerSettings settings = new SpeakerSettings(
                new LocalRouter(64512, identifier, identifier),
                "127.0.0.1",
                0,
                List.of(),
                Origination.NONE,
                Duration.ofSeconds(30));
        speaker = new BgpSpeaker(settings, TimeSource.SYSTEM, new SplittableRandom(1));
        service = new BgpGrpcService(
                speaker,
                new PeerRegistry(
                        settings,
                        Optional.of(new StateFile(folder.resolve("state.yaml"))),
                        speaker::peers,
                        speaker::leaving));
    }

    @AfterEach
    void stop() {
        speaker.close();
    }

    @Test
    void aPeerIsCreatedFoundAndDeleted() {
        assertThat(call(service::createBgpPeer, create(SPEC)).getName()).isEqualTo("tor");
        await().untilAsserted(() -> assertThat(list().getPeersList()).hasSize(1));
        BgpPeer peer = call(
                        service::getBgpPeer,
                        GetBgpPeerRequest.newBuilder().setName("tor").build())
                .getPeer();
        assertThat(peer.getAddress()).isEqualTo("127.0.0.77");
        assertThat(Integer.toUnsignedLong(peer.getAsn())).isEqualTo(4_200_000_000L);
        assertThat(peer.getKind()).isEqualTo(BgpPeerKind.BGP_PEER_KIND_EXTERNAL);
        assertThat(peer.getSource()).isEqualTo(BgpPeerSource.BGP_PEER_SOURCE_GRPC);
        assertThat(peer.getState()).isEqualTo("Active");
        PeerSettings settings = speaker.peers().getFirst().settings();
        assertThat(settings.holdSeconds()).as("0 is no default").isZero();
        assertThat(settings.addPaths()).isEqualTo(4);
        assertThat(settings.restartSeconds()).as("the default").isEqualTo(120);
        assertThat(settings.policy().export())
                .as("rules that permit nothing are not no rules")
                .isInstanceOf(PeerPolicy.Export.Listed.class);

        DeleteBgpPeerRequest delete =
                DeleteBgpPeerRequest.newBuilder().setName("tor").build();
        var _ = call(service::deleteBgpPeer, delete);
        var _ = call(service::deleteBgpPeer, delete);
        await().untilAsserted(() -> assertThat(list().getPeersList()).isEmpty());
        assertThatThrownBy(() -> call(
                        service::getBgpPeer,
                        GetBgpPeerRequest.newBuilder().setName("tor").build()))
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.NOT_FOUND));
    }

    @Test
    void whatIsWrongIsNamed() {
        for (BgpPeerSpec wrong : List.of(
                SPEC.toBuilder().setAddress("tor.example").build(),
                SPEC.toBuilder().setAsn(0).build(),
                SPEC.toBuilder().setHoldSeconds(2).build(),
                SPEC.toBuilder().setAddPaths(65).build(),
                SPEC.toBuilder().addImportRules("all").build())) {
            assertThatThrownBy(() -> call(service::createBgpPeer, create(wrong)))
                    .isInstanceOfSatisfying(
                            ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT))
                    .hasMessageContaining("peer: ");
        }
        assertThat(list().getPeersList()).isEmpty();
    }

    @Test
    void aNodeLeavesAndStays() {
        assertThat(leaving("node-1", true)).containsExactly("node-1");
        assertThat(leaving("node-2", true)).containsExactly("node-1", "node-2");
        assertThat(leaving("node-1", false)).containsExactly("node-2");
        assertThatThrownBy(() -> leaving("No Node", true)).hasMessageContaining("node");
    }

    private List<String> leaving(String node, boolean leaves) {
        return call(
                        service::setBgpNodeLeaving,
                        SetBgpNodeLeavingRequest.newBuilder()
                                .setNode(node)
                                .setLeaving(leaves)
                                .build())
                .getLeavingNodesList();
    }

    private ListBgpPeersResponse list() {
        return call(service::listBgpPeers, ListBgpPeersRequest.getDefaultInstance());
    }

    private static CreateBgpPeerRequest create(BgpPeerSpec spec) {
        return CreateBgpPeerRequest.newBuilder().setPeer(spec).build();
    }

    private static <Q, A> A call(BiConsumer<Q, StreamObserver<A>> method, Q request) {
        List<A> answers = new ArrayList<>();
        method.accept(request, new StreamObserver<>() {
            @Override
            public void onNext(A answer) {
                answers.add(answer);
            }

            @Override
            public void onError(Throwable failure) {
                throw new AssertionError(failure);
            }

            @Override
            public void onCompleted() {}
        });
        return answers.getFirst();
    }
}
