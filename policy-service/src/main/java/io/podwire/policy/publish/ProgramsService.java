package io.podwire.policy.publish;

import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import io.podwire.common.service.Handshakes;
import io.podwire.policy.model.Endpoint;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.policy.v1.AnnounceResponse;
import io.podwire.proto.policy.v1.AwaitEndpointRequest;
import io.podwire.proto.policy.v1.AwaitEndpointResponse;
import io.podwire.proto.policy.v1.GetProgramRequest;
import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.NodeRollout;
import io.podwire.proto.policy.v1.Program;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;

/** podwire.policy.v1.Programs: checks what comes in and hands it to the publisher. */
public final class ProgramsService extends ProgramsGrpc.ProgramsImplBase {
    private static final int PROTOCOL = 1;
    /** More than an ADD waits. */
    private static final Duration MAX_WAIT = Duration.ofSeconds(10);

    private final Publisher publisher;
    private final String epoch = UUID.randomUUID().toString();

    /** The service over a publisher; its revisions count in an epoch of their own. */
    public ProgramsService(Publisher publisher) {
        this.publisher = publisher;
    }

    @Override
    public StreamObserver<NodeMessage> watch(StreamObserver<ProgramUpdate> out) {
        var call = (ServerCallStreamObserver<ProgramUpdate>) out;
        Receiver receiver = new Receiver(new NodeStream(call, epoch));
        call.setOnReadyHandler(receiver::ready);
        call.setOnCancelHandler(() -> receiver.end("the connection broke"));
        return receiver;
    }

    @Override
    public void getRollout(GetRolloutRequest request, StreamObserver<Rollout> out) {
        Publisher.Rollout rollout = publisher.rollout(request.getRevision());
        out.onNext(Rollout.newBuilder()
                .setRevision(rollout.revision())
                .addAllNodes(rollout.nodes().stream()
                        .map(progress -> NodeRollout.newBuilder()
                                .setNode(progress.node().value())
                                .setTargetRevision(progress.target())
                                .setAckedRevision(progress.acked())
                                .setFailure(progress.failure())
                                .build())
                        .toList())
                .setComplete(rollout.nodes().stream().allMatch(Publisher.Progress::there))
                .build());
        out.onCompleted();
    }

