package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.NodeName;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.BarrierOutcome;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.policy.v1.AwaitEndpointRequest;
import io.podwire.proto.policy.v1.AwaitEndpointResponse;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the replicas of policy-service say together of who enforces a pod. */
final class BarrierClientTest {
    private static final Duration SOON = Duration.ofSeconds(8);
    private static final Duration BOUND = Duration.ofSeconds(5);
    private static final EndpointKey KEY = new EndpointKey("c1", "eth0");
    private static final PodAddresses ADDRESSES = PodAddresses.parse(List.of("10.1.0.1", "fd00::1"));

    private record Question(AwaitEndpointRequest request, StreamObserver<AwaitEndpointResponse> reply) {
        void answer(int served, String... laggards) {
            AwaitEndpointResponse.Builder answer =
                    AwaitEndpointResponse.newBuilder().setServedNodes(served);
            for (String laggard : laggards) {
                answer.addLaggardsBuilder().setNode(laggard).setReason("it sleeps");
            }
            reply.onNext(answer.build());
            reply.onCompleted();
        }
    }

    private static final class Replica implements AutoCloseable {
        private final List<Question> questions = new CopyOnWriteArrayList<>();
        private final LoopbackServer server = new LoopbackServer(new ProgramsGrpc.ProgramsImplBase() {
            @Override
            public void awaitEndpoint(AwaitEndpointRequest request, StreamObserver<AwaitEndpointResponse> reply) {
                questions.add(new Question(request, reply));
            }
        });
        private final ManagedChannel channel = Channels.open(server.target());

        Question question(int number) {
            await("question " + number).atMost(SOON).until(() -> questions.size() > number);
            return questions.get(number);
        }

        @Override
        public void close() {
            channel.shutdownNow();
            server.close();
        }
    }

    private final Replica first = new Replica();
    private final Replica second = new Replica();
    private final LoopbackServer old = new LoopbackServer(new ProgramsGrpc.ProgramsImplBase() {});
    private final ManagedChannel oldChannel = Channels.open(old.target());
    private final EventLoop loop = new EventLoop("barrier-test");
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final Map<String, ManagedChannel> replicas =
            new TreeMap<>(Map.of("first", first.channel, "second", second.channel));
    private final BarrierClient client =
            new BarrierClient(loop, TimeSource.SYSTEM, new NodeName("node-1"), () -> replicas, meters);

    @AfterEach
    void stop() {
        first.close();
        second.close();
        oldChannel.shutdownNow();
        old.close();
        loop.close();
    }

    private CompletableFuture<BarrierOutcome> asked(Duration longest) {
        return client.await(KEY, ADDRESSES, longest);
    }

    private double count(String outcome) {
        return meters.timer("podwire.start.barrier", "outcome", outcome).count();
    }

    @Test
    void itIsThereWhenEveryReplicaSaysSo() {
        CompletableFuture<BarrierOutcome> outcome = asked(BOUND);
        AwaitEndpointRequest request = first.question(0).request();
        assertThat(request.getNode()).isEqualTo("node-1");
        assertThat(request.getKey()).isEqualTo(KEY.toString());
        assertThat(request.getAddressesList()).containsExactly("10.1.0.1", "fd00::1");
        assertThat(request.getMaxWait().getSeconds()).as("less than the bound").isEqualTo(4);
        first.question(0).answer(3);
        assertThat(outcome).isNotDone();
        second.question(0).answer(2);
        assertThat(outcome).succeedsWithin(SOON).isEqualTo(new BarrierOutcome.Complete());
        assertThat(count("complete")).isOne();
    }

    @Test
    void laggardsOfAllAreNamedAndCounted() {
        CompletableFuture<BarrierOutcome> outcome = asked(BOUND);
        first.question(0).answer(3, "node-9", "node-2");
        second.question(0).answer(2, "node-3");
        assertThat(outcome)
                .succeedsWithin(SOON)
                .isEqualTo(new BarrierOutcome.Late(
                        List.of("node-2: it sleeps", "node-3: it sleeps", "node-9: it sleeps")));
        assertThat(count("late")).isOne();
        assertThat(meters.counter("podwire.start.barrier.laggards", "node", "node-9")
                        .count())
                .isOne();
    }

    @Test
    void oneThatIsDeadSaysNothing() {
        second.server.kill();
        CompletableFuture<BarrierOutcome> outcome = asked(BOUND);
        first.question(0).answer(1);
        assertThat(outcome).succeedsWithin(SOON).isEqualTo(new BarrierOutcome.Complete());
        second.server.revive();
    }

    @Test
    void oneThatServesNobodySaysNothing() {
        CompletableFuture<BarrierOutcome> outcome = asked(BOUND);
        second.question(0).answer(0, "node-9");
        first.question(0).answer(1);
        assertThat(outcome).succeedsWithin(SOON).isEqualTo(new BarrierOutcome.Complete());
    }

    @Test
    void whileNobodyServesTheyAreAskedAgain() {
        CompletableFuture<BarrierOutcome> outcome = asked(BOUND);
        first.question(0).answer(0);
        second.question(0).answer(0);
        first.question(1).answer(0);
        second.question(1).answer(1);
        assertThat(outcome).succeedsWithin(SOON).isEqualTo(new BarrierOutcome.Complete());
    }

    @Test
    void oneThatDoesNotAnswerIsNamedAtTheBound() {
        CompletableFuture<BarrierOutcome> outcome = asked(Duration.ofMillis(500));
        first.question(0).answer(1);
        second.question(0);
        assertThat(outcome)
                .succeedsWithin(SOON)
                .isEqualTo(new BarrierOutcome.Late(
                        List.of("those that policy-service at second serves: it does not answer")));
    }

    @Test
    void whenNobodyCanTellThatIsSaidAtTheBound() {
        first.server.kill();
        second.server.kill();
        assertThat(asked(Duration.ofMillis(500)))
                .succeedsWithin(SOON)
                .isInstanceOfSatisfying(
                        BarrierOutcome.Unanswered.class,
                        unanswered ->
                                assertThat(unanswered.why()).contains("first: UNAVAILABLE", "second: UNAVAILABLE"));
        assertThat(count("unanswered")).isOne();
        first.server.revive();
        second.server.revive();
    }

    @Test
    void anOlderReleaseIsNotAskedAgain() {
        replicas.clear();
        replicas.put("old", oldChannel);
        CompletableFuture<BarrierOutcome> outcome = asked(BOUND);
        assertThat(outcome)
                .succeedsWithin(Duration.ofSeconds(3))
                .isInstanceOfSatisfying(
                        BarrierOutcome.Unanswered.class,
                        unanswered -> assertThat(unanswered.why()).contains("UNIMPLEMENTED"));
    }
}
