package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.podwire.common.loop.EventLoop;
import io.podwire.proto.policy.v1.NodeQuestion;
import io.podwire.proto.policy.v1.NodeReply;
import io.podwire.proto.policy.v1.QuestionsGrpc;
import io.podwire.proto.policy.v1.QuestionsHello;

/**
 * The stream on which policy-service asks about this node's kernel. Questions are answered one after another on the loop
 * given to the constructor, which programs do not share: an answer may take its time.
 */
public final class QuestionClient {
    private final NodeIdentity self;
    private final KernelAnswers answers;
    private final ReconnectingStream<NodeReply, NodeQuestion> stream;

    /** A client that is not connected yet. */
    public QuestionClient(ManagedChannel channel, EventLoop loop, NodeIdentity self, KernelAnswers answers) {
        this.self = self;
        this.answers = answers;
        this.stream = new ReconnectingStream<>(
                "policy-service's questions",
                channel,
                loop,
                QuestionsGrpc.newStub(channel)::answer,
                this::hello,
                this::received);
    }

    /** Connects. */
    public void start() {
        stream.start();
    }

    private NodeReply hello() {
        return NodeReply.newBuilder()
                .setHello(QuestionsHello.newBuilder()
                        .setHandshake(Channels.HANDSHAKE)
                        .setNode(self.toProto()))
                .build();
    }

    private void received(NodeQuestion question) {
        if (question.getId() != 0) {
            stream.send(reply(question));
        }
    }

    private NodeReply reply(NodeQuestion question) {
        NodeReply.Builder reply = NodeReply.newBuilder().setId(question.getId());
        try {
            return switch (question.getQuestionCase()) {
                case WITNESS ->
                    reply.setVerdict(answers.verdict(question.getWitness())).build();
                case DROPS -> reply.setDrops(answers.drops()).build();
                case FLOWS -> reply.setFlows(answers.flows(question.getFlows())).build();
                case QUESTION_NOT_SET ->
                    reply.setRefused("this node-shim does not know that question: it is older than policy-service")
                            .build();
            };
        } catch (RuntimeException e) {
            // The service waits for a reply, whatever it is.
            return reply.setRefused(String.valueOf(e.getMessage())).build();
        }
    }
}
