package io.podwire.policy.publish;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.NodeMessage;
import java.util.Optional;

/**
 * The receiving half of a stream by which a node that is served elsewhere tells its endpoints. gRPC calls it from one
 * thread at a time.
 */
final class AnnounceReceiver implements StreamObserver<NodeMessage> {
    private final Publisher publisher;
    private final AnnounceStream stream;
    // Set by the Hello, read by the callback of the sending half.
    private volatile Optional<NodeName> node = Optional.empty();

    AnnounceReceiver(Publisher publisher, AnnounceStream stream) {
        this.publisher = publisher;
        this.stream = stream;
    }

    @Override
    public void onNext(NodeMessage message) {
        try {
            if (message.getMessageCase() == NodeMessage.MessageCase.HELLO) {
                hello(message.getHello());
            } else {
                later(node.orElseThrow(() -> new IllegalArgumentException("the first message must be Hello")), message);
            }
        } catch (IllegalArgumentException e) {
            publisher.refuse(
                    stream,
                    new ServiceException(
                            ErrorReason.INVALID_ARGUMENT,
                            "reading " + message.getMessageCase() + " that "
                                    + node.map(NodeName::value).orElse("a new node") + " announces: "
                                    + e.getMessage(),
                            e));
            end();
        } catch (ServiceException e) {
            publisher.refuse(stream, e);
        }
    }

    private void hello(Hello hello) {
        if (node.isPresent()) {
            throw new IllegalArgumentException("a stream has one Hello");
        }
        ProgramsService.Introduction said = ProgramsService.introduction(hello);
        node = Optional.of(said.name());
        publisher.announced(stream, said.name(), said.life(), said.endpoints());
    }

    private void later(NodeName name, NodeMessage message) {
        switch (message.getMessageCase()) {
            case ENDPOINT_UP ->
                publisher.announcedUp(
                        stream,
                        name,
                        ProgramMapping.fromProto(message.getEndpointUp().getEndpoint()));
            case ENDPOINT_DOWN ->
                publisher.announcedDown(stream, name, message.getEndpointDown().getKey());
            case ACK, NACK, HELLO, MESSAGE_NOT_SET ->
                throw new IllegalArgumentException("such a stream brings endpoints alone");
        }
    }

    void end() {
        node.ifPresent(name -> publisher.announcerGone(stream, name));
    }

    @Override
    public void onError(Throwable failure) {
        end();
    }

    @Override
    public void onCompleted() {
        end();
    }
}
