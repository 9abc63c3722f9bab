package io.podwire.node.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.loop.LifoThreads;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.dataplane.Entrance;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.RefusedException;
import io.podwire.node.dataplane.WiringException;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Attachment.PodIdentity;
import io.podwire.node.journal.JournalException;
import io.podwire.node.netlink.KernelLacksException;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsException;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.PodRequest;
import io.podwire.node.plan.StartBarrier;
import io.podwire.node.plan.StartBarrier.Scope;
import io.podwire.node.plan.WiringMode;
import io.podwire.node.plan.WiringMode.HostSide;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Lock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * ADD: addresses, intent, announcement, wiring, rules, intent done, answer.
 *
 * <p>The wiring runs while policy-service compiles. That opens nothing: what comes from a port that
 * the anti-spoofing set does not name is dropped, and the endpoint enters that set in the same
 * transaction as the rules that cover it. The answer waits for both.
 *
 * <p>Whatever fails, all that was done is undone before the error is answered.
 */
public final class AddFlow {
    /** node-shim gives up before cni-shim does, so that the runtime learns the reason. */
    static final Duration DEADLINE = Duration.ofSeconds(8);
    /** Longer than rules take when all is well, a hundred ADDs at once on two processors included. */
    private static final Duration BRIEF = Duration.ofMillis(300);
    /** What an ADD has left when it stops waiting for other nodes, whose answer may come half a second late. */
    private static final Duration ANSWERING = Duration.ofSeconds(1);

    private static final Logger log = LoggerFactory.getLogger(AddFlow.class);

    private final Node node;
    private final RequestRules rules;
    private final SingleFlow singles;
    private final PodAddressing addressing;
    private final StartBarrier usual;

    /** Who waits for an ADD. */
    @FunctionalInterface
    public interface Caller {
        /** True once nobody waits for the answer any more: all is undone then, the runtime takes the ADD for failed. */
        boolean gone();
    }

    /**
     * What a result tells.
     *
     * @param routed the families whose default route the attachment was given
     */
    private record Wired(Attachment attachment, Set<IpFamily> routed) {}

    /**
     * The flow of one node.
     *
     * @param usual who must know a pod before the answer, where neither the configuration nor the pod says so
     */
    public AddFlow(Node node, StartBarrier usual) {
        this.node = node;
        this.usual = usual;
        this.rules = new RequestRules(node.families(), PodNames::gateway);
        this.singles = new SingleFlow(node);
        this.addressing = new PodAddressing(node, singles);
    }

    /**
     * Attaches a container.
     *
     * @return the result in the configuration's version
     */
    public ObjectNode add(CniCall call, Caller caller) throws CniException {
        Duration began = node.time().monotonic();
        Path path = call.netns()
                .orElseThrow(() ->
                        new CniException(Code.INVALID_ENVIRONMENT, "required env variables [CNI_NETNS] missing", ""));
        PodRequest request = call.request();
        Lock lock = node.locks().get(call.key());
        lock.lock();
        try (Netns pod = open(path, call)) {
            Optional<Attachment> known = withoutDead(node.attachments().get(call.key()));
            Wired wired = known.isPresent()
                    ? repeated(call, request, known.get(), pod)
                    : attach(call, request, path, pod, began, caller);
            return CniResult.added(call.config(), wired.attachment(), PodNames::gateway, wired.routed());
        } finally {
            lock.unlock();
        }
    }

    private Netns open(Path path, CniCall call) throws CniException {
        Netns pod;
        try {
            pod = Netns.open(path);
        } catch (NetnsException e) {
            throw new CniException(Code.INVALID_ENVIRONMENT, "invalid CNI_NETNS", e.getMessage(), e);
        }
        if (!call.netnsOverride() && pod.sameAs(node.own())) {
            pod.close();
            throw new CniException(
                    Code.INVALID_NETNS,
                    "CNI_NETNS is the node's own network namespace",
                    "a pod on the host's network is not attached; CNI_NETNS_OVERRIDE=1 allows it");
        }
        return pod;
    }

