package io.podwire.policy.publish;

import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.policy.v1.NodeQuestion;
import io.podwire.proto.policy.v1.NodeReply;
import io.podwire.proto.policy.v1.QuestionsGrpc;
import io.podwire.proto.policy.v1.QuestionsHello;
import java.util.Optional;
import java.util.function.Function;

/** A node's side of the stream of questions. */
public final class AnsweringNode implements AutoCloseable {
    private final StreamObserver<NodeReply> out;
    private volatile Function<NodeQuestion, Optional<NodeReply>> answer;
    private volatile boolean heard;
    private volatile Optional<Status> end = Optional.empty();

    /**
     * Says hello.
     *
     * @param answer empty: it says nothing
     */
    public AnsweringNode(ManagedChannel channel, String name, Function<NodeQuestion, Optional<NodeReply>> answer) {
        this.answer = answer;
        this.out = QuestionsGrpc.newStub(channel).answer(new StreamObserver<>() {
            @Override
            public void onNext(NodeQuestion question) {
                if (question.getId() == 0) {
                    heard = true;
                } else {
                    reply(question);
                }
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
        send(NodeReply.newBuilder()
                .setHello(QuestionsHello.newBuilder()
                        .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                        .setNode(NodeEpoch.newBuilder().setNode(name)))
                .build());
    }

    private void reply(NodeQuestion question) {
        answer.apply(question)
                .ifPresent(
                        reply -> send(reply.toBuilder().setId(question.getId()).build()));
    }

    private void send(NodeReply reply) {
        synchronized (this) {
            out.onNext(reply);
        }
    }

    /** Waits until the service has taken the hello. */
    public AnsweringNode awaitHeard() {
        await("the hello").until(() -> heard);
        return this;
    }

    /** From now on it answers so. */
    public void answers(Function<NodeQuestion, Optional<NodeReply>> next) {
        answer = next;
    }

    /** Waits for the end of the stream. */
    public Status awaitEnd() {
        await("end of stream").until(() -> end.isPresent());
        return end.orElseThrow();
    }

    @Override
    public void close() {
        if (end.isEmpty()) {
            out.onCompleted();
        }
    }
}
