package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.common.net.InetAddresses;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.node.address.AddressBook;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BindingState;
import io.podwire.proto.ipam.v1.BindingsGrpc;
import io.podwire.proto.ipam.v1.FullNamespaces;
import io.podwire.proto.ipam.v1.ReportBindingsRequest;
import io.podwire.proto.ipam.v1.ReportBindingsRequest.ReportCase;
import io.podwire.proto.ipam.v1.ReportBindingsResponse;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class BindingClientTest {
    private static final Duration SOON = Duration.ofSeconds(8);
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3);
    private static final EndpointKey ONE = new EndpointKey("one", "eth0");
    private static final EndpointKey TWO = new EndpointKey("two", "eth0");

    private final List<Conversation<ReportBindingsRequest, ReportBindingsResponse>> streams =
            new CopyOnWriteArrayList<>();
    private final LoopbackServer server = new LoopbackServer(new BindingsGrpc.BindingsImplBase() {
        @Override
        public StreamObserver<ReportBindingsRequest> reportBindings(StreamObserver<ReportBindingsResponse> reply) {
            Conversation<ReportBindingsRequest, ReportBindingsResponse> stream = new Conversation<>(reply);
            streams.add(stream);
            return stream;
        }
    });
    /** What the client said of the end of this life. */
    private final List<String> over = new CopyOnWriteArrayList<>();

    private final EventLoop loop = new EventLoop("bindings-test");
    private final AddressBook<EndpointKey> book = new AddressBook<>(Duration.ofMinutes(1));
    private final BindingClient client =
            new BindingClient(loop, TimeSource.SYSTEM, SELF, server.target(), book, _ -> Optional.empty());

    @AfterEach
    void stop() {
        client.close();
        loop.close();
        server.close();
    }

    @Test
    void everythingFirstThenWhatChanged() {
        book.addBlock(IpPrefix.parse("10.1.0.0/29"));
        take(ONE);
        client.start(over::add);
        ReportBindingsRequest first = message(0, 0);
        assertThat(first.getNode()).isEqualTo(SELF.toProto());
        assertThat(first.getHandshake()).isEqualTo(Channels.HANDSHAKE);
        assertThat(first.getSequence()).isEqualTo(1);
        assertThat(texts(first.getFull().getBindingsList())).containsExactly("10.1.0.0 one IN_USE");
        assertThat(client.connected()).as("before an answer").isFalse();
        acknowledge(0, 1);
        await().atMost(SOON).until(client::connected);

        take(TWO);
        client.changed();
        ReportBindingsRequest second = message(0, 1);
        assertThat(second.getSequence()).isEqualTo(2);
        assertThat(texts(second.getDelta().getUpdatedList())).containsExactly("10.1.0.1 two IN_USE");
        acknowledge(0, 2);
        var _ = book.release(ONE, TimeSource.SYSTEM.monotonic());
        client.changed();
        ReportBindingsRequest third = message(0, 2);
        assertThat(texts(third.getDelta().getUpdatedList())).containsExactly("10.1.0.0  COOLING");
        assertThat(third.getDelta().getRemovedList()).isEmpty();
    }

    @Test
    void aSlowReplicaGetsTheNewestStateAndNoQueue() {
        book.addBlock(IpPrefix.parse("10.1.0.0/29"));
        client.start(over::add);
        assertThat(message(0, 0).getReportCase()).isEqualTo(ReportCase.FULL);
        acknowledge(0, 1);
        await().atMost(SOON).until(client::connected);
        take(ONE);
        look();
        assertThat(message(0, 1).getSequence()).isEqualTo(2);
        take(TWO);
        look();
        var _ = book.release(ONE, TimeSource.SYSTEM.monotonic());
        look();
        acknowledge(0, 2);
        ReportBindingsRequest newest = message(0, 2);
        assertThat(newest.getSequence()).isEqualTo(3);
        assertThat(texts(newest.getDelta().getUpdatedList()))
                .as("both changes in one message, which waited for the answer to the one before")
                .containsExactly("10.1.0.0  COOLING", "10.1.0.1 two IN_USE");
    }

    @Test
    void aNewStreamBeginsWithEverything() {
        book.addBlock(IpPrefix.parse("10.1.0.0/29"));
        client.start(over::add);
        assertThat(message(0, 0).getFull().getBindingsList()).isEmpty();
        acknowledge(0, 1);
        await().atMost(SOON).until(client::connected);
        take(ONE);
        streams.getFirst().reply().onError(Status.FAILED_PRECONDITION.asRuntimeException());
        ReportBindingsRequest again = message(1, 0);
        assertThat(again.getSequence()).isEqualTo(1);
        assertThat(texts(again.getFull().getBindingsList())).containsExactly("10.1.0.0 one IN_USE");
        acknowledge(1, 9);
        assertThat(message(2, 0).getReportCase())
                .as("after an answer to what was never sent")
                .isEqualTo(ReportCase.FULL);
    }

    @Test
    void whatTheNodesOwnAuditFindsIsToldOnceOnEachStreamUntilItChanges() {
        book.addBlock(IpPrefix.parse("10.1.0.0/29"));
        client.start(over::add);
        assertThat(message(0, 0).hasAudit()).as("before it has looked").isFalse();
        acknowledge(0, 1);
        await().atMost(SOON).until(client::connected);
        client.audited(Map.of("route", 1, "link", 2));
        ReportBindingsRequest told = message(0, 1);
        assertThat(told.getReportCase()).isEqualTo(ReportCase.DELTA);
        assertThat(counts(told)).containsExactly("link 2", "route 1");
        acknowledge(0, 2);
        client.audited(Map.of("route", 1, "link", 2));
        look();
        take(ONE);
        look();
        assertThat(message(0, 2).hasAudit()).as("the same again").isFalse();
        assertThat(texts(message(0, 2).getDelta().getUpdatedList())).containsExactly("10.1.0.0 one IN_USE");
        streams.getFirst().reply().onError(Status.UNAVAILABLE.asRuntimeException());
        assertThat(counts(message(1, 0))).as("of a new stream").containsExactly("link 2", "route 1");
        acknowledge(1, 1);
        await().atMost(SOON).until(client::connected);
        client.audited(Map.of());
        ReportBindingsRequest well = message(1, 1);
        assertThat(well.hasAudit()).as("that all is well is news").isTrue();
        assertThat(counts(well)).isEmpty();
    }

    private static List<String> counts(ReportBindingsRequest message) {
        return message.getAudit().getFindingsList().stream()
                .map(found -> found.getObject() + " " + found.getCount())
                .toList();
    }

    @Test
    void aReplicaThatServesThisLifeNoMoreIsHeardAtOnceAndNoOtherEndOfAStreamIsTakenForThat() {
        client.start(over::add);
        assertThat(message(0, 0).getSequence()).isEqualTo(1);
        refuse(0, ErrorReason.FAILED_PRECONDITION, "a newer stream of node-1 replaced this one");
        assertThat(message(1, 0).getSequence()).isEqualTo(1);
        refuse(1, ErrorReason.OWNED_BY_OTHER, "another installation is connected under that name");
        assertThat(message(2, 0).getSequence()).isEqualTo(1);
        streams.get(2).reply().onError(Status.FAILED_PRECONDITION.asRuntimeException());
        assertThat(message(3, 0).getSequence()).isEqualTo(1);
        assertThat(over).isEmpty();
        acknowledge(3, 1);
        await().atMost(SOON).until(client::connected);
        refuse(3, ErrorReason.STALE_EPOCH, "that node was taken for gone for good");
        await().atMost(SOON).until(() -> !over.isEmpty());
        assertThat(over).singleElement().asString().contains("bindings", "that node was taken for gone for good");
        assertThat(message(4, 0).getReportCase())
                .as("it goes on telling: a replica that has lost its store may ask for it")
                .isEqualTo(ReportCase.FULL);
    }

    private void refuse(int stream, ErrorReason reason, String why) {
        streams.get(stream).reply().onError(GrpcErrors.toGrpc(new ServiceException(reason, why)));
    }

    @Test
    void eachAddressOfANameIsAReplicaUntilItIsNamedNoMore() throws Exception {
        String port = server.target().substring(server.target().indexOf(':') + 1);
        List<String> asked = new CopyOnWriteArrayList<>();
        BindingClient named = new BindingClient(
                loop,
                TimeSource.SYSTEM,
                SELF,
                "ipam-replicas:" + port,
                name -> {
                    asked.add(name);
                    if (asked.size() == 1) {
                        throw new UnknownHostException("no DNS yet");
                    }
                    return new InetAddress[] {
                        InetAddresses.forString("127.0.0.1"),
                        InetAddresses.forString("::1"),
                        InetAddresses.forString("127.0.0.1")
                    };
                },
                book,
                _ -> Optional.empty());
        try (named) {
            named.start(over::add);
            assertThat(message(0, 0).getReportCase()).isEqualTo(ReportCase.FULL);
            acknowledge(0, 1);
            await().atMost(SOON).until(named::connected);
            assertThat(asked).startsWith("ipam-replicas", "ipam-replicas");
            assertThat(streams).as("one family, each address once").hasSize(1);
        }
        await("its stream ends with it")
                .atMost(SOON)
                .until(() -> !streams.getFirst().ends().isEmpty());
    }

    @Test
    void namespacesAtTheirQuotaAreAsTheServiceToldLast() {
        book.addBlock(IpPrefix.parse("10.1.0.0/29"));
        client.start(over::add);
        assertThat(message(0, 0).getTakesFullNamespaces()).isTrue();
        assertThat(client.atQuota("shop")).as("before any word").isFalse();
        answer(0, 1, "shop");
        await().atMost(SOON).until(() -> client.atQuota("shop"));
        assertThat(client.atQuota("other")).isFalse();
        assertThat(client.atQuota()).containsExactly("shop");

        take(ONE);
        client.changed();
        assertThat(message(0, 1).getSequence()).isEqualTo(2);
        answer(0, 0, "other", "shop");
        await("a word that answers nothing").atMost(SOON).until(() -> client.atQuota("other"));
        acknowledge(0, 2);
        take(TWO);
        client.changed();
        assertThat(message(0, 2).getSequence()).as("the stream goes on").isEqualTo(3);
        assertThat(client.atQuota())
                .as("an answer without a word changes nothing")
                .containsExactly("other", "shop");

        streams.getFirst().reply().onError(Status.UNAVAILABLE.asRuntimeException());
        await().atMost(SOON).until(() -> !client.connected());
        look();
        assertThat(client.atQuota()).as("while it is away the last word holds").containsExactly("other", "shop");
        assertThat(message(1, 0).getReportCase()).isEqualTo(ReportCase.FULL);
        assertThat(client.atQuota()).as("before the new stream's answer").containsExactly("other", "shop");
        answer(1, 1);
        await().atMost(SOON).until(() -> client.atQuota().isEmpty());
    }

    @Test
    void aServiceWithoutQuotasHasNone() {
        client.start(over::add);
        assertThat(message(0, 0).getSequence()).isEqualTo(1);
        answer(0, 1, "shop");
        await().atMost(SOON).until(() -> client.atQuota("shop"));
        streams.getFirst().reply().onError(Status.UNAVAILABLE.asRuntimeException());
        assertThat(message(1, 0).getSequence()).isEqualTo(1);
        acknowledge(1, 1);
        await("a release that knows no quotas").atMost(SOON).until(() -> !client.atQuota("shop"));
    }

    private void answer(int stream, long sequence, String... full) {
        streams.get(stream)
                .reply()
                .onNext(ReportBindingsResponse.newBuilder()
                        .setSequence(sequence)
                        .setFullNamespaces(FullNamespaces.newBuilder().addAllNamespaces(List.of(full)))
                        .build());
    }

    @Test
    void addressesOfOneFamilyAreTheReplicas() throws Exception {
        InetAddress[] found = {
            InetAddresses.forString("10.0.0.2"), InetAddresses.forString("fd00::2"), InetAddresses.forString("10.0.0.1")
        };
        assertThat(Replicas.of("ipam:7471", _ -> found)).containsExactly("10.0.0.1:7471", "10.0.0.2:7471");
        InetAddress[] six = {InetAddresses.forString("fd00::2")};
        assertThat(Replicas.of("ipam:7471", _ -> six)).containsExactly("[fd00::2]:7471");
        assertThat(Replicas.isAddress("[fd00::2]:7471")).isTrue();
        assertThat(Replicas.isAddress("10.0.0.1:7471")).isTrue();
        assertThat(Replicas.isAddress("ipam:7471")).isFalse();
    }

    private void take(EndpointKey key) {
        assertThat(book.take(key, Set.of(IpFamily.V4), TimeSource.SYSTEM.monotonic()))
                .isPresent();
    }

    private void look() {
        assertThat(loop.submit(() -> {
                    client.look();
                    return true;
                }))
                .succeedsWithin(SOON);
    }

    private ReportBindingsRequest message(int stream, int index) {
        await("message " + index + " of stream " + stream)
                .atMost(SOON)
                .until(() -> streams.size() > stream
                        && streams.get(stream).received().size() > index);
        return streams.get(stream).received().get(index);
    }

    private void acknowledge(int stream, long sequence) {
        streams.get(stream)
                .reply()
                .onNext(ReportBindingsResponse.newBuilder()
                        .setSequence(sequence)
                        .build());
    }

    private static List<String> texts(List<Binding> bindings) {
        return bindings.stream()
                .map(b -> b.getAddress() + " " + b.getContainerId() + " "
                        + b.getState().name().replace("BINDING_STATE_", "")
                        + (b.getState() == BindingState.BINDING_STATE_UNSPECIFIED ? "?" : ""))
                .toList();
    }
}
