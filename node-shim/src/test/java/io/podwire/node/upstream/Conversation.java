package io.podwire.node.upstream;

import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The server's side of one bidirectional stream, written down.
 *
 * @param received what the client has sent so far
 * @param ends how the stream ended; empty while it is open
 * @param reply to the client
 */
record Conversation<Q, A>(List<Q> received, List<String> ends, StreamObserver<A> reply) implements StreamObserver<Q> {
    Conversation(StreamObserver<A> reply) {
        this(new CopyOnWriteArrayList<>(), new CopyOnWriteArrayList<>(), reply);
    }

    @Override
    public void onNext(Q message) {
        received.add(message);
    }

    @Override
    public void onError(Throwable failure) {
        ends.add(String.valueOf(failure.getMessage()));
    }

    @Override
    public void onCompleted() {
        ends.add("completed");
    }
}
