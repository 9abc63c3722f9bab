package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.common.loop.EventLoop;
import io.podwire.proto.policy.v1.AnnounceResponse;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells this node's endpoints to every replica of policy-service, where there are several: one that does not serve this
 * node serves others, or will serve this one when its own replica dies, and knows them then. One replica alone hears
 * them by the stream that brings programs. The loop given to the constructor owns all state but {@code channels}.
 */
public final class EndpointAnnouncer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(EndpointAnnouncer.class);
    private static final Duration RESOLVE = Duration.ofSeconds(30);
    private static final Duration RESOLVE_FIRST = Duration.ofSeconds(2);

    private final EventLoop loop;
    private final NodeIdentity self;
    private final String targets;
    private final Replicas.Lookup lookup;
    private final Map<String, Replica> replicas = new TreeMap<>();
    private Supplier<Collection<LocalEndpoint>> endpoints = List::of;
    private Optional<EventLoop> resolver = Optional.empty();
    private volatile Map<String, ManagedChannel> channels = Map.of();

    /**
     * One that has told nobody yet.
     *
     * @param targets HOST:PORT, several with commas between; of a name with several addresses each is a replica
     */
    public EndpointAnnouncer(EventLoop loop, NodeIdentity self, String targets) {
        this(loop, self, targets, InetAddress::getAllByName);
    }

    EndpointAnnouncer(EventLoop loop, NodeIdentity self, String targets, Replicas.Lookup lookup) {
        this.loop = loop;
        this.self = self;
        this.targets = targets;
        this.lookup = lookup;
    }

    /**
     * Begins.
     *
     * @param all the node's endpoints as they are when it is called, on the loop
     */
    public void start(Supplier<Collection<LocalEndpoint>> all) {
        loop.execute(() -> endpoints = all);
        if (!targets.contains(",") && Replicas.isAddress(targets)) {
            return;
        }
        // A resolver that does not answer must not hold up the streams.
        EventLoop asking = new EventLoop("policy-replicas");
        resolver = Optional.of(asking);
        asking.execute(() -> resolve(asking));
    }

    /** Tells all that are told anything of an endpoint that comes or goes. On the loop only. */
    public void tell(NodeMessage message) {
        replicas.values().forEach(replica -> replica.stream.send(message));
    }

    /** The replicas by their targets, each with a channel; empty where there is no other than the node's own. Any thread. */
    public Map<String, ManagedChannel> channels() {
        return channels;
    }

    private void resolve(EventLoop asking) {
        Duration pause = RESOLVE;
        try {
            List<String> found = ReplicaResolver.replicas(targets, lookup);
            loop.execute(() -> serve(found));
        } catch (UnknownHostException e) {
            log.debug("{} has no address now", targets, e);
            pause = RESOLVE_FIRST;
        }
        asking.schedule(pause, () -> resolve(asking));
    }

    private void serve(List<String> found) {
        List<String> several = found.size() > 1 ? found : List.of();
        Set<String> gone = new HashSet<>(replicas.keySet());
        several.forEach(gone::remove);
        // One of an older release is asked again: it may have been replaced.
        replicas.forEach((name, replica) -> {
            if (replica.refuses) {
                gone.add(name);
            }
        });
        gone.forEach(name -> replicas.remove(name).close());
        for (String name : several) {
            if (!replicas.containsKey(name)) {
                Replica replica = new Replica(name);
                replicas.put(name, replica);
                replica.stream.start();
            }
        }
        Map<String, ManagedChannel> now = new TreeMap<>();
        replicas.forEach((name, replica) -> now.put(name, replica.channel));
        channels = Map.copyOf(now);
    }

    @Override
    public void close() {
        resolver.ifPresent(EventLoop::close);
        var _ = loop.submit(() -> {
                    replicas.values().forEach(Replica::close);
                    replicas.clear();
                    channels = Map.of();
                    return true;
                })
                .completeOnTimeout(false, 5, TimeUnit.SECONDS)
                .join();
    }

    /** One of them. */
    private final class Replica {
        private final ManagedChannel channel;
        private final ReconnectingStream<NodeMessage, AnnounceResponse> stream;
        private boolean refuses;

        Replica(String name) {
            channel = Channels.open(name);
            stream = new ReconnectingStream<>(
                    "policy-service at " + name + ", which is told of endpoints",
                    channel,
                    loop,
                    ProgramsGrpc.newStub(channel)::announce,
                    this::hello,
                    _ -> {},
                    end -> refused(name, end));
        }

        private NodeMessage hello() {
            return NodeMessage.newBuilder()
                    .setHello(Hello.newBuilder()
                            .setHandshake(Channels.HANDSHAKE)
                            .setNode(self.toProto())
                            .addAllEndpoints(endpoints.get()))
                    .build();
        }

        private void refused(String name, StatusRuntimeException end) {
            if (end.getStatus().getCode() == Status.Code.UNIMPLEMENTED) {
                log.info("policy-service at {} is of a release that hears of endpoints from its own nodes alone", name);
                refuses = true;
                stream.close();
            }
        }

        private void close() {
            stream.close();
            channel.shutdownNow();
        }
    }
}
