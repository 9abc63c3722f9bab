package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.common.service.ProgramHash;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.model.Endpoint;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.policy.v1.Ack;
import io.podwire.proto.policy.v1.EndpointDown;
import io.podwire.proto.policy.v1.EndpointUp;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.Nack;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** A node's side of the stream: keeps the program as a node would, acknowledges when told to. */
public final class TestNode implements AutoCloseable {
    private final String name;
    private final List<ProgramUpdate> updates = new CopyOnWriteArrayList<>();
    private final BlockingQueue<ProgramUpdate> arrivals = new LinkedBlockingQueue<>();
    private final StreamObserver<NodeMessage> out;
    private volatile NodeProgram program = NodeProgram.EMPTY;
    private volatile NodeProgram offered = NodeProgram.EMPTY;
    private volatile boolean acks = true;
    private volatile Optional<Status> end = Optional.empty();

    /** Opens a stream; says nothing yet. */
    public TestNode(ManagedChannel channel, String name) {
        this.name = name;
        this.out = ProgramsGrpc.newStub(channel).watch(new StreamObserver<>() {
            @Override
            public void onNext(ProgramUpdate update) {
                receive(update);
            }

            @Override
            public void onError(Throwable failure) {
                end = Optional.of(Status.fromThrowable(failure));
            }

            @Override
            public void onCompleted() {
                end = Optional.of(Status.OK);
            }
        });
    }

    private void receive(ProgramUpdate update) {
        assertThat(updates)
                .as("revisions grow within a stream")
                .allMatch(before -> before.getRevision() < update.getRevision());
        program = switch (update.getUpdateCase()) {
            case FULL -> ProgramMapping.fromProto(update.getFull());
            case DELTA -> ProgramMapping.fromProto(update.getDelta()).applyTo(program);
            case UNCHANGED -> {
                assertThat(updates).as("updates before it").isEmpty();
                yield offered;
            }
            case UPDATE_NOT_SET -> throw new AssertionError(update);
        };
        updates.add(update);
        arrivals.add(update);
        if (acks) {
            ack(update.getRevision());
        }
    }

    /** Says hello with these endpoints. */
    public TestNode hello(long counter, Endpoint... endpoints) {
        return hello(Handshake.newBuilder().setProtocol(1).setMinProtocol(1).build(), counter, endpoints);
    }

    /** The same, of a node that speaks these protocol levels. */
    public TestNode hello(Handshake handshake, long counter, Endpoint... endpoints) {
        send(NodeMessage.newBuilder()
                .setHello(Hello.newBuilder()
                        .setHandshake(handshake)
                        .setNode(NodeEpoch.newBuilder()
                                .setNode(name)
                                .setNodeUid("uid-1")
                                .setCounter(counter))
                        .addAllEndpoints(Arrays.stream(endpoints)
                                .map(ProgramMapping::toProto)
                                .toList())));
        return this;
    }

    /** Says hello as a node that enforces a program already. */
    public TestNode helloWith(NodeProgram enforced, long counter, Endpoint... endpoints) {
        offered = enforced;
        send(NodeMessage.newBuilder()
                .setHello(Hello.newBuilder()
                        .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                        .setNode(NodeEpoch.newBuilder()
                                .setNode(name)
                                .setNodeUid("uid-1")
                                .setCounter(counter))
                        .addAllEndpoints(Arrays.stream(endpoints)
                                .map(ProgramMapping::toProto)
                                .toList())
                        .setProgramSha256(ProgramHash.of(ProgramMapping.toProto(enforced, 99)))));
        return this;
    }

    /** From now on updates are answered by hand, or again by themselves. */
    public TestNode acks(boolean automatically) {
        acks = automatically;
        return this;
    }

    /** An endpoint comes. */
    public void up(Endpoint endpoint) {
        send(NodeMessage.newBuilder()
                .setEndpointUp(EndpointUp.newBuilder().setEndpoint(ProgramMapping.toProto(endpoint))));
    }

    /** An endpoint goes. */
    public void down(String key) {
        send(NodeMessage.newBuilder().setEndpointDown(EndpointDown.newBuilder().setKey(key)));
    }

    /** Acknowledges. */
    public void ack(long revision) {
        send(NodeMessage.newBuilder().setAck(Ack.newBuilder().setRevision(revision)));
    }

    /** Refuses. */
    public void nack(long revision, String reason) {
        send(NodeMessage.newBuilder()
                .setNack(Nack.newBuilder().setRevision(revision).setReason(reason)));
    }

    /** Sends anything. */
    public void send(NodeMessage.Builder message) {
        synchronized (out) {
            out.onNext(message.build());
        }
    }

    /** Waits for the next update that was not taken yet, at most 10 s. */
    public ProgramUpdate take() throws InterruptedException {
        ProgramUpdate update = arrivals.poll(10, TimeUnit.SECONDS);
        assertThat(update).as("an update").isNotNull();
        return update;
    }

    /** Updates so far. */
    public List<ProgramUpdate> updates() {
        return updates;
    }

    /** The newest update. */
    public ProgramUpdate last() {
        return updates.getLast();
    }

    /** What it enforces. */
    public NodeProgram program() {
        return program;
    }

    /** Waits until its program is so. */
    public NodeProgram awaitProgram(String what, Predicate<NodeProgram> condition) {
        await(what)
                .pollInterval(Duration.ofMillis(2))
                .atMost(Duration.ofSeconds(10))
                .until(() -> !updates.isEmpty() && condition.test(program));
        return program;
    }

    /** Waits for the end of the stream. */
    public Status awaitEnd() {
        await("end of stream").atMost(Duration.ofSeconds(10)).until(() -> end.isPresent());
        return end.orElseThrow();
    }

    /** Breaks the stream as a dying node does. */
    @Override
    public void close() {
        if (end.isEmpty()) {
            out.onError(Status.CANCELLED.withDescription("node died").asRuntimeException());
        }
    }
}
