package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.UnknownFieldSet;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.common.service.ProgramHash;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.journal.Journal;
import io.podwire.node.nft.backend.ModelNft;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.RandomInputs;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.policy.v1.AddressSet;
import io.podwire.proto.policy.v1.DirectionPolicy;
import io.podwire.proto.policy.v1.EndpointPolicy;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.Program;
import io.podwire.proto.policy.v1.ProgramDelta;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Unchanged;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PolicyClientTest {
    private static final Duration SOON = Duration.ofSeconds(8);
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3);
    private static final EndpointKey KEY = RandomInputs.endpoint(1).key();

    @TempDir
    Path folder;

    private final List<Conversation<NodeMessage, ProgramUpdate>> streams = new CopyOnWriteArrayList<>();
    private final LoopbackServer server = new LoopbackServer(new ProgramsGrpc.ProgramsImplBase() {
        @Override
        public StreamObserver<NodeMessage> watch(StreamObserver<ProgramUpdate> reply) {
            Conversation<NodeMessage, ProgramUpdate> stream = new Conversation<>(reply);
            streams.add(stream);
            return stream;
        }
    });
    private final EventLoop loop = new EventLoop("policy-test");
    private final EventLoop rulesetLoop = new EventLoop("ruleset-test");
    private final ModelNft nft = new ModelNft();
    private final RulesetReconciler ruleset =
            new RulesetReconciler(nft, rulesetLoop, Set.of(IpFamily.V4), 4789, Masquerade.NONE);
    private final ManagedChannel channel = Channels.open(server.target());
    private Journal journal;
    private PolicyClient client;

    @BeforeEach
    void prepare() {
        journal = Journal.open(folder.resolve("journal.mv"));
        journal.begin("boot-1", Optional.empty());
        ruleset.start(List.of(), Optional.of(NodeProgram.EMPTY));
        client = new PolicyClient(channel, loop, SELF, journal, ruleset);
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        loop.close();
        rulesetLoop.close();
        server.close();
        journal.close();
    }

    @Test
    void helloNamesTheNodeAndAllItsEndpoints() {
        client.announce(KEY, new PodIdentity("ns", "p", "u", true), PodAddresses.of(IpAddress.parse("10.1.0.1")));
        client.announce(new EndpointKey("gone", "eth0"), bare(), PodAddresses.of(IpAddress.parse("10.1.0.9")));
        client.withdraw(new EndpointKey("gone", "eth0"));
        client.start();
        NodeMessage hello = received(0, 0);
        assertThat(hello.getHello().getNode())
                .isEqualTo(NodeEpoch.newBuilder()
                        .setNode("node-1")
                        .setNodeUid("uid-1")
                        .setBootId("boot-1")
                        .setCounter(3)
                        .build());
        assertThat(hello.getHello().getHandshake().getProtocol()).isOne();
        assertThat(hello.getHello().getEndpointsList()).containsExactly(endpoint());
    }

    private static LocalEndpoint endpoint() {
        LocalEndpoint.Builder endpoint = LocalEndpoint.newBuilder()
                .setKey(KEY.toString())
                .addAddresses("10.1.0.1")
                .setDeclared(true);
        endpoint.getPodBuilder().setNamespace("ns").setName("p").setUid("u");
        return endpoint.build();
    }

    @Test
    void bothAddressesAreAnnounced() {
        client.start();
        received(0, 0);
        client.announce(KEY, bare(), PodAddresses.parse(List.of("fd00::1", "10.1.0.1")));
        assertThat(received(0, 1).getEndpointUp().getEndpoint().getAddressesList())
                .containsExactly("10.1.0.1", "fd00::1");
    }

    @Test
    void comingAndGoingIsToldAndAskingTwiceIsToldOnce() {
        client.start();
        received(0, 0);
        client.announce(KEY, new PodIdentity("ns", "p", "u", true), PodAddresses.of(IpAddress.parse("10.1.0.1")));
        assertThat(received(0, 1).getEndpointUp().getEndpoint()).isEqualTo(endpoint());
        client.withdraw(KEY);
        client.withdraw(KEY);
        client.announce(KEY, bare(), PodAddresses.of(IpAddress.parse("10.1.0.1")));
        assertThat(received(0, 2).getEndpointDown().getKey()).isEqualTo(KEY.toString());
        assertThat(received(0, 3).hasEndpointUp()).as("no second EndpointDown").isTrue();
    }

    @Test
    void whatIsAnnouncedSoonIsToldUnlessItIsWithdrawnBefore() {
        client.start();
        received(0, 0);
        CountDownLatch busy = new CountDownLatch(1);
        loop.execute(() -> {
            try {
                busy.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        EndpointKey gone = new EndpointKey("gone", "eth0");
        client.announceSoon(gone, bare(), PodAddresses.of(IpAddress.parse("10.1.0.9")));
        client.announceSoon(KEY, new PodIdentity("ns", "p", "u", true), PodAddresses.of(IpAddress.parse("10.1.0.1")));
        client.withdraw(gone);
        busy.countDown();
        assertThat(received(0, 1).getEndpointUp().getEndpoint())
                .as("the first that is told")
                .isEqualTo(endpoint());
        client.withdraw(KEY);
        assertThat(received(0, 2).getEndpointDown().getKey())
                .as("of one that was told")
                .isEqualTo(KEY.toString());
    }

    @Test
    void aFullProgramCoversWhoWaitsAndIsAcknowledgedWhenTheKernelHasIt() {
        CompletableFuture<Long> waiting = ruleset.attach(RandomInputs.endpoint(1));
        client.start();
        received(0, 0);
        send(0, full(5));
        assertThat(received(0, 1).getAck().getRevision()).isEqualTo(5);
        assertThat(waiting).succeedsWithin(SOON).isEqualTo(5L);
        assertThat(ruleset.revision()).isEqualTo(5);
        assertThat(journal.program().orElseThrow().revision())
                .as("for a restart")
                .isEqualTo(5);
        assertThat(client.connected()).isTrue();
    }

    @Test
    void aDeltaAmendsTheProgramOfItsStream() {
        client.start();
        received(0, 0);
        send(0, full(5));
        send(0, delta(6, "late/eth0"));
        assertThat(received(0, 1).getAck().getRevision()).isEqualTo(5);
        assertThat(received(0, 2).getAck().getRevision()).isEqualTo(6);
        assertThat(journal.program().orElseThrow().endpoints().keySet())
                .containsExactly(KEY, new EndpointKey("late", "eth0"));
    }

    @Test
    void aDeltaBeforeTheFirstFullIsRefused() {
        client.start();
        received(0, 0);
        send(0, delta(6, "late/eth0"));
        NodeMessage answer = received(0, 1);
        assertThat(answer.getNack().getRevision()).isEqualTo(6);
        assertThat(answer.getNack().getReason()).contains("before the first full program");
        assertThat(ruleset.revision()).isZero();
        assertThat(journal.program()).isEmpty();
    }

    @Test
    void theProgramOfAnOldStreamIsNoBaseForADelta() {
        client.start();
        received(0, 0);
        send(0, full(5));
        received(0, 1);
        streams.getFirst().reply().onCompleted();
        received(1, 0);
        send(1, delta(6, "late/eth0"));
        assertThat(received(1, 1).getNack().getRevision()).isEqualTo(6);
        assertThat(ruleset.revision()).as("the last one stays enforced").isEqualTo(5);
    }

    @Test
    void whatCannotBeUnderstoodIsRefusedAndTheLastOneStays() {
        client.start();
        received(0, 0);
        send(0, full(5));
        received(0, 1);
        Program.Builder wrong = Program.newBuilder()
                .addAddressSets(AddressSet.newBuilder().setId("s").addCidrs("10.1.0.1/8"));
        send(0, ProgramUpdate.newBuilder().setRevision(6).setFull(wrong).build());
        assertThat(received(0, 2).getNack().getReason()).contains("10.1.0.1/8");
        send(0, ProgramUpdate.newBuilder().setRevision(7).build());
        assertThat(received(0, 3).getNack().getReason()).contains("neither full nor delta");
        send(0, delta(5, "late/eth0"));
        assertThat(received(0, 4).getNack().getReason()).contains("does not follow revision 5");
        assertThat(ruleset.revision()).isEqualTo(5);
        assertThat(journal.program().orElseThrow().revision()).isEqualTo(5);
    }

    @Test
    void whatTheKernelRefusesIsNotAcknowledgedAndNotWrittenDown() {
        CompletableFuture<Long> _ = ruleset.attach(RandomInputs.endpoint(1));
        client.start();
        received(0, 0);
        nft.failNext(1);
        send(0, full(5));
        assertThat(received(0, 1).getNack().getReason()).contains("refused on request");
        assertThat(journal.program()).isEmpty();
    }

    /** Deltas on top of a refused program are no deltas to what the journal has. */
    @Test
    void theJournalHasTheWholeProgramAfterARefusal() {
        CompletableFuture<Long> _ = ruleset.attach(RandomInputs.endpoint(1));
        client.start();
        received(0, 0);
        send(0, full(5));
        received(0, 1);
        CompletableFuture<Long> _ = ruleset.attach(RandomInputs.endpoint(2));
        nft.failNext(1);
        send(0, delta(6, RandomInputs.endpoint(2).key().toString()));
        assertThat(received(0, 2).hasNack()).isTrue();
        send(0, delta(7, RandomInputs.endpoint(3).key().toString()));
        assertThat(received(0, 3).getAck().getRevision()).isEqualTo(7);
        assertThat(journal.program().orElseThrow().endpoints()).hasSize(3);
    }

    @Test
    void endpointsAreToldAgainAfterTheServiceDied() {
        client.start();
        received(0, 0);
        send(0, full(5));
        received(0, 1);
        server.kill();
        await().atMost(SOON).until(() -> !client.connected());
        client.announce(KEY, new PodIdentity("ns", "p", "u", true), PodAddresses.of(IpAddress.parse("10.1.0.1")));
        server.revive();
        // A hello may have been waiting for its connection when the endpoint came: that follows it then.
        await().atMost(SOON).until(() -> told(1).equals(List.of(endpoint())));
        assertThat(ruleset.revision()).as("fail static").isEqualTo(5);
        send(1, full(1));
        await("revisions of a new service may be lower")
                .atMost(SOON)
                .until(() -> messages(1).anyMatch(message -> message.getAck().getRevision() == 1));
    }

    @Test
    void aProgramThatItHasNeedsNotBeSentAgainNotEvenAfterARestart() {
        client.start();
        received(0, 0);
        assertThat(received(0, 0).getHello().getProgramSha256())
                .as("it has none")
                .isEmpty();
        send(0, full(5));
        received(0, 1);
        send(0, delta(6, "late/eth0"));
        received(0, 2);
        streams.getFirst().reply().onCompleted();
        String expected = ProgramHash.of(Program.newBuilder()
                .addEndpoints(open("late/eth0"))
                .addEndpoints(open(KEY.toString()))
                .setRevision(6)
                .build());
        assertThat(received(1, 0).getHello().getProgramSha256())
                .as("after a delta")
                .isEqualTo(expected);
        send(1, unchanged(2));
        assertThat(received(1, 1).getAck().getRevision())
                .as("of another service")
                .isEqualTo(2);
        assertThat(ruleset.revision()).isEqualTo(2);
        assertThat(journal.program().orElseThrow().revision()).isEqualTo(2);

        PolicyClient restarted = new PolicyClient(channel, loop, SELF, journal, ruleset);
        restarted.start();
        assertThat(received(2, 0).getHello().getProgramSha256())
                .as("from the journal")
                .isEqualTo(expected);
        send(2, unchanged(9));
        assertThat(received(2, 1).getAck().getRevision()).isEqualTo(9);
        send(2, delta(10, "later/eth0"));
        assertThat(received(2, 2).getAck().getRevision()).isEqualTo(10);
        assertThat(journal.program().orElseThrow().endpoints()).hasSize(3);
    }

    /** A service of the next release may say more than this node knows of. */
    @Test
    void whatIsNotKnownInAProgramIsPassedOver() {
        UnknownFieldSet later = UnknownFieldSet.newBuilder()
                .addField(1000, UnknownFieldSet.Field.newBuilder().addVarint(7).build())
                .build();
        client.start();
        received(0, 0);
        send(0, full(5).toBuilder().setUnknownFields(later).build());
        assertThat(received(0, 1).getAck().getRevision()).isEqualTo(5);
        ProgramUpdate.Builder delta = delta(6, "late/eth0").toBuilder();
        delta.getDeltaBuilder().setUnknownFields(later).getEndpointsBuilder(0).setUnknownFields(later);
        send(0, delta.build());
        assertThat(received(0, 2).getAck().getRevision()).isEqualTo(6);
        assertThat(journal.program().orElseThrow().endpoints()).hasSize(2);
    }

    @Test
    void unchangedIsRefusedWhereNoProgramWasNamed() {
        client.start();
        received(0, 0);
        send(0, unchanged(5));
        assertThat(received(0, 1).getNack().getReason()).contains("no program was named");
        send(0, full(6));
        received(0, 2);
        send(0, unchanged(7));
        assertThat(received(0, 3).getNack().getReason())
                .as("not the first update")
                .contains("no program was named");
    }

    private static ProgramUpdate unchanged(long revision) {
        return ProgramUpdate.newBuilder()
                .setRevision(revision)
                .setUnchanged(Unchanged.getDefaultInstance())
                .build();
    }

    private Stream<NodeMessage> messages(int stream) {
        return streams.size() > stream ? List.copyOf(streams.get(stream).received()).stream() : Stream.empty();
    }

    /** The endpoints that a stream has brought, in its hello and after it. */
    private List<LocalEndpoint> told(int stream) {
        return messages(stream)
                .flatMap(message -> message.hasEndpointUp()
                        ? Stream.of(message.getEndpointUp().getEndpoint())
                        : message.getHello().getEndpointsList().stream())
                .toList();
    }

    private NodeMessage received(int stream, int message) {
        await().atMost(SOON)
                .until(() -> streams.size() > stream
                        && streams.get(stream).received().size() > message);
        return streams.get(stream).received().get(message);
    }

    private void send(int stream, ProgramUpdate update) {
        streams.get(stream).reply().onNext(update);
    }

    private static ProgramUpdate full(long revision) {
        return ProgramUpdate.newBuilder()
                .setRevision(revision)
                .setFull(Program.newBuilder().addEndpoints(open(KEY.toString())))
                .build();
    }

    private static ProgramUpdate delta(long revision, String key) {
        return ProgramUpdate.newBuilder()
                .setRevision(revision)
                .setDelta(ProgramDelta.newBuilder().addEndpoints(open(key)))
                .build();
    }

    private static EndpointPolicy open(String key) {
        return EndpointPolicy.newBuilder()
                .setKey(key)
                .setIngress(DirectionPolicy.getDefaultInstance())
                .setEgress(DirectionPolicy.getDefaultInstance())
                .build();
    }

    private static PodIdentity bare() {
        return new PodIdentity("", "", "", false);
    }
}