    @Override
    public void getProgram(GetProgramRequest request, StreamObserver<Program> out) {
        NodeName node;
        try {
            node = new NodeName(request.getNode());
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "reading a program: " + e.getMessage(), e);
        }
        Publisher.Compiled compiled = publisher.program(node);
        out.onNext(ProgramMapping.toProto(compiled.program(), compiled.revision()));
        out.onCompleted();
    }

    @Override
    public StreamObserver<NodeMessage> announce(StreamObserver<AnnounceResponse> out) {
        var call = (ServerCallStreamObserver<AnnounceResponse>) out;
        AnnounceReceiver receiver = new AnnounceReceiver(publisher, new AnnounceStream(call));
        call.setOnCancelHandler(receiver::end);
        return receiver;
    }

    @Override
    public void awaitEndpoint(AwaitEndpointRequest request, StreamObserver<AwaitEndpointResponse> out) {
        StartBarriers.Question question;
        Duration longest;
        try {
            question = ProgramMapping.fromProto(request);
            longest = longest(request);
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "awaiting an endpoint: " + e.getMessage(), e);
        }
        CompletableFuture<StartBarriers.Answer> answer = publisher.awaitEndpoint(question, longest);
        // Who does not wait any more needs no answer.
        ((ServerCallStreamObserver<AwaitEndpointResponse>) out).setOnCancelHandler(() -> answer.cancel(false));
        var _ = answer.thenAccept(found -> {
            out.onNext(ProgramMapping.toProto(found));
            out.onCompleted();
        });
    }

    private static Duration longest(AwaitEndpointRequest request) {
        Duration longest = Duration.ofSeconds(
                request.getMaxWait().getSeconds(), request.getMaxWait().getNanos());
        if (longest.isNegative() || longest.compareTo(MAX_WAIT) > 0) {
            throw new IllegalArgumentException(
                    "max_wait must be 0 s to " + MAX_WAIT.toSeconds() + " s, got " + longest);
        }
        return longest;
    }

    /**
     * Who a Hello is of.
     *
     * @param endpoints by key
     */
    record Introduction(NodeName name, NodeLife life, Map<String, Endpoint> endpoints) {
        Introduction {
            endpoints = Map.copyOf(endpoints);
        }
    }

    /**
     * Reads a Hello.
     *
     * @throws IllegalArgumentException when it is wrong
     * @throws ServiceException when node and service do not understand each other
     */
    static Introduction introduction(Hello hello) {
        Handshakes.check(hello.getHandshake(), PROTOCOL);
        NodeEpoch epochOfNode = hello.getNode();
        NodeName name = new NodeName(epochOfNode.getNode());
        Map<String, Endpoint> endpoints = new TreeMap<>();
        for (LocalEndpoint endpoint : hello.getEndpointsList()) {
            endpoints.put(endpoint.getKey(), ProgramMapping.fromProto(endpoint));
        }
        return new Introduction(name, new NodeLife(epochOfNode.getNodeUid(), epochOfNode.getCounter()), endpoints);
    }

    /** The receiving half of a node's stream. gRPC calls it from one thread at a time. */
    private final class Receiver implements StreamObserver<NodeMessage> {
        private final NodeStream stream;
        // Set by the Hello, read by the callbacks of the sending half.
        private volatile Optional<NodeName> node = Optional.empty();

        Receiver(NodeStream stream) {
            this.stream = stream;
        }

        @Override
        public void onNext(NodeMessage message) {
            try {
                if (message.getMessageCase() == NodeMessage.MessageCase.HELLO) {
                    hello(message.getHello());
                } else {
                    later(
                            node.orElseThrow(() -> new IllegalArgumentException("the first message must be Hello")),
                            message);
                }
            } catch (IllegalArgumentException e) {
                ServiceException reason = new ServiceException(
                        ErrorReason.INVALID_ARGUMENT,
                        "reading " + message.getMessageCase() + " of "
                                + node.map(NodeName::value).orElse("a new node") + ": " + e.getMessage(),
                        e);
                publisher.refuse(stream, reason);
                end(reason.getMessage());
            } catch (ServiceException e) {
                publisher.refuse(stream, e);
            }
        }

        private void hello(Hello hello) {
            if (node.isPresent()) {
                throw new IllegalArgumentException("a stream has one Hello");
            }
            Introduction said = introduction(hello);
            node = Optional.of(said.name());
            publisher.hello(stream, said.name(), said.life(), said.endpoints(), hello.getProgramSha256());
        }

        private void later(NodeName name, NodeMessage message) {
            switch (message.getMessageCase()) {
                case ENDPOINT_UP ->
                    publisher.endpointUp(
                            stream,
                            name,
                            ProgramMapping.fromProto(message.getEndpointUp().getEndpoint()));
                case ENDPOINT_DOWN ->
                    publisher.endpointDown(
                            stream, name, message.getEndpointDown().getKey());
                case ACK -> publisher.ack(stream, name, message.getAck().getRevision());
                case NACK ->
                    publisher.nack(
                            stream,
                            name,
                            message.getNack().getRevision(),
                            message.getNack().getReason());
                case HELLO, MESSAGE_NOT_SET -> throw new IllegalArgumentException("a message must say something known");
            }
        }

        void ready() {
            node.ifPresent(name -> publisher.ready(stream, name));
        }

        void end(String why) {
            node.ifPresent(name -> publisher.gone(stream, name, why));
        }

        @Override
        public void onError(Throwable failure) {
            end(Status.fromThrowable(failure).toString());
        }

        @Override
        public void onCompleted() {
            end("it said goodbye");
        }
    }
}