    /**
     * What an ADD left whose undoing failed was never answered and has no rules; and an attachment without its
     * link ended with its network namespace, as in a reboot after which the runtime starts the same
     * container again. Either goes first.
     */
    private Optional<Attachment> withoutDead(Optional<Attachment> known) {
        Optional<Attachment> alive = known.filter(
                a -> a.state() == Attachment.State.ATTACHED && node.wiring().linked(a));
        if (alive.isEmpty()) {
            known.ifPresent(node::remove);
        }
        return alive;
    }

    private Wired repeated(CniCall call, PodRequest request, Attachment known, Netns pod) throws CniException {
        if (known.netnsInode() == pod.inode()
                && known.network().equals(call.config().name())) {
            if (!known.request().equals(request)) {
                throw new CniException(
                        Code.INVALID_CONFIG,
                        "container " + call.key().containerId() + " already has interface "
                                + call.key().ifname(),
                        "its ADD asked for other things than this one: the runtime must DEL it first");
            }
            log.info("ADD of {} was repeated: answering what it has, {}", call.key(), known.addresses());
            return new Wired(known, node.wiring().routed(known, pod));
        }
        throw new CniException(
                Code.INVALID_ENVIRONMENT,
                "container " + call.key().containerId() + " already has interface "
                        + call.key().ifname(),
                "it was attached to network " + known.network() + " in another network namespace, " + known.netnsPath()
                        + "; the runtime must DEL it first");
    }

    private Wired attach(CniCall call, PodRequest request, Path path, Netns pod, Duration began, Caller caller)
            throws CniException {
        WiringMode mode = call.config().mode();
        StartBarrier barrier = call.config().startBarrier(usual);
        rules.check(request, mode, pod.sameAs(node.own()));
        try (Entrance entrance = node.wiring().enter(pod)) {
            return attach(intent(call, request, mode, path, pod, began), entrance, pod, barrier, began, caller);
        }
    }

    /** Claims for a pod what others must not have too. */
    private Attachment intent(CniCall call, PodRequest request, WiringMode mode, Path path, Netns pod, Duration began)
            throws CniException {
        EndpointKey key = call.key();
        PodIdentity of = call.pod();
        addressing.checkQuota(of.namespace());
        checkWritable();
        boolean claimed = false;
        try {
            node.claims().claimPorts(key, of.display(), request.hostPorts());
            if (request.mac().isPresent()) {
                node.claims().claimMac(key, of.display(), request.mac().get());
            }
            PodAddresses addresses = addressing.take(call, request, () -> left(began));
            Attachment planned = node.wiring()
                    .plan(new Attachment(
                            key,
                            call.config().name(),
                            of,
                            path.toString(),
                            pod.inode(),
                            mode,
                            PodNames.hostIfname(key),
                            request.mac().orElseGet(() -> PodNames.podMac(addresses)),
                            addresses,
                            request.mtu().orElseGet(node.podMtu()),
                            Attachment.State.INTENT,
                            0,
                            node.time().wall(),
                            request));
            node.claims().claimMac(key, of.display(), planned.mac());
            claimed = true;
            return planned;
        } catch (WiringException e) {
            throw new CniException(Code.INVALID_CONFIG, String.valueOf(e.getMessage()), e.details(), e);
        } finally {
            if (!claimed) {
                node.claims().release(key);
                node.addresses().release(key, node.time().monotonic());
                node.services().releaseSingles(key);
            }
        }
    }

    private void checkWritable() throws CniException {
        try {
            node.attachments().checkWritable();
        } catch (JournalException e) {
            throw new CniException(Code.TRY_AGAIN, "the journal cannot be written", e.getMessage(), e);
        }
    }

