package io.podwire.policy.publish;

import com.google.common.collect.MapMaker;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.NodeName;
import io.podwire.policy.service.ServiceCatalog;
import io.podwire.policy.service.ServicePort;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.proto.policy.v1.ServiceUpdate;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings each node the Services that it must serve. The loop given to it owns all state; every method posts to that loop and
 * may be called from anywhere.
 *
 * <p>Nothing is sent before the first delta of the source: a node that took half of the Services for all of them would cut off
 * connections. Changes that come in a burst are computed once, because the sending is posted behind those that wait already,
 * and only for the nodes that are connected.
 */
public final class ServicePublisher {
    private static final Logger log = LoggerFactory.getLogger(ServicePublisher.class);

    private final EventLoop loop;
    private final Counter updates;
    private final ServiceCatalog catalog = new ServiceCatalog();
    private final Map<NodeName, ServiceFollower> followers = new HashMap<>();
    /** What nodes share is made into a message once, and as long as it is the newest. */
    private final Map<ServicePort, io.podwire.proto.policy.v1.ServicePort> messages =
            new MapMaker().weakKeys().makeMap();

    private boolean synced;
    private boolean pushPosted;
    private volatile int services;
    private volatile int nodes;

    /** A publisher of no Services yet. */
    public ServicePublisher(EventLoop loop, MeterRegistry meters) {
        this.loop = loop;
        this.updates = Counter.builder("podwire.policy.services.updates")
                .description("Updates of Services that were sent to nodes")
                .register(meters);
        Gauge.builder("podwire.policy.services", this, p -> p.services)
                .description("Services, served or not")
                .register(meters);
        Gauge.builder("podwire.policy.services.nodes", this, p -> p.nodes)
                .description("Nodes with a stream of Services")
                .register(meters);
    }

    /** Changes of the cluster's objects, of every kind. The first call says that the source knows everything. */
    public void apply(ClusterDelta delta) {
        loop.execute(() -> {
            ServiceCatalog.Before before = catalog.apply(delta);
            services = catalog.views().size();
            if (!synced) {
                synced = true;
                log.info("the source has everything: {} services", services);
            }
            followers.values().forEach(follower -> follower.changed(before));
            postPush();
        });
    }

    /** A node opens a stream; one that it has already ends. */
    void watch(ServiceStream stream, NodeName node) {
        loop.execute(() -> {
            ServiceFollower follower = new ServiceFollower(catalog, stream, node, ServiceFollower.MOST_PORTS);
            ServiceFollower older = followers.put(node, follower);
            if (older == null) {
                log.info("node {} asks for its services", node);
            } else {
                older.stream()
                        .fail(new ServiceException(
                                ErrorReason.CONTENTION,
                                "node " + node + " opened another stream of services; that one is served"));
            }
            nodes = followers.size();
            push(follower);
        });
    }

    /** The transport takes bytes again. */
    void ready(ServiceStream stream, NodeName node) {
        loop.execute(() -> ofStream(stream, node).ifPresent(this::push));
    }

    /** A stream ended. */
    void gone(ServiceStream stream, NodeName node) {
        loop.execute(() -> {
            stream.over();
            if (ofStream(stream, node).isPresent()) {
                log.info("the stream of services to node {} ended", node);
                followers.remove(node);
                nodes = followers.size();
            }
        });
    }

    private Optional<ServiceFollower> ofStream(ServiceStream stream, NodeName node) {
        return Optional.ofNullable(followers.get(node))
                .filter(follower -> follower.stream().equals(stream));
    }

    private void postPush() {
        if (!pushPosted) {
            pushPosted = true;
            loop.execute(() -> {
                pushPosted = false;
                followers.values().forEach(this::push);
            });
        }
    }

    private void push(ServiceFollower follower) {
        while (synced && follower.stream().isReady()) {
            Optional<ServiceFollower.Step> step = follower.next();
            if (step.isEmpty()) {
                return;
            }
            for (ServiceFollower.Part part : step.get().parts()) {
                updates.increment();
                follower.stream()
                        .send(ServiceUpdate.newBuilder()
                                .addAllChanged(part.changed().stream()
                                        .map(this::message)
                                        .toList())
                                .addAllRemoved(part.removed())
                                .setComplete(part.complete())
                                .build());
            }
        }
    }

    private io.podwire.proto.policy.v1.ServicePort message(ServicePort port) {
        return messages.computeIfAbsent(port, ServicePortMapping::toProto);
    }

    /**
     * Answers a question about the newest state, on the loop.
     *
     * @throws ServiceException the question's own, or UNAVAILABLE before the source knows everything
     */
    <T> T ask(Function<ServiceCatalog, T> question) {
        try {
            return loop.submit(() -> {
                        if (!synced) {
                            throw new ServiceException(
                                    ErrorReason.UNAVAILABLE,
                                    "the cluster's objects have not all been read yet, so there is no answer: ask again"
                                            + " when policy-service is ready");
                        }
                        return question.apply(catalog);
                    })
                    .join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof ServiceException expected) {
                throw expected;
            }
            throw new IllegalStateException("the loop did not answer", e);
        }
    }
}
