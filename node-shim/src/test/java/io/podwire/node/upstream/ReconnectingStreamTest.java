package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.EventLoop;
import io.podwire.proto.route.v1.Announcement;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RouteUpdate;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class ReconnectingStreamTest {
    private static final Duration SOON = Duration.ofSeconds(8);

    private final List<Conversation<Announcement, RouteUpdate>> streams = new CopyOnWriteArrayList<>();
    private final LoopbackServer server = new LoopbackServer(new RoutesGrpc.RoutesImplBase() {
        @Override
        public StreamObserver<Announcement> exchange(StreamObserver<RouteUpdate> reply) {
            Conversation<Announcement, RouteUpdate> stream = new Conversation<>(reply);
            streams.add(stream);
            return stream;
        }
    });
    private final EventLoop loop = new EventLoop("stream-test");
    private final ManagedChannel channel = Channels.open(server.target());
    private final List<Long> received = new CopyOnWriteArrayList<>();
    private final AtomicInteger opened = new AtomicInteger();
    private final ReconnectingStream<Announcement, RouteUpdate> stream = stream(channel);

    private ReconnectingStream<Announcement, RouteUpdate> stream(ManagedChannel over) {
        return new ReconnectingStream<>(
                "test-service",
                over,
                loop,
                RoutesGrpc.newStub(over)::exchange,
                () -> message("first-" + opened.incrementAndGet()),
                update -> received.add(update.getSequence()));
    }

    @AfterEach
    void stop() {
        loop.close();
        channel.shutdownNow();
        server.close();
    }

    @Test
    void eachStreamBeginsWithAFirstMessageOfItsOwn() {
        stream.start();
        await().atMost(SOON).until(() -> nodes(0).equals(List.of("first-1")));
        loop.execute(() -> stream.send(message("second")));
        await().atMost(SOON).until(() -> nodes(0).equals(List.of("first-1", "second")));
        streams.getFirst().reply().onCompleted();
        await().atMost(SOON).until(() -> streams.size() == 2 && nodes(1).equals(List.of("first-2")));
    }

    @Test
    void connectedMeansThatAnAnswerCame() {
        stream.start();
        await().atMost(SOON).until(() -> streams.size() == 1);
        assertThat(stream.connected()).as("nothing was answered").isFalse();
        streams.getFirst().reply().onNext(update(7));
        await().atMost(SOON).until(stream::connected);
        assertThat(received).containsExactly(7L);
        streams.getFirst().reply().onError(Status.UNAVAILABLE.asRuntimeException());
        await().atMost(SOON).until(() -> !stream.connected());
    }

    @Test
    void aServerThatDiedIsFoundAgain() {
        stream.start();
        await().atMost(SOON).until(() -> streams.size() == 1);
        streams.getFirst().reply().onNext(update(1));
        await().atMost(SOON).until(stream::connected);
        server.kill();
        await().atMost(SOON).until(() -> !stream.connected());
        server.revive();
        await().atMost(SOON).until(() -> streams.size() == 2);
        streams.get(1).reply().onNext(update(2));
        await().atMost(SOON).until(stream::connected);
        assertThat(received).containsExactly(1L, 2L);
    }

    @Test
    void resetEndsThisStreamAndOpensAnother() {
        stream.start();
        await().atMost(SOON).until(() -> streams.size() == 1);
        loop.execute(() -> stream.reset("a gap"));
        await().atMost(SOON).until(() -> streams.size() == 2);
        await().atMost(SOON).until(() -> !streams.getFirst().ends().isEmpty());
    }

    @Test
    void sendingAfterResetWaitsForTheNextStreamsFirstMessage() {
        stream.start();
        await().atMost(SOON).until(() -> streams.size() == 1);
        assertThat(loop.submit(() -> {
                    stream.reset("a gap");
                    stream.send(message("lost"));
                    return true;
                }))
                .as("a message on an ended stream is no failure")
                .succeedsWithin(SOON);
        await().atMost(SOON).until(() -> streams.size() == 2 && !nodes(1).isEmpty());
        assertThat(nodes(1)).containsExactly("first-2");
    }

    @Test
    void beforeTheStartNothingIsSent() {
        assertThat(loop.submit(() -> {
                    stream.send(message("early"));
                    stream.reset("early");
                    return true;
                }))
                .succeedsWithin(SOON);
        assertThat(streams).isEmpty();
        assertThat(stream.connected()).isFalse();
    }

    /** gRPC's own pause between connections grows to two minutes: it must not hold up the stream's. */
    @Test
    void aServiceThatIsAwayIsTriedAtTheStreamsOwnPace() throws IOException {
        AtomicInteger connections = new AtomicInteger();
        ServerSocketChannel deaf =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        Thread.ofPlatform().daemon().start(() -> {
            while (true) {
                try (SocketChannel client = deaf.accept()) {
                    assertThat(client.isConnected()).isTrue();
                    connections.incrementAndGet();
                } catch (IOException e) {
                    return;
                }
            }
        });
        ManagedChannel away = Channels.open("127.0.0.1:" + deaf.socket().getLocalPort());
        try {
            stream(away).start();
            await().atMost(Duration.ofSeconds(5)).until(() -> connections.get() >= 6);
        } finally {
            away.shutdownNow();
            deaf.close();
        }
    }

    private List<String> nodes(int conversation) {
        return streams.size() <= conversation
                ? List.of()
                : streams.get(conversation).received().stream()
                        .map(a -> a.getRoute().getNode())
                        .toList();
    }

    private static Announcement message(String node) {
        return Announcement.newBuilder()
                .setRoute(NodeRoute.newBuilder().setNode(node))
                .build();
    }

    private static RouteUpdate update(long sequence) {
        return RouteUpdate.newBuilder().setSequence(sequence).build();
    }
}
