package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.common.service.ProgramHash;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.journal.Journal;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.policy.v1.Ack;
import io.podwire.proto.policy.v1.EndpointDown;
import io.podwire.proto.policy.v1.EndpointUp;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.Nack;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stream to policy-service: tells it this node's endpoints, brings programs into the kernel and
 * the journal, and acknowledges them. The loop given to the constructor owns all state but
 * {@code soon}.
 */
public final class PolicyClient {
    private static final Logger log = LoggerFactory.getLogger(PolicyClient.class);
    /** An answer is on its way within that. */
    private static final Duration SOON = Duration.ofMillis(5);

    private final EventLoop loop;
    private final NodeIdentity self;
    private final Journal journal;
    private final RulesetReconciler ruleset;
    private final ReconnectingStream<NodeMessage, ProgramUpdate> stream;
    /** Is told of endpoints, too. */
    private final Consumer<NodeMessage> others;

    private final Map<EndpointKey, LocalEndpoint> endpoints = new TreeMap<>();
    /** Those that wait to be announced; any thread. A hello leaves them out: their turn comes. */
    private final Map<EndpointKey, LocalEndpoint> soon = new ConcurrentHashMap<>();

    private Optional<NodeProgram> program = Optional.empty();
    private Optional<NodeProgram> journaled = Optional.empty();
    /** The program that the hello named, until the first update. */
    private Optional<NodeProgram> offered = Optional.empty();

    /** A client that is not connected yet. */
    public PolicyClient(
            ManagedChannel channel, EventLoop loop, NodeIdentity self, Journal journal, RulesetReconciler ruleset) {
        this(channel, loop, self, journal, ruleset, _ -> {});
    }

    /**
     * The same.
     *
     * @param others is told of each endpoint that comes or goes, on the loop
     */
    public PolicyClient(
            ManagedChannel channel,
            EventLoop loop,
            NodeIdentity self,
            Journal journal,
            RulesetReconciler ruleset,
            Consumer<NodeMessage> others) {
        this.others = others;
        this.loop = loop;
        this.self = self;
        this.journal = journal;
        this.ruleset = ruleset;
        this.stream = new ReconnectingStream<>(
                "policy-service", channel, loop, ProgramsGrpc.newStub(channel)::watch, this::hello, this::received);
    }

    /** Connects. Call after every endpoint of the journal was announced. */
    public void start() {
        stream.start();
    }

    /** True while the stream is good. */
    public boolean connected() {
        return stream.connected();
    }

    /** Tells that a pod is being attached; the program that covers it goes to the reconciler. */
    public void announce(EndpointKey key, PodIdentity pod, PodAddresses addresses) {
        LocalEndpoint endpoint = endpoint(key, pod, addresses);
        loop.execute(() -> up(key, endpoint));
    }

    /** Tells the same some milliseconds later, unless the pod is withdrawn before. */
    public void announceSoon(EndpointKey key, PodIdentity pod, PodAddresses addresses) {
        LocalEndpoint endpoint = endpoint(key, pod, addresses);
        soon.put(key, endpoint);
        loop.schedule(SOON, () -> {
            if (soon.remove(key, endpoint)) {
                up(key, endpoint);
            }
        });
    }

    private void up(EndpointKey key, LocalEndpoint endpoint) {
        endpoints.put(key, endpoint);
        tell(NodeMessage.newBuilder()
                .setEndpointUp(EndpointUp.newBuilder().setEndpoint(endpoint))
                .build());
    }

    private void tell(NodeMessage message) {
        stream.send(message);
        others.accept(message);
    }

    /** All endpoints of the node as they are now. On the loop only. */
    public Collection<LocalEndpoint> endpoints() {
        return Collections.unmodifiableCollection(endpoints.values());
    }

    private static LocalEndpoint endpoint(EndpointKey key, PodIdentity pod, PodAddresses addresses) {
        return LocalEndpoint.newBuilder()
                .setKey(key.toString())
                .setPod(PodRef.newBuilder()
                        .setNamespace(pod.namespace())
                        .setName(pod.name())
                        .setUid(pod.uid()))
                .addAllAddresses(addresses.stream().map(IpAddress::toString).toList())
                .setDeclared(pod.declared())
                .build();
    }

    /** Tells that a pod is gone. */
    public void withdraw(EndpointKey key) {
        soon.remove(key);
        loop.execute(() -> {
            if (endpoints.remove(key) != null) {
                tell(NodeMessage.newBuilder()
                        .setEndpointDown(EndpointDown.newBuilder().setKey(key.toString()))
                        .build());
            }
        });
    }

    private NodeMessage hello() {
        // The state of an old stream is no base for the deltas of a new one.
        program = Optional.empty();
        if (journaled.isEmpty()) {
            journaled = journal.program();
        }
        offered = journaled;
        return NodeMessage.newBuilder()
                .setHello(Hello.newBuilder()
                        .setHandshake(Channels.HANDSHAKE)
                        .setNode(self.toProto())
                        .addAllEndpoints(endpoints.values())
                        .setProgramSha256(offered.map(StreamMapping::program)
                                .map(ProgramHash::of)
                                .orElse("")))
                .build();
    }

    private void received(ProgramUpdate update) {
        long revision = update.getRevision();
        Optional<NodeProgram> base = program;
        Optional<NodeProgram> had = offered;
        offered = Optional.empty();
        Optional<NodeProgramDelta> delta;
        NodeProgram next;
        try {
            switch (update.getUpdateCase()) {
                case FULL -> {
                    delta = Optional.empty();
                    next = StreamMapping.program(revision, update.getFull());
                }
                case DELTA -> {
                    NodeProgram before = base.orElseThrow(
                            () -> new IllegalArgumentException("a delta came before the first full program"));
                    delta = Optional.of(StreamMapping.delta(revision, update.getDelta()));
                    next = before.with(delta.get());
                }
                case UNCHANGED -> {
                    base = had;
                    delta = Optional.of(NodeProgramDelta.none(revision));
                    next = had.orElseThrow(() ->
                                    new IllegalArgumentException("unchanged came, and no program was named before"))
                            .at(revision);
                }
                case UPDATE_NOT_SET -> throw new IllegalArgumentException("an update has neither full nor delta");
                default -> throw new AssertionError(update.getUpdateCase());
            }
        } catch (IllegalArgumentException e) {
            log.error("program revision {} cannot be used, the last one stays enforced: {}", revision, e.getMessage());
            nack(revision, e.getMessage());
            return;
        }
        program = Optional.of(next);
        Optional<NodeProgram> from = base;
        var _ = ruleset.program(next)
                .whenComplete((_, failure) -> loop.execute(() -> {
                    if (failure != null) {
                        nack(revision, String.valueOf(failure.getMessage()));
                        return;
                    }
                    // A delta to a program that the kernel refused is none to what the journal has.
                    delta.filter(_ -> journaled.equals(from))
                            .ifPresentOrElse(d -> journal.putProgram(next, d), () -> journal.putProgram(next));
                    journaled = Optional.of(next);
                    stream.send(NodeMessage.newBuilder()
                            .setAck(Ack.newBuilder().setRevision(revision))
                            .build());
                }));
    }

    private void nack(long revision, String reason) {
        stream.send(NodeMessage.newBuilder()
                .setNack(Nack.newBuilder().setRevision(revision).setReason(reason))
                .build());
    }
}