    /**
     * Two things run beside each other: this thread wires the pod, and the loop of the rules brings them into the kernel.
     * A program mostly expects the pod; only where it does not is policy-service told now, and waited for.
     */
    private Wired attach(
            Attachment intent, Entrance entrance, Netns pod, StartBarrier barrier, Duration began, Caller caller)
            throws CniException {
        EndpointKey key = intent.key();
        CompletableFuture<Long> covered = new CompletableFuture<>();
        try {
            node.failPoints().reach("add.address");
            node.attachments().begin(intent);
            node.failPoints().reach("add.intent");
            CompletableFuture<Void> routed = singles.announced(intent);
            LocalEndpoint endpoint = Node.endpoint(intent);
            if (endpoint.hostSide() != HostSide.BRIDGE_PORT) {
                node.ruleset().expectUnbridged().join();
            }
            boolean expected = node.ruleset().expects(endpoint);
            node.ruleset().attach(endpoint, covered);
            boolean others = barrier.scope() == Scope.CLUSTER;
            if (!expected || others) {
                node.services().up(intent);
            }
            node.failPoints().reach("add.announce");
            Duration announced = node.time().monotonic();
            Set<IpFamily> families = node.wiring().attach(intent, entrance);
            node.extras().give(intent, pod);
            Duration wired = node.time().monotonic();
            Attachment attached = intent.attached(
                    await(covered, intent, expected, began), node.time().wall());
            Duration ruled = node.time().monotonic();
            node.failPoints().reach("add.rules");
            if (!intent.request().hostPorts().isEmpty()) {
                node.connections().takeOver(intent.request().hostPorts(), intent.addresses());
            }
            awaitRoutes(routed, began);
            if (others) {
                awaitOthers(intent, barrier, began);
            }
            checkAwaited(caller);
            checkEnforceable(endpoint, attached);
            node.attachments().finish(attached);
            node.failPoints().reach("add.commit");
            if (expected && !others) {
                node.services().upSoon(intent);
            }
            log.debug(
                    "ADD of {}: {} us to the announcement, {} us wiring, {} us more for rules, {} us to finish",
                    key,
                    micros(began, announced),
                    micros(announced, wired),
                    micros(wired, ruled),
                    micros(ruled, node.time().monotonic()));
            return new Wired(attached, families);
        } catch (CniException e) {
            undo(intent, covered);
            throw e;
        } catch (JournalException e) {
            undo(intent, covered);
            throw new CniException(
                    Code.TRY_AGAIN, "the journal cannot be written", e.getMessage() + "; everything was undone", e);
        } catch (RefusedException e) {
            undo(intent, covered);
            throw new CniException(
                    e.missing() ? Code.UNSUPPORTED_FIELD : Code.INVALID_CONFIG,
                    "cannot give interface " + key.ifname() + " what was asked for",
                    e.getMessage() + "; everything was undone",
                    e);
        } catch (KernelLacksException e) {
            undo(intent, covered);
            throw new CniException(
                    Code.UNSUPPORTED_FIELD,
                    "this node's kernel has no mode " + intent.mode().name(),
                    e.getMessage() + "; or choose another mode of " + WiringMode.NAMES + "; everything was undone",
                    e);
        } catch (NetlinkException e) {
            undo(intent, covered);
            throw new CniException(
                    Code.INTERFACE,
                    "cannot make interface " + key.ifname(),
                    e.getMessage() + "; everything was undone",
                    e);
        } catch (RuntimeException e) {
            undo(intent, covered);
            throw e;
        }
    }

    private static void checkAwaited(Caller caller) throws CniException {
        if (caller.gone()) {
            throw new CniException(
                    Code.TRY_AGAIN,
                    "the caller is gone",
                    "cni-shim ended, or gave up at its deadline, before the ADD was done; everything was undone");
        }
    }

    /** A pod that policy isolates does not start where others reach it past the node. */
    private void checkEnforceable(LocalEndpoint endpoint, Attachment attached) throws CniException {
        if (node.ruleset().isolatesInVain(endpoint)) {
            throw new CniException(
                    Code.NOT_ENFORCEABLE,
                    "policy isolates the pod, which mode " + attached.mode().name() + " cannot keep",
                    "what is on the device " + attached.mode().device().orElse("") + " reaches it past this node's"
                            + " rules; use mode bridge or routed, or take the policy away; everything was undone");
        }
    }

