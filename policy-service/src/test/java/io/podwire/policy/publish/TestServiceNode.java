package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.policy.service.ServicePort;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.policy.v1.ServiceUpdate;
import io.podwire.proto.policy.v1.ServicesGrpc;
import io.podwire.proto.policy.v1.WatchServicesRequest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/** A node's side of a stream of services: keeps them as a node would. */
public final class TestServiceNode implements AutoCloseable {
    private final List<ServiceUpdate> updates = new CopyOnWriteArrayList<>();
    private final Map<String, ServicePort> ports = new ConcurrentSkipListMap<>();
    private final Context.CancellableContext context = Context.current().withCancellation();
    private volatile boolean complete;
    private volatile Optional<Status> end = Optional.empty();

    /** Opens a stream. */
    public TestServiceNode(ManagedChannel channel, String name) {
        this(
                channel,
                WatchServicesRequest.newBuilder()
                        .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                        .setNode(name)
                        .build());
    }

    /** The same with these words. */
    public TestServiceNode(ManagedChannel channel, WatchServicesRequest request) {
        context.run(() -> ServicesGrpc.newStub(channel).watchServices(request, new StreamObserver<>() {
            @Override
            public void onNext(ServiceUpdate update) {
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
        }));
    }

    private void receive(ServiceUpdate update) {
        assertThat(complete && !update.getComplete())
                .as("what was complete stays so")
                .isFalse();
        update.getChangedList().forEach(port -> ports.put(port.getId(), ServicePortMapping.fromProto(port)));
        update.getRemovedList()
                .forEach(id -> assertThat(ports.remove(id)).as("known before").isNotNull());
        updates.add(update);
        complete = update.getComplete();
    }

    /** Updates so far. */
    public List<ServiceUpdate> updates() {
        return updates;
    }

    /** Waits until it knows everything, and that is so. */
    public Map<String, ServicePort> awaitPorts(String what, Predicate<Map<String, ServicePort>> condition) {
        await(what)
                .pollInterval(Duration.ofMillis(2))
                .atMost(Duration.ofSeconds(10))
                .until(() -> complete && condition.test(ports));
        return ports;
    }

    /** Waits for the end of the stream. */
    public Status awaitEnd() {
        await("end of stream").atMost(Duration.ofSeconds(10)).until(() -> end.isPresent());
        return end.orElseThrow();
    }

    /** Breaks the stream as a dying node does. */
    @Override
    public void close() {
        context.cancel(null);
    }
}
