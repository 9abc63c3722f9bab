package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.node.address.AddressBook;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.ipam.v1.BindingDelta;
import io.podwire.proto.ipam.v1.BindingList;
import io.podwire.proto.ipam.v1.BindingsGrpc;
import io.podwire.proto.ipam.v1.NodeAudit;
import io.podwire.proto.ipam.v1.ReportBindingsRequest;
import io.podwire.proto.ipam.v1.ReportBindingsResponse;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells every replica of ipam-service who has which address of this node: one stream to each, everything first, then
 * what changed. A message waits for the answer to the one before it, so a slow replica gets the newest state and no
 * queue. The loop given to the constructor owns all state but {@code awaited}.
 *
 * <p>It asks the address book what is so instead of being told what happened, and asks again each second: an address
 * whose cool-down ends says nothing.
 */
public final class BindingClient implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(BindingClient.class);
    /** From a change to the look that tells of it: those of a burst are told together. */
    private static final Duration GATHER = Duration.ofMillis(250);

    private static final Duration LOOK = Duration.ofSeconds(1);
    private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(10);
    private static final Duration RESOLVE = Duration.ofSeconds(30);
    private static final Duration RESOLVE_FIRST = Duration.ofSeconds(2);

    private final EventLoop loop;
    private final TimeSource time;
    private final NodeIdentity self;
    private final String target;
    private final Replicas.Lookup lookup;
    private final AddressBook<EndpointKey> book;
    private final Function<EndpointKey, Optional<Attachment>> attachments;
    private final Map<String, Replica> replicas = new TreeMap<>();
    /** True from a change to the look that is to come for it; any thread. */
    private final AtomicBoolean awaited = new AtomicBoolean();

    /** Set before the first stream. */
    private Consumer<String> over = _ -> {};

    private BindingReport newest = BindingReport.EMPTY;
    /** What the node's own audit found last; empty before it has looked. */
    private volatile Optional<NodeAudit> audit = Optional.empty();

    private Optional<EventLoop> resolver = Optional.empty();
    private String complaint = "";
    private volatile boolean connected;
    /** What {@link #atQuota} goes by; replaced as a whole. */
    private volatile Set<String> full = Set.of();

    /**
     * A client that is not connected yet.
     *
     * @param target HOST:PORT; of a name with several addresses each is a replica
     * @param attachments who has what of the book
     */
    public BindingClient(
            EventLoop loop,
            TimeSource time,
            NodeIdentity self,
            String target,
            AddressBook<EndpointKey> book,
            Function<EndpointKey, Optional<Attachment>> attachments) {
        this(loop, time, self, target, InetAddress::getAllByName, book, attachments);
    }

    BindingClient(
            EventLoop loop,
            TimeSource time,
            NodeIdentity self,
            String target,
            Replicas.Lookup lookup,
            AddressBook<EndpointKey> book,
            Function<EndpointKey, Optional<Attachment>> attachments) {
        this.loop = loop;
        this.time = time;
        this.self = self;
        this.target = target;
        this.lookup = lookup;
        this.book = book;
        this.attachments = attachments;
    }

    /**
     * Connects. Call after the book has what the journal knows.
     *
     * @param over called on the loop with the words of a replica that serves this life of the node no more
     */
    public void start(Consumer<String> over) {
        this.over = over;
        if (Replicas.isAddress(target)) {
            loop.execute(() -> serve(List.of(target)));
        } else {
            // A resolver that does not answer must not hold up the streams.
            EventLoop asking = new EventLoop("ipam-replicas");
            resolver = Optional.of(asking);
            asking.execute(() -> resolve(asking));
        }
        loop.every(LOOK, this::look);
    }

    /** Tells of a change, and of those right after it, a quarter of a second later. For any thread; takes a microsecond. */
    public void changed() {
        if (awaited.compareAndSet(false, true)) {
            loop.schedule(GATHER, () -> {
                awaited.set(false);
                look();
            });
        }
    }

    /**
     * What the node's own audit finds, how many by kind of object: told with the next message. For any thread.
     */
    public void audited(Map<String, Integer> findings) {
        NodeAudit.Builder message = NodeAudit.newBuilder();
        new TreeMap<>(findings)
                .forEach((object, count) ->
                        message.addFindingsBuilder().setObject(object).setCount(count));
        audit = Optional.of(message.build());
        changed();
    }

    /** True when every replica that is known has what this node told, one at least. */
    public boolean connected() {
        return connected;
    }

    /**
     * True for a namespace that has all the addresses it may have, as the replicas told that are connected: one that says
     * so is enough. While none is, their last words hold; before the first word no namespace is full. For any thread; a look
     * at a set.
     */
    public boolean atQuota(String namespace) {
        return full.contains(namespace);
    }

    /** All of those, in order. */
    public Set<String> atQuota() {
        return new TreeSet<>(full);
    }

    private void resolve(EventLoop asking) {
        Duration pause = RESOLVE;
        try {
            List<String> found = Replicas.of(target, lookup);
            loop.execute(() -> {
                complaint = "";
                serve(found);
            });
        } catch (UnknownHostException e) {
            log.debug("{} has no address now", target, e);
            loop.execute(() -> unresolved(String.valueOf(e.getMessage())));
            pause = RESOLVE_FIRST;
        }
        asking.schedule(pause, () -> resolve(asking));
    }

    private void unresolved(String why) {
        if (!complaint.equals(why)) {
            log.warn(
                    "the replicas of ipam-service behind {} cannot be looked up: {}; {} known ones are told",
                    target,
                    why,
                    replicas.size());
            complaint = why;
        }
    }

    private void serve(List<String> targets) {
        Set<String> gone = new HashSet<>(replicas.keySet());
        targets.forEach(gone::remove);
        gone.forEach(name -> {
            log.info("{} is no replica of ipam-service any more", name);
            replicas.remove(name).close();
        });
        for (String name : targets) {
            if (!replicas.containsKey(name)) {
                Replica replica = new Replica(name);
                replicas.put(name, replica);
                replica.stream.start();
            }
        }
        judge();
    }

    /** Tells what has changed. On the loop only. */
    void look() {
        newest = now();
        replicas.values().forEach(Replica::tell);
        judge();
    }

    private void judge() {
        connected = !replicas.isEmpty() && replicas.values().stream().allMatch(replica -> replica.stream.connected());
        if (replicas.values().stream().anyMatch(replica -> replica.stream.connected())) {
            Set<String> now = replicas.values().stream()
                    .filter(replica -> replica.stream.connected())
                    .flatMap(replica -> replica.full.stream())
                    .collect(Collectors.toSet());
            if (!now.equals(full)) {
                log.info("namespaces at their quota, whose new pods get no address: {}", new TreeSet<>(now));
                full = now;
            }
        }
    }

    private BindingReport now() {
        return BindingReport.of(book.holdings(time.monotonic()), attachments, newest, time.wall());
    }

    @Override
    public void close() {
        resolver.ifPresent(EventLoop::close);
        var _ = loop.submit(() -> {
                    replicas.values().forEach(Replica::close);
                    replicas.clear();
                    return true;
                })
                .completeOnTimeout(false, 5, TimeUnit.SECONDS)
                .join();
    }

    /** One of them. */
    private final class Replica {
        private final ManagedChannel channel;
        private final ReconnectingStream<ReportBindingsRequest, ReportBindingsResponse> stream;
        /** What it has once it has the last message. */
        private BindingReport told = BindingReport.EMPTY;

        private Optional<NodeAudit> toldAudit = Optional.empty();

        /** Namespaces at their quota, by its last word. */
        private Set<String> full = Set.of();

        private long sequence;
        private boolean answered;
        private Duration toldAt = Duration.ZERO;

        Replica(String name) {
            channel = Channels.open(name);
            stream = new ReconnectingStream<>(
                    "ipam-service's bindings at " + name,
                    channel,
                    loop,
                    BindingsGrpc.newStub(channel)::reportBindings,
                    this::first,
                    this::received,
                    this::refused);
        }

        private void refused(StatusRuntimeException end) {
            ServiceException why = GrpcErrors.fromGrpc("reporting this node's bindings", end);
            if (why.reason() == ErrorReason.STALE_EPOCH) {
                over.accept(why.getMessage());
            }
        }

        private ReportBindingsRequest first() {
            newest = now();
            sequence = 0;
            toldAudit = Optional.empty();
            return next(newest)
                    .setHandshake(Channels.HANDSHAKE)
                    .setTakesFullNamespaces(true)
                    .setFull(BindingList.newBuilder()
                            .addAllBindings(newest.bindings().values()))
                    .build();
        }

        private void received(ReportBindingsResponse answer) {
            if (answer.hasFullNamespaces()) {
                full = Set.copyOf(answer.getFullNamespaces().getNamespacesList());
            } else if (answer.getSequence() == 1) {
                // A release without quotas is there now.
                full = Set.of();
            }
            if (answer.getSequence() == 0) {
                judge();
                return;
            }
            if (answer.getSequence() != sequence) {
                stream.reset("message " + Long.toUnsignedString(answer.getSequence()) + " was acknowledged where "
                        + sequence + " was the last: a full state is needed");
                return;
            }
            answered = true;
            judge();
            tell();
        }

        /** Sends what changed since the last message, when that one was answered. */
        private void tell() {
            if (!answered || !stream.connected()) {
                return;
            }
            BindingDelta delta = newest.since(told);
            boolean silent = delta.getUpdatedCount() == 0 && delta.getRemovedCount() == 0 && audit.equals(toldAudit);
            if (silent && time.monotonic().minus(toldAt).compareTo(SIGN_OF_LIFE) < 0) {
                return;
            }
            stream.send(next(newest).setDelta(delta).build());
        }

        private ReportBindingsRequest.Builder next(BindingReport report) {
            told = report;
            toldAt = time.monotonic();
            answered = false;
            sequence++;
            ReportBindingsRequest.Builder message =
                    ReportBindingsRequest.newBuilder().setNode(self.toProto()).setSequence(sequence);
            Optional<NodeAudit> found = audit;
            if (!found.equals(toldAudit)) {
                found.ifPresent(message::setAudit);
                toldAudit = found;
            }
            return message;
        }

        private void close() {
            stream.close();
            channel.shutdownNow();
        }
    }
}
