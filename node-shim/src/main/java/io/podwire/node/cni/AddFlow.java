package io.podwire.node.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.dataplane.Entrance;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.WiringException;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.JournalException;
import io.podwire.node.netlink.KernelLacksException;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsException;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.LocalEndpoint;
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
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * ADD: addresses, announcement, journal, wiring, rules, journal, answer.
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

    private static final Logger log = LoggerFactory.getLogger(AddFlow.class);

    private final Node node;

    /**
     * What a result tells.
     *
     * @param routed the families whose default route the attachment was given
     */
    private record Wired(Attachment attachment, Set<IpFamily> routed) {}

    /** The flow of one node. */
    public AddFlow(Node node) {
        this.node = node;
    }

    /**
     * Attaches a container.
     *
     * @param abandoned true once nobody waits for the answer any more: all is undone then, since the
     *     runtime takes the ADD for failed
     * @return the result in the configuration's version
     */
    public ObjectNode add(CniCall call, BooleanSupplier abandoned) throws CniException {
        Duration began = node.time().monotonic();
        Path path = call.netns()
                .orElseThrow(() ->
                        new CniException(Code.INVALID_ENVIRONMENT, "required env variables [CNI_NETNS] missing", ""));
        Lock lock = node.locks().get(call.key());
        lock.lock();
        try (Netns pod = open(path, call)) {
            Optional<Attachment> known = withoutDead(node.attachments().get(call.key()));
            Wired wired =
                    known.isPresent() ? repeated(call, known.get(), pod) : attach(call, path, pod, began, abandoned);
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

    private Wired repeated(CniCall call, Attachment known, Netns pod) throws CniException {
        if (known.netnsInode() == pod.inode()
                && known.network().equals(call.config().name())) {
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

    private Wired attach(CniCall call, Path path, Netns pod, Duration began, BooleanSupplier abandoned)
            throws CniException {
        try (Entrance entrance = node.wiring().enter(pod)) {
            return attach(intent(call, path, pod, began), entrance, began, abandoned);
        }
    }

    private Attachment intent(CniCall call, Path path, Netns pod, Duration began) throws CniException {
        EndpointKey key = call.key();
        checkWritable();
        WiringMode mode = WiringModes.of(call.config());
        PodAddresses addresses = takeAddresses(key, began);
        Attachment asked = new Attachment(
                key,
                call.config().name(),
                call.pod(),
                path.toString(),
                pod.inode(),
                mode,
                PodNames.hostIfname(key),
                PodNames.podMac(addresses),
                addresses,
                node.podMtu(),
                Attachment.State.INTENT,
                0,
                node.time().wall());
        try {
            return node.wiring().plan(asked);
        } catch (WiringException e) {
            node.addresses().release(key, node.time().monotonic());
            throw new CniException(Code.INVALID_CONFIG, String.valueOf(e.getMessage()), e.details(), e);
        } catch (RuntimeException e) {
            node.addresses().release(key, node.time().monotonic());
            throw e;
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
     * Three things run beside each other: this thread wires the pod, the loop of the rules brings them into the kernel,
     * and once they are there the recorder writes the attachment to the journal. A program mostly expects the
     * pod; only where it does not is policy-service told now, and waited for.
     */
    private Wired attach(Attachment intent, Entrance entrance, Duration began, BooleanSupplier abandoned)
            throws CniException {
        EndpointKey key = intent.key();
        CompletableFuture<Long> covered = new CompletableFuture<>();
        CompletableFuture<Attachment> recorded = covered.thenApplyAsync(
                revision -> record(intent.attached(revision, node.time().wall())), node.recorder());
        try {
            node.failPoints().reach("add.address");
            node.attachments().begin(intent);
            node.failPoints().reach("add.intent");
            LocalEndpoint endpoint = Node.endpoint(intent);
            if (endpoint.hostSide() != HostSide.BRIDGE_PORT) {
                node.ruleset().expectUnbridged().join();
            }
            boolean expected = node.ruleset().expects(endpoint);
            node.ruleset().attach(endpoint, covered);
            if (!expected) {
                node.services().up(intent);
            }
            node.failPoints().reach("add.announce");
            Duration announced = node.time().monotonic();
            Set<IpFamily> routed = node.wiring().attach(intent, entrance);
            Duration wired = node.time().monotonic();
            if (expected) {
                // The others learn its address now, this node's processors being free again.
                node.services().up(intent);
            }
            Attachment attached = await(recorded, began);
            Duration ruled = node.time().monotonic();
            node.failPoints().reach("add.rules");
            checkAwaited(abandoned);
            checkEnforceable(endpoint, attached);
            node.attachments().finish(attached);
            node.failPoints().reach("add.commit");
            log.debug(
                    "ADD of {}: {} us to the announcement, {} us wiring, {} us more for rules and journal, {} us to"
                            + " finish",
                    key,
                    micros(began, announced),
                    micros(announced, wired),
                    micros(wired, ruled),
                    micros(ruled, node.time().monotonic()));
            return new Wired(attached, routed);
        } catch (CniException e) {
            undo(intent, covered, recorded);
            throw e;
        } catch (JournalException e) {
            undo(intent, covered, recorded);
            throw new CniException(
                    Code.TRY_AGAIN, "the journal cannot be written", e.getMessage() + "; everything was undone", e);
        } catch (KernelLacksException e) {
            undo(intent, covered, recorded);
            throw new CniException(
                    Code.UNSUPPORTED_FIELD,
                    "this node's kernel has no mode " + intent.mode().name(),
                    e.getMessage() + "; or choose another mode of " + WiringMode.NAMES + "; everything was undone",
                    e);
        } catch (NetlinkException e) {
            undo(intent, covered, recorded);
            throw new CniException(
                    Code.INTERFACE,
                    "cannot make interface " + key.ifname(),
                    e.getMessage() + "; everything was undone",
                    e);
        } catch (RuntimeException e) {
            undo(intent, covered, recorded);
            throw e;
        }
    }

    private Attachment record(Attachment attached) {
        node.attachments().record(attached);
        return attached;
    }

    private static void checkAwaited(BooleanSupplier abandoned) throws CniException {
        if (abandoned.getAsBoolean()) {
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

    private Attachment await(CompletableFuture<Attachment> recorded, Duration began) throws CniException {
        Duration left = left(began);
        try {
            return recorded.get(Math.max(0, left.toNanos()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new CniException(
                    Code.TRY_AGAIN,
                    "no policy covers the pod yet",
                    "policy-service sent no program with this pod within " + DEADLINE.toSeconds()
                            + " s: it may be unreachable, or the pod's object is not known to it yet."
                            + " A pod that is not protected does not start",
                    e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof JournalException failure) {
                throw failure;
            }
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

    private static long micros(Duration from, Duration to) {
        return to.minus(from).toNanos() / 1000;
    }

    private PodAddresses takeAddresses(EndpointKey key, Duration began) throws CniException {
        while (true) {
            Optional<PodAddresses> addresses =
                    node.addresses().take(key, node.families(), node.time().monotonic());
            if (addresses.isPresent()) {
                node.services().addressesTaken();
                return addresses.get();
            }
            // A burst of ADDs can be faster than the claim of a further block: wait for its answer.
            if (!node.services().supply(left(began))) {
                throw exhausted();
            }
        }
    }

    private Duration left(Duration began) {
        return DEADLINE.minus(node.time().monotonic().minus(began));
    }

    private CniException exhausted() {
        String problem = node.services().supplyProblem();
        String missing = node.families().stream()
                .filter(family -> node.addresses().free(family, node.time().monotonic()) == 0)
                .map(IpFamily::label)
                .collect(Collectors.joining(" and "));
        return new CniException(
                Code.TRY_AGAIN,
                "no free address",
                "every " + (missing.isEmpty() ? "" : missing + " ") + "address of this node's blocks "
                        + node.addresses().blocks() + " is in use or cools down"
                        + (problem.isEmpty() ? "" : "; " + problem));
    }

    private void undo(Attachment intent, CompletableFuture<Long> covered, CompletableFuture<Attachment> recorded) {
        // Nothing is written for it any more once this returns.
        covered.cancel(false);
        recorded.handle((_, _) -> true).join();
        try {
            node.remove(intent);
        } catch (RuntimeException e) {
            log.error("undoing the ADD of {} failed, the runtime's DEL or the next start does it", intent.key(), e);
        }
    }
}
