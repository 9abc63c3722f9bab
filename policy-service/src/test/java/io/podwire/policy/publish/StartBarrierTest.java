package io.podwire.policy.publish;

import static io.podwire.policy.publish.TestReplica.endpoint;
import static io.podwire.policy.publish.TestReplica.podOn;
import static io.podwire.policy.publish.TestReplica.question;
import static io.podwire.policy.publish.TestReplica.sameNamespaceOnly;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.common.util.concurrent.ListenableFuture;
import io.grpc.StatusRuntimeException;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.publish.TestReplica.Announcing;
import io.podwire.proto.policy.v1.AwaitEndpointRequest;
import io.podwire.proto.policy.v1.AwaitEndpointResponse;
import io.podwire.proto.policy.v1.Laggard;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who waits until the nodes enforce an endpoint is answered when they do, and told of those that do not. */
class StartBarrierTest {
    private static final Duration LONG = Duration.ofSeconds(9);
    private static final Duration SHORT = Duration.ofMillis(300);
    private static final Endpoint A = endpoint("x", "a", "10.0.0.1");
    private static final Endpoint B = endpoint("x", "b", "10.0.1.1");
    private static final Endpoint C = endpoint("x", "c", "10.0.1.2");

    private TestReplica replica;

    @BeforeEach
    void start() throws Exception {
        replica = new TestReplica();
    }

    @AfterEach
    void stop() {
        replica.close();
    }

    private ListenableFuture<AwaitEndpointResponse> ask(AwaitEndpointRequest request) {
        return ProgramsGrpc.newFutureStub(replica.channel)
                .withDeadlineAfter(15, TimeUnit.SECONDS)
                .awaitEndpoint(request);
    }

    private AwaitEndpointResponse answer(String node, Endpoint endpoint, Duration longest) throws Exception {
        return ask(question(node, endpoint, longest)).get();
    }

    private static int members(NodeProgram program) {
        return program.addressSets().values().stream()
                .mapToInt(set -> set.cidrs().size())
                .sum();
    }

    @Test
    void itIsAnsweredWhenTheNodesThatMustHoldItAcknowledged() throws Exception {
        replica.synced(sameNamespaceOnly());
        try (TestNode one = replica.node("n1").hello(1, A);
                TestNode two = replica.node("n2").hello(1)) {
            one.awaitProgram("a", program -> members(program) == 1);
            two.awaitProgram("its first", _ -> true);
            one.acks(false);
            two.up(B);
            one.awaitProgram("b", program -> members(program) == 2);
            AwaitEndpointResponse now = answer("n2", B, SHORT);
            assertThat(now.getLaggardsList()).extracting(Laggard::getNode).containsExactly("n1");
            assertThat(now.getLaggards(0).getReason()).contains("its program changed at " + now.getRevision());
            assertThat(now.getServedNodes()).isEqualTo(2);

            ListenableFuture<AwaitEndpointResponse> waiting = ask(question("n2", B, LONG));
            assertThat(answer("n2", B, Duration.ZERO).getLaggardsCount())
                    .as("asked later and answered")
                    .isOne();
            assertThat(waiting).isNotDone();
            one.ack(one.last().getRevision());
            assertThat(waiting.get().getLaggardsList()).isEmpty();
        }
    }

    @Test
    void aNodeThatLagsInOtherThingsIsNotWaitedFor() throws Exception {
        replica.synced(sameNamespaceOnly());
        try (TestNode one = replica.node("n1").hello(1, A);
                TestNode two = replica.node("n2").hello(1, B)) {
            one.awaitProgram("a and b", program -> members(program) == 2);
            two.awaitProgram("its first", _ -> true);
            await().until(() -> answer("n2", B, Duration.ZERO).getLaggardsCount() == 0);
            one.acks(false);
            two.up(C);
            one.awaitProgram("c", program -> members(program) == 3);
            assertThat(answer("n2", C, SHORT).getLaggardsCount()).as("of c").isOne();
            assertThat(answer("n2", B, SHORT).getLaggardsCount()).as("of b").isZero();
        }
    }

    /** Else the new pod would be taken for the one that had its address. */
    @Test
    void aNodeThatStillKnowsTheAddressAsAnothersIsWaitedFor() throws Exception {
        replica.synced(sameNamespaceOnly());
        try (TestNode one = replica.node("n1").hello(1, A);
                TestNode two = replica.node("n2").hello(1, B)) {
            one.awaitProgram("a and b", program -> members(program) == 2);
            two.awaitProgram("its first", _ -> true);
            await().until(() -> answer("n2", B, Duration.ZERO).getLaggardsCount() == 0);
            one.acks(false);
            Endpoint other = endpoint("y", "other", "10.0.1.1");
            two.down(B.key());
            two.up(other);
            one.awaitProgram("b is gone", program -> members(program) == 1);
            assertThat(answer("n2", other, SHORT).getLaggardsList())
                    .extracting(Laggard::getNode)
                    .containsExactly("n1");
            one.ack(one.last().getRevision());
            assertThat(answer("n2", other, LONG).getLaggardsList()).isEmpty();
        }
    }

