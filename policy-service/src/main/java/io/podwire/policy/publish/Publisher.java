package io.podwire.policy.publish;

import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.Backoff;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.IncrementalCompiler;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.ProgramChange;
import io.podwire.policy.compile.SetDeltas;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.publish.StartBarriers.Standing;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.policy.snapshot.History;
import io.podwire.policy.snapshot.LateSnapshot;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compiles each node's program when something changes and brings it to the node. The loop given to
 * it owns all state; every method posts to that loop and may be called from anywhere.
 *
 * <p>Nothing is sent before the first delta of the source: a program made of half a cluster would
 * open what policies close. And a node that has a program already keeps it until the nodes that objects
 * name have all come back, or {@link #REUNION} is over: a program made of half the nodes' pods would
 * close what policies open. Changes that come in a burst are compiled once, because the compilation
 * is posted behind those that wait already.
 */
public final class Publisher {
    private static final Logger log = LoggerFactory.getLogger(Publisher.class);
    private static final Duration FIRST_RETRY = Duration.ofMillis(100);
    private static final Duration LONGEST_RETRY = Duration.ofSeconds(10);

    /** Nodes try to connect every 3 s at least. */
    private static final Duration REUNION = Duration.ofSeconds(4);

    /** What a node told by both its streams has come by either after that. */
    private static final Duration BOTH_TOLD = Duration.ofSeconds(1);

    private final EventLoop loop;
    private final IncrementalCompiler compiler;
    private final RandomGenerator random;
    private final PublisherMetrics metrics;
    private final SortedMap<NodeName, KnownNode> nodes = new TreeMap<>();
    private final Set<NodeName> urgent = new LinkedHashSet<>();
    private final LateSnapshot snapshot = new LateSnapshot();
    private final History history;
    private final SetDeltas setDeltas = new SetDeltas();
    private final StartBarriers barriers = new StartBarriers();
    private boolean synced;
    private boolean reunited;
    private boolean flushPosted;
    /** True for a while after the first node came to a replica that served none: others are on their way. */
    private boolean moving;

    private boolean lookPosted;

    private int moves;
    private long revision;
    private int connected;

    /** The state that the last change led to. */
    record Current(ClusterSnapshot snapshot, long revision) {}

    /** A program and its revision. */
    record Compiled(NodeProgram program, long revision) {}

    /** A node's place in a rollout. */
    record Progress(NodeName node, long target, long acked, String failure, boolean there) {}

    /** The newest state, what it means for some nodes, and which of those are connected and enforce that. */
    record Enforcement(
            ClusterSnapshot snapshot, long revision, Map<NodeName, NodeProgram> programs, Set<NodeName> enforcing) {
        Enforcement {
            programs = Map.copyOf(programs);
            enforcing = Set.copyOf(enforcing);
        }
    }

    /** Who enforces a revision. */
    record Rollout(long revision, List<Progress> nodes) {}

    /**
     * A publisher.
     *
     * @param random jitter of retries
     */
    public Publisher(EventLoop loop, PolicyCompiler compiler, RandomGenerator random, MeterRegistry meters) {
        this(loop, compiler, random, meters, 0);
    }

    /**
     * The same with a memory.
     *
     * @param kept earlier revisions to answer questions from
     */
    public Publisher(EventLoop loop, PolicyCompiler compiler, RandomGenerator random, MeterRegistry meters, int kept) {
        this.loop = loop;
        this.history = new History(kept);
        this.compiler = compiler.incremental();
        this.random = random;
        this.metrics = new PublisherMetrics(meters);
    }

    /** Changes of the cluster's objects. The first call says that the source knows everything. */
    public void apply(ClusterDelta delta) {
        loop.execute(() -> {
            if (!synced) {
                log.info(
                        "the source has everything: {} objects", delta.changes().size());
                synced = true;
                loop.schedule(REUNION, this::waitNoLonger);
                var _ = next();
                postFlush();
            }
            for (Change change : delta.changes()) {
                if (change instanceof Change.PolicySet(var policy)
                        && !policy.invalid().isEmpty()) {
                    log.warn(
                            "policy {} is invalid, it isolates and allows nothing: {}", policy.key(), policy.invalid());
                }
                if (change instanceof Change.ClusterPolicySet(var policy)
                        && !policy.invalid().isEmpty()) {
                    log.warn(
                            "ClusterNetworkPolicy {} is invalid, what cannot be honoured accepts nothing and denies all: {}",
                            policy.name(),
                            policy.invalid());
                }
            }
            change(delta);
        });
    }

    void hello(NodeStream stream, NodeName name, NodeLife life, Map<String, Endpoint> endpoints, String programSha256) {
        loop.execute(() -> {
            KnownNode node = node(name, life);
            if (node.life.supersedes(life)) {
                stream.fail(new ServiceException(
                        ErrorReason.STALE_EPOCH,
                        "node " + name + " said hello as start " + life.counter() + " of installation " + life.uid()
                                + ", but start " + node.life.counter() + " has been here: only the newest is served"));
                return;
            }
            node.stream.ifPresent(older -> older.fail(new ServiceException(
                    ErrorReason.CONTENTION, "node " + name + " opened another stream; that one is served")));
            if (connected == 0) {
                othersMayFollow();
            }
            node.life = life;
            node.stream = Optional.of(stream);
            node.lost = false;
            node.session.connected(programSha256);
            node.backoff.reset();
            countConnected();
            log.info("node {} connected with {} endpoints", name, endpoints.size());
            urgent.add(name);
            var _ = next();
            change(ClusterDelta.of(new Change.NodeSet(name, endpoints)));
            postFlush();
        });
    }

    void endpointUp(NodeStream stream, NodeName name, Endpoint endpoint) {
        onStream(stream, name, _ -> {
            urgent.add(name);
            change(ClusterDelta.of(new Change.EndpointSet(name, endpoint)));
        });
    }

    void endpointDown(NodeStream stream, NodeName name, String key) {
        onStream(stream, name, _ -> {
            urgent.add(name);
            change(ClusterDelta.of(new Change.EndpointGone(name, key)));
        });
    }

    void ack(NodeStream stream, NodeName name, long acked) {
        onStream(stream, name, node -> {
            if (node.session.acked(acked)) {
                node.backoff.reset();
                push(name, node);
                lookAtBarriers();
            }
        });
    }

    void nack(NodeStream stream, NodeName name, long nacked, String reason) {
        onStream(stream, name, node -> {
            if (node.session.nacked(nacked, reason)) {
                metrics.nacked();
                Duration wait = node.backoff.next();
                log.warn(
                        "node {} could not apply revision {}, it gets its whole program in {} ms: {}",
                        name,
                        nacked,
                        wait.toMillis(),
                        reason);
                loop.schedule(wait, () -> {
                    if (node.isOn(stream)) {
                        node.session.release(next());
                        push(name, node);
                    }
                });
            }
        });
    }

    /** The transport takes bytes again. */
    void ready(NodeStream stream, NodeName name) {
        onStream(stream, name, node -> push(name, node));
    }

    /** A stream ended. The node's endpoints stay as they are: it goes on without us. */
    void gone(NodeStream stream, NodeName name, String why) {
        onStream(stream, name, node -> {
            log.info("node {} disconnected ({}), its endpoints are kept", name, why);
            stream.complete();
            node.stream = Optional.empty();
            countConnected();
            departed(name, node);
        });
    }

    /** A node tells all its endpoints by the stream that it has to every replica; where it is served here, that one counts. */
    void announced(AnnounceStream stream, NodeName name, NodeLife life, Map<String, Endpoint> endpoints) {
        loop.execute(() -> {
            KnownNode node = node(name, life);
            if (node.life.supersedes(life)) {
                stream.fail(new ServiceException(
                        ErrorReason.STALE_EPOCH,
                        "node " + name + " announced as start " + life.counter() + " of installation " + life.uid()
                                + ", but start " + node.life.counter() + " has been here"));
                return;
            }
            node.announcer.ifPresent(older -> older.stream()
                    .fail(new ServiceException(
                            ErrorReason.CONTENTION, "node " + name + " announces by another stream now")));
            node.life = life;
            node.announcer = Optional.of(new KnownNode.Announcer(stream, new TreeMap<>(endpoints)));
            stream.taken();
            takeAnnounced(name, node);
        });
    }

    void announcedUp(AnnounceStream stream, NodeName name, Endpoint endpoint) {
        onAnnouncement(stream, name, node -> {
            node.announcer.orElseThrow().endpoints().put(endpoint.key(), endpoint);
            if (node.stream.isEmpty()) {
                change(ClusterDelta.of(new Change.EndpointSet(name, endpoint)));
            }
        });
    }

    void announcedDown(AnnounceStream stream, NodeName name, String key) {
        onAnnouncement(stream, name, node -> {
            node.announcer.orElseThrow().endpoints().remove(key);
            if (node.stream.isEmpty()) {
                change(ClusterDelta.of(new Change.EndpointGone(name, key)));
            }
        });
    }

    /** Such a stream ended. The node's endpoints stay as they are. */
    void announcerGone(AnnounceStream stream, NodeName name) {
        onAnnouncement(stream, name, node -> {
            stream.complete();
            node.announcer = Optional.empty();
            if (node.stream.isEmpty()) {
                departed(name, node);
            }
        });
    }

    void refuse(AnnounceStream stream, ServiceException reason) {
        loop.execute(() -> {
            log.warn("refused an announcement: {}", reason.getMessage());
            stream.fail(reason);
        });
    }

    private void takeAnnounced(NodeName name, KnownNode node) {
        if (node.stream.isEmpty()) {
            node.announcer.ifPresent(
                    announcer -> change(ClusterDelta.of(new Change.NodeSet(name, announcer.endpoints()))));
        }
    }

    /** It may come back at once, or be served elsewhere: then what it announces counts. */
    private void departed(NodeName name, KnownNode node) {
        int departure = ++node.departures;
        // One of the streams may have brought a little less than the other until now.
        loop.schedule(BOTH_TOLD, () -> takeAnnounced(name, node));
        loop.schedule(REUNION, () -> {
            node.lost = node.stream.isEmpty() && departure == node.departures;
            lookAtBarriers();
        });
    }

    /** The first node comes to a replica that serves none: the others' replica has died, it may be. */
    private void othersMayFollow() {
        int move = ++moves;
        moving = true;
        loop.schedule(REUNION, () -> {
            moving = moving && move != moves;
            lookAtBarriers();
        });
        if (reunited && someoneIsMissing()) {
            reunited = false;
            loop.schedule(REUNION, this::waitNoLonger);
        }
    }

    /**
     * Who does not enforce an endpoint.
     *
     * @param longest how long to wait for them
     * @return done once all do, or after that time; its cancellation ends the wait
     */
    CompletableFuture<StartBarriers.Answer> awaitEndpoint(StartBarriers.Question question, Duration longest) {
        CompletableFuture<StartBarriers.Answer> answer = new CompletableFuture<>();
        loop.execute(() -> {
            StartBarriers.Waiting one = barriers.add(question, answer);
            lookAtBarriers();
            loop.schedule(longest, () -> {
                flush();
                barriers.over(one, view());
            });
        });
        return answer;
    }

    /** After what waits already: acks mostly come in numbers. */
    private void lookAtBarriers() {
        if (!barriers.isEmpty() && !lookPosted) {
            lookPosted = true;
            loop.execute(() -> {
                lookPosted = false;
                barriers.look(view());
            });
        }
    }

    private StartBarriers.View view() {
        Map<NodeName, Standing> standings = new HashMap<>();
        nodes.forEach((name, node) -> node.standing(
                        moving, () -> !compiler.endpoints(name).isEmpty())
                .ifPresent(standing -> standings.put(name, standing)));
        return new StartBarriers.View(
                synced && !flushPosted,
                question -> Optional.ofNullable(
                                compiler.endpoints(question.node()).get(question.key()))
                        .map(Endpoint::addresses),
                standings,
                connected,
                revision);
    }

    /** Ends a stream that broke the protocol. */
    void refuse(NodeStream stream, ServiceException reason) {
        loop.execute(() -> {
            log.warn("refused a stream: {}", reason.getMessage());
            stream.fail(reason);
        });
    }

    Current current() {
        return ask(() -> new Current(snapshot.get(), revision));
    }

    Compiled program(NodeName name) {
        return ask(() -> {
            flush();
            KnownNode node = nodes.get(name);
            if (node == null || node.session.latestRevision() == 0) {
                throw new ServiceException(
                        ErrorReason.NOT_FOUND, "node " + name + " has no program: it has not said hello here yet");
            }
            if (node.stream.isEmpty()) {
                update(name, node);
            }
            return new Compiled(compiler.program(name), node.session.latestRevision());
        });
    }

    /** The newest state, with the programs of the nodes that matter in it: all of one moment. */
    Enforcement enforcement(Function<ClusterSnapshot, Set<NodeName>> concerned) {
        return ask(() -> {
            flush();
            if (!synced) {
                throw new ServiceException(
                        ErrorReason.UNAVAILABLE,
                        "the cluster's objects have not all been read yet, so there is no answer: ask again when"
                                + " policy-service is ready");
            }
            Map<NodeName, NodeProgram> programs = new TreeMap<>();
            Set<NodeName> enforcing = new TreeSet<>();
            for (NodeName name : concerned.apply(snapshot.get())) {
                programs.put(name, compiler.program(name));
                KnownNode node = nodes.get(name);
                if (node != null && node.stream.isPresent() && node.session.enforces(revision)) {
                    enforcing.add(name);
                }
            }
            return new Enforcement(snapshot.get(), revision, programs, enforcing);
        });
    }

    /** What led to an earlier revision, and to which state. */
    History.Kept past(long asked) {
        return ask(() -> {
            flush();
            checkReached(asked);
            return history.at(asked)
                    .orElseThrow(() -> new ServiceException(
                            ErrorReason.FAILED_PRECONDITION,
                            "revision " + Long.toUnsignedString(asked) + " is kept no more, the oldest kept is "
                                    + Long.toUnsignedString(history.oldest())
                                    + " (--keep-revisions of policy-service keeps more)"));
        });
    }

    /** Who enforces a revision; 0: the newest. */
    Rollout rollout(long asked) {
        return ask(() -> {
            flush();
            checkReached(asked);
            long of = asked == 0 ? revision : asked;
            return new Rollout(
                    of,
                    nodes.entrySet().stream()
                            .filter(e -> e.getValue().stream.isPresent())
                            .map(e -> {
                                NodeSession session = e.getValue().session;
                                return new Progress(
                                        e.getKey(),
                                        session.target(of),
                                        session.acked(),
                                        session.failure(),
                                        session.enforces(of));
                            })
                            .toList());
        });
    }

    private void checkReached(long asked) {
        if (Long.compareUnsigned(asked, revision) > 0) {
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "revision " + Long.toUnsignedString(asked) + " has not been reached, the newest is " + revision
                            + " (revisions start anew with policy-service)");
        }
    }

    /** Known since it first came, by either of its streams. */
    private KnownNode node(NodeName name, NodeLife life) {
        return nodes.computeIfAbsent(
                name,
                _ -> new KnownNode(life, new Backoff(FIRST_RETRY, LONGEST_RETRY, random), new NodeSession(setDeltas)));
    }

    /** The next revision, which is the newest from now on. */
    private long next() {
        revision++;
        metrics.revision(revision);
        return revision;
    }

    private void change(ClusterDelta delta) {
        if (compiler.apply(delta)) {
            snapshot.add(delta);
            history.add(next(), delta, snapshot::get);
            postFlush();
        }
    }

    private void postFlush() {
        if (!flushPosted) {
            flushPosted = true;
            loop.execute(this::flush);
        }
    }

    /** Compiles for the nodes that changes concern, first for those whose endpoints changed: an ADD waits there. */
    private void flush() {
        if (!flushPosted) {
            return;
        }
        flushPosted = false;
        if (!synced) {
            return;
        }
        setDeltas.forget();
        boolean wereHere = reunited;
        reunited = reunited || allAreHere();
        Set<NodeName> order = new LinkedHashSet<>(urgent);
        urgent.clear();
        order.addAll(compiler.concerned());
        for (NodeName name : order) {
            KnownNode node = nodes.get(name);
            // One that objects name may not have come.
            if (node != null && node.stream.isPresent()) {
                update(name, node);
                push(name, node);
            }
        }
        if (reunited && !wereHere) {
            nodes.forEach(this::push);
        }
        metrics.compiled(compiler.kinds(), compiler.peers());
        lookAtBarriers();
    }

    private void update(NodeName name, KnownNode node) {
        ProgramChange change = metrics.timed(() -> compiler.changes(name));
        node.session.changed(change, revision);
    }

    private void waitNoLonger() {
        if (!reunited) {
            reunited = true;
            nodes.forEach(this::push);
        }
    }

    /** True when every node that objects name has come, and they name one. */
    private boolean allAreHere() {
        Set<String> named = compiler.nodesOfPods();
        return !named.isEmpty() && named.stream().allMatch(name -> nodes.containsKey(new NodeName(name)));
    }

    private boolean someoneIsMissing() {
        return compiler.nodesOfPods().stream().anyMatch(name -> !nodes.containsKey(new NodeName(name)));
    }

    private void push(NodeName name, KnownNode node) {
        if (node.stream.isPresent() && node.stream.get().isReady()) {
            if (node.session.needsWhole()) {
                // Its revision is that of the changes that are in it.
                flush();
            }
            node.session.next(reunited, () -> compiler.program(name)).ifPresent(update -> {
                metrics.sent(update);
                node.stream.get().send(update);
            });
        }
    }

    private void countConnected() {
        connected =
                (int) nodes.values().stream().filter(n -> n.stream.isPresent()).count();
        metrics.connected(connected);
    }

    /** Runs a step on the loop while that stream is still the node's own. */
    private void onStream(NodeStream stream, NodeName name, Consumer<KnownNode> step) {
        loop.execute(() -> {
            KnownNode node = nodes.get(name);
            if (node != null && node.isOn(stream)) {
                step.accept(node);
            }
        });
    }

    /** The same for the stream by which a node announces. */
    private void onAnnouncement(AnnounceStream stream, NodeName name, Consumer<KnownNode> step) {
        loop.execute(() -> {
            KnownNode node = nodes.get(name);
            if (node != null && node.isAnnouncedBy(stream)) {
                step.accept(node);
            }
        });
    }

    private <T> T ask(Callable<T> question) {
        try {
            return loop.submit(question).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof ServiceException expected) {
                throw expected;
            }
            throw new IllegalStateException("the loop did not answer", e);
        }
    }
}
