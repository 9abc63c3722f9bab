package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.grpc.stub.ClientCalls;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.node.dataplane.HealthChecks;
import io.podwire.node.dataplane.ServiceReconciler;
import io.podwire.node.netlink.NftEvent;
import io.podwire.node.service.ServicePort;
import io.podwire.proto.policy.v1.ServiceUpdate;
import io.podwire.proto.policy.v1.ServicesGrpc;
import io.podwire.proto.policy.v1.WatchServicesRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stream of this node's Services from policy-service. What the kernel has stays while there is none; a new stream
 * begins with all ports, and only what differs goes to the kernel. The loop given to it owns all state.
 */
public final class ServiceClient implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ServiceClient.class);

    private final EventLoop loop;
    private final ServiceReconciler services;
    private final HealthChecks checks = new HealthChecks();
    private final ReconnectingStream<WatchServicesRequest, ServiceUpdate> stream;
    /** By id, of the stream's first state, until it is complete. */
    private final Map<String, ServicePort> gathered = new LinkedHashMap<>();
    /** Ports that load balancers ask for, by id. */
    private final Map<String, ServicePort> checked = new LinkedHashMap<>();

    private boolean complete;

    /** A client that is not connected. */
    public ServiceClient(ManagedChannel channel, EventLoop loop, NodeIdentity self, ServiceReconciler services) {
        this.loop = loop;
        this.services = services;
        this.stream = new ReconnectingStream<>(
                "policy-service for Services",
                channel,
                loop,
                answers -> ClientCalls.asyncBidiStreamingCall(
                        channel.newCall(ServicesGrpc.getWatchServicesMethod(), io.grpc.CallOptions.DEFAULT), answers),
                () -> {
                    gathered.clear();
                    complete = false;
                    return WatchServicesRequest.newBuilder()
                            .setHandshake(Channels.HANDSHAKE)
                            .setNode(self.name().value())
                            .build();
                },
                this::received);
        stream.sendOnlyTheFirst();
    }

    /** Connects. */
    public void start() {
        stream.start();
    }

    /** As {@link ServiceReconciler#whenReady}. */
    public void whenReady(Consumer<List<IpAddress>> hears) {
        services.whenReady(hears);
    }

    /** True while the stream is good. */
    public boolean connected() {
        return stream.connected();
    }

    /** Somebody changed a table of nf_tables. */
    public void told(NftEvent event) {
        services.told(event);
    }

    private void received(ServiceUpdate update) {
        List<ServicePort> changed = new ArrayList<>();
        update.getChangedList().forEach(port -> {
            try {
                changed.add(ServiceMapping.port(port));
            } catch (IllegalArgumentException e) {
                log.error(
                        "a port of service {}/{} cannot be served: {}",
                        port.getNamespace(),
                        port.getName(),
                        e.getMessage());
            }
        });
        if (complete) {
            var _ = services.change(changed, update.getRemovedList());
            update.getRemovedList().forEach(checked::remove);
            changed.forEach(this::check);
            checks.update(checked.values());
            return;
        }
        changed.forEach(port -> gathered.put(port.id(), port));
        if (update.getComplete()) {
            complete = true;
            var _ = services.replace(List.copyOf(gathered.values()));
            checked.clear();
            gathered.values().forEach(this::check);
            gathered.clear();
            checks.update(checked.values());
        }
    }

    private void check(ServicePort port) {
        if (port.healthCheckNodePort() > 0) {
            checked.put(port.id(), port);
        } else {
            checked.remove(port.id());
        }
    }

    /** Ends the stream and the answers to load balancers; the kernel goes on. */
    @Override
    public void close() {
        loop.submit(() -> {
                    stream.close();
                    checks.close();
                    return true;
                })
                .join();
    }
}
