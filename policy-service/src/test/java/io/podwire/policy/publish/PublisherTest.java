package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.stub.ServerCallStreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.proto.policy.v1.ProgramUpdate;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

/** What is sent when things come in an order that a real channel seldom gives. */
class PublisherTest {
    private static final NodeName NODE = new NodeName("n1");

    /** A transport that takes bytes when it is told to. */
    private static final class Transport extends ServerCallStreamObserver<ProgramUpdate> {
        private final List<ProgramUpdate> sent = new CopyOnWriteArrayList<>();
        private volatile boolean ready;

        @Override
        public boolean isReady() {
            return ready;
        }

        @Override
        public void onNext(ProgramUpdate update) {
            assertThat(ready).as("ready").isTrue();
            sent.add(update);
        }

        @Override
        public boolean isCancelled() {
            return false;
        }

        @Override
        public void onError(Throwable failure) {
            throw new AssertionError(failure);
        }

        @Override
        public void onCompleted() {}

        @Override
        public void setOnCancelHandler(Runnable handler) {}

        @Override
        public void setOnReadyHandler(Runnable handler) {}

        @Override
        public void setCompression(String compression) {}

        @Override
        public void setMessageCompression(boolean enable) {}

        @Override
        public void disableAutoInboundFlowControl() {}

        @Override
        public void request(int count) {}
    }

    @Test
    void whoWaitedForTheLastNodeIsServedWhenItComes() {
        try (EventLoop loop = new EventLoop("publisher-test")) {
            Publisher publisher = publisher(loop);
            publisher.apply(ClusterDelta.of(podOn("n1"), podOn("n2")));
            Transport first = new Transport();
            first.ready = true;
            publisher.hello(
                    new NodeStream(first, "epoch"), NODE, new NodeLife("uid", 1), Map.of(), "hash of another program");
            var _ = publisher.rollout(0);
            assertThat(first.sent).as("while a node is missing").isEmpty();

            Transport last = new Transport();
            last.ready = true;
            publisher.hello(new NodeStream(last, "epoch"), new NodeName("n2"), new NodeLife("uid", 1), Map.of(), "");
            var _ = publisher.rollout(0);
            assertThat(first.sent).hasSize(1);
            assertThat(last.sent).hasSize(1);
        }
    }

    private static Publisher publisher(EventLoop loop) {
        return new Publisher(
                loop, new PolicyCompiler(UndeclaredPods.DEFAULT), new SplittableRandom(1), new SimpleMeterRegistry());
    }

    private static Change podOn(String node) {
        return new Change.PodSet(
                new Pod(new PodKey("x", "pod-of-" + node), "", Map.of(), node, Set.of(), false, false, List.of()));
    }

    @Test
    void aWholeProgramHasTheRevisionOfWhatIsInIt() {
        try (EventLoop loop = new EventLoop("publisher-test")) {
            Publisher publisher = publisher(loop);
            Transport transport = new Transport();
            NodeStream stream = new NodeStream(transport, "epoch");
            publisher.apply(ClusterDelta.of());
            publisher.hello(stream, NODE, new NodeLife("uid", 1), Map.of(), "");
            // It compiles what is posted first, so that nothing of the hello is left to do.
            assertThat(publisher.rollout(0).revision()).isPositive();
            assertThat(transport.sent).as("while the transport takes nothing").isEmpty();

            // The transport is ready between a change and the compilation, which is posted behind both.
            CompletableFuture<Void> gate = new CompletableFuture<>();
            loop.execute(gate::join);
            publisher.endpointUp(
                    stream,
                    NODE,
                    new Endpoint("cid/eth0", new PodKey("x", "a"), "", Set.of(IpAddress.parse("10.0.0.1"))));
            transport.ready = true;
            publisher.ready(stream, NODE);
            gate.complete(null);
            long newest = publisher.current().revision();
            assertThat(transport.sent).hasSize(1);
            ProgramUpdate whole = transport.sent.getFirst();
            assertThat(whole.getFull().getEndpointsList()).hasSize(1);
            assertThat(whole.getRevision()).isEqualTo(newest);

            publisher.ack(stream, NODE, newest);
            assertThat(publisher.rollout(0).nodes()).allMatch(Publisher.Progress::there);
            assertThat(transport.sent).as("nothing is told twice").hasSize(1);
        }
    }
}
