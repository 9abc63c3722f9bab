package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.podwire.proto.policy.v1.ServiceUpdate;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/** A transport that takes bytes when it is told to, and so many updates at the most. */
final class ServiceTransport extends ServerCallStreamObserver<ServiceUpdate> {
    final List<ServiceUpdate> sent = new CopyOnWriteArrayList<>();
    volatile int takes;
    volatile Optional<Status> end = Optional.empty();

    @Override
    public boolean isReady() {
        return sent.size() < takes;
    }

    @Override
    public void onNext(ServiceUpdate update) {
        assertThat(isReady()).as("ready").isTrue();
        sent.add(update);
    }

    @Override
    public boolean isCancelled() {
        return false;
    }

    @Override
    public void onError(Throwable failure) {
        end = Optional.of(Status.fromThrowable(failure));
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