    @Test
    void itMayBeAskedBeforeTheNodeHasTold() throws Exception {
        replica.synced(sameNamespaceOnly());
        try (TestNode one = replica.node("n1").hello(1, A);
                TestNode two = replica.node("n2").hello(1)) {
            one.awaitProgram("a", program -> members(program) == 1);
            two.awaitProgram("its first", _ -> true);
            ListenableFuture<AwaitEndpointResponse> waiting = ask(question("n2", B, LONG));
            AwaitEndpointResponse now = answer("n2", B, SHORT);
            assertThat(now.getLaggardsList()).extracting(Laggard::getNode).containsExactly("n2");
            assertThat(now.getLaggards(0).getReason()).contains("has not told of the endpoint cid-b/eth0");
            assertThat(waiting).isNotDone();
            two.up(B);
            assertThat(waiting.get().getLaggardsList()).isEmpty();
        }
    }

    @Test
    void whatANodeRefusesIsSaid() throws Exception {
        replica.synced(sameNamespaceOnly());
        try (TestNode two = replica.node("n2").hello(1, B)) {
            two.awaitProgram("its first", _ -> true);
            // Not before: it would never be sent more than a first program without b.
            TestNode one = replica.node("n1").acks(false).hello(1, A);
            one.awaitProgram("a and b", program -> members(program) == 2);
            assertThat(answer("n2", B, SHORT).getLaggards(0).getReason())
                    .contains("has not acknowledged a program yet");
            one.nack(one.last().getRevision(), "no space left");
            await().untilAsserted(
                            () -> assertThat(answer("n2", B, Duration.ZERO).getLaggardsList())
                                    .extracting(Laggard::getReason)
                                    .containsExactly("it could not apply its program: no space left"));
            one.close();
        }
    }

    @Test
    void aNodeThatStaysAwayIsNamedAndNotWaitedFor() throws Exception {
        replica.synced(sameNamespaceOnly());
        try (TestNode two = replica.node("n2").hello(1, B)) {
            two.awaitProgram("its first", _ -> true);
            TestNode one = replica.node("n1").hello(1, A);
            one.awaitProgram("a and b", program -> members(program) == 2);
            one.close();
            await().until(() -> answer("n2", B, Duration.ZERO).getServedNodes() == 1);
            ListenableFuture<AwaitEndpointResponse> waiting = ask(question("n2", B, LONG));
            assertThat(answer("n2", B, SHORT).getLaggards(0).getReason()).contains("a moment ago");
            assertThat(waiting).as("it may come back").isNotDone();
            assertThat(waiting.get().getLaggardsList())
                    .extracting(Laggard::getReason)
                    .containsExactly("it is not connected");
            assertThat(answer("n2", B, LONG).getLaggardsCount()).as("at once").isOne();
        }
    }

    @Test
    void aReplicaThatServesNobodySaysSo() throws Exception {
        replica.synced(sameNamespaceOnly());
        var _ = new Announcing(replica, "n1", 1, A).taken();
        assertThat(answer("n1", A, LONG).getServedNodes()).isZero();
    }

    /** When its replica dies a node has come here, and the others are on their way. */
    @Test
    void thoseThatAnnounceAreWaitedForWhileTheyMayBeOnTheirWay() throws Exception {
        replica.synced(sameNamespaceOnly(), podOn("n1"), podOn("n2"));
        var _ = new Announcing(replica, "n1", 1, A).taken();
        var _ = new Announcing(replica, "n2", 1, B).taken();
        try (TestNode two = replica.node("n2").hello(1, B)) {
            two.awaitProgram("both", program -> members(program) == 2);
            AwaitEndpointResponse now = answer("n2", B, SHORT);
            assertThat(now.getLaggardsList()).extracting(Laggard::getNode).containsExactly("n1");
            assertThat(now.getLaggards(0).getReason()).contains("has not come to this one yet");
            ListenableFuture<AwaitEndpointResponse> waiting = ask(question("n2", B, LONG));
            assertThat(waiting.get().getLaggardsList())
                    .as("it is served elsewhere, and well")
                    .isEmpty();
        }
    }

    @Test
    void whatCannotBeAnEndpointIsRefused() {
        replica.synced();
        AwaitEndpointRequest good = question("n1", A, SHORT);
        assertRefused(good.toBuilder().setNode("N1").build(), "node name");
        assertRefused(good.toBuilder().clearAddresses().build(), "addresses");
        assertRefused(good.toBuilder().setKey("").build(), "key");
        assertRefused(good.toBuilder().addAddresses("10.0.0.256").build(), "10.0.0.256");
        assertRefused(question("n1", A, Duration.ofMillis(10_001)), "max_wait must be 0 s to 10 s");
        assertRefused(question("n1", A, Duration.ofSeconds(-1)), "max_wait");
    }

    private void assertRefused(AwaitEndpointRequest request, String why) {
        assertThatThrownBy(() -> ProgramsGrpc.newBlockingStub(replica.channel).awaitEndpoint(request))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("INVALID_ARGUMENT")
                .hasMessageContaining(why);
    }
}