    /**
     * Waits until the kernel enforces a program that covers the pod. One that was expected when it began may be so no
     * more once the rules are worked on, and policy-service has not heard of it then: it is told when that takes long.
     */
    private long await(CompletableFuture<Long> covered, Attachment intent, boolean expected, Duration began)
            throws CniException {
        Duration left = left(began);
        try {
            return within(covered, left, () -> {
                if (expected) {
                    node.services().up(intent);
                }
            });
        } catch (TimeoutException e) {
            throw new CniException(
                    Code.TRY_AGAIN,
                    "no policy covers the pod yet",
                    "policy-service sent no program with this pod within " + DEADLINE.toSeconds()
                            + " s: it may be unreachable, or the pod's object is not known to it yet."
                            + " A pod that is not protected does not start",
                    e);
        } catch (ExecutionException e) {
            throw new CniException(
                    Code.TRY_AGAIN,
                    "the kernel refused the pod's rules",
                    String.valueOf(e.getCause().getMessage()),
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CniException(Code.TRY_AGAIN, "node-shim is stopping", "try again when it is back", e);
        }
    }

    /** A pod that others cannot reach, or look for at another node, does not start. */
    private void awaitRoutes(CompletableFuture<Void> routed, Duration began) throws CniException {
        if (routed.isDone() && !routed.isCompletedExceptionally()) {
            return;
        }
        try {
            within(routed, left(began), () -> {});
        } catch (TimeoutException | ExecutionException e) {
            throw new CniException(
                    Code.TRY_AGAIN,
                    "the other nodes do not know where the pod's address is",
                    "it is of ipam-service's own blocks, so its route has to be announced, and route-reflector did not"
                            + " take it within " + DEADLINE.toSeconds() + " s: " + e.getMessage(),
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CniException(Code.TRY_AGAIN, "node-shim is stopping", "try again when it is back", e);
        }
    }

    /**
     * Waits for the nodes whose rules name the pod. At the bound it starts nevertheless: a node that is away must not keep
     * a cluster from starting pods, and what is not allowed yet does not pass there.
     */
    private void awaitOthers(Attachment intent, StartBarrier barrier, Duration began) throws CniException {
        Duration left = left(began).minus(ANSWERING);
        Duration longest = left.compareTo(barrier.longest()) < 0 ? left : barrier.longest();
        if (!longest.isPositive()) {
            log.warn("pod {} starts without waiting for other nodes: the ADD has taken too long already", intent.key());
            return;
        }
        try {
            var _ = within(node.services().enforcedElsewhere(intent, longest), left(began), () -> {});
        } catch (TimeoutException | ExecutionException e) {
            log.error("waiting for other nodes to enforce {} did not end", intent.key(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CniException(Code.TRY_AGAIN, "node-shim is stopping", "try again when it is back", e);
        }
    }

    /**
     * What takes long keeps no other ADD waiting: one whose pod is covered goes on while policy-service is away.
     *
     * @param whenLong done once it does
     */
    private static <T> T within(CompletableFuture<T> result, Duration left, Runnable whenLong)
            throws InterruptedException, ExecutionException, TimeoutException {
        long nanos = Math.max(0, left.toNanos());
        long brief = Math.min(nanos, BRIEF.toNanos());
        try {
            return result.get(brief, TimeUnit.NANOSECONDS);
        } catch (TimeoutException _) {
            whenLong.run();
            try (var _ = LifoThreads.stepAside()) {
                return result.get(nanos - brief, TimeUnit.NANOSECONDS);
            }
        }
    }

    private static long micros(Duration from, Duration to) {
        return to.minus(from).toNanos() / 1000;
    }

    private Duration left(Duration began) {
        return DEADLINE.minus(node.time().monotonic().minus(began));
    }

    private void undo(Attachment intent, CompletableFuture<Long> covered) {
        covered.cancel(false);
        try {
            node.remove(intent);
        } catch (RuntimeException e) {
            log.error("undoing the ADD of {} failed, the runtime's DEL or the next start does it", intent.key(), e);
        }
    }
}
