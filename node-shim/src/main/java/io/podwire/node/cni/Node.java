package io.podwire.node.cni;

import com.google.common.util.concurrent.Striped;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.node.address.AddressBook;
import io.podwire.node.dataplane.EveryStep;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.dataplane.PodExtras;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.PodWiring;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.dataplane.StaleConnections;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.AttachmentTable;
import io.podwire.node.netns.Netns;
import io.podwire.node.plan.BarrierOutcome;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.SingleAnswer;
import io.podwire.node.plan.SingleWish;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Lock;
import java.util.function.IntSupplier;

/**
 * What the flows share: the node's state and hands.
 *
 * @param own the node's own network namespace
 * @param attachments journal of attachments
 * @param addresses the node's addresses
 * @param families what a new pod gets an address of, each
 * @param claims what else no two pods may have
 * @param wiring pods' kernel objects
 * @param extras what pods ask for beyond that
 * @param connections connections that the kernel tracks
 * @param ruleset the kernel's ruleset
 * @param services what the flows need of the services
 * @param locks one lock for each attachment, so that calls about the same one follow each other
 * @param podMtu MTU now of pods that ask for none, in bytes
 * @param time clocks
 * @param failPoints where tests make a flow die
 */
public record Node(
        Netns own,
        AttachmentTable attachments,
        AddressBook<EndpointKey> addresses,
        Set<IpFamily> families,
        Claims claims,
        PodWiring wiring,
        PodExtras extras,
        StaleConnections connections,
        RulesetReconciler ruleset,
        Services services,
        Striped<Lock> locks,
        IntSupplier podMtu,
        TimeSource time,
        FailPoints failPoints) {

    /** What the flows need of the services. */
    public interface Services {
        /** Tells policy-service that an endpoint is coming. */
        void up(Attachment attachment);

        /**
         * Tells policy-service, some milliseconds later, that an endpoint is there that it expected: what comes of it is
         * for other nodes, and needs this one's processors, which an ADD is using.
         */
        void upSoon(Attachment attachment);

        /**
         * Waits until every node whose rules name a pod enforces its addresses, once policy-service was told of it.
         *
         * @param longest how long
         * @return never fails, and is done soon after that time
         */
        CompletableFuture<BarrierOutcome> enforcedElsewhere(Attachment attachment, Duration longest);

        /** Tells policy-service that an endpoint is gone. */
        void down(EndpointKey key);

        /** True for a namespace that has all the addresses it may have, as ipam-service told last. Takes no time. */
        boolean atQuota(String namespace);

        /** Addresses were taken from the node's blocks: few may be left. */
        void addressesTaken();

        /** Addresses were given back: what ipam-service is told of them has changed. */
        void addressesReleased();

        /**
         * Asks ipam-service for addresses and waits for its answer.
         *
         * @param longest how long to wait
         * @return true when there may be addresses of each family now, false when ipam-service gave none
         */
        boolean supply(Duration longest);

        /**
         * Asks ipam-service for a block of a pool and waits for its answer.
         *
         * @param longest how long to wait
         * @return why there is none, one sentence; empty when there may be addresses of the pool now
         */
        String supplyOf(String pool, Duration longest);

        /**
         * Asks ipam-service for addresses of the blocks that it owns itself, and waits for its answer. Given, they are in
         * the address book and in the journal; {@link #releaseSingles} gives them back.
         *
         * @param longest how long to wait
         */
        SingleAnswer allocate(SingleWish wish, Duration longest);

        /** What an attachment had of ipam-service's own blocks goes back, durably; it need not have any. */
        void releaseSingles(EndpointKey key);

        /**
         * Tells the other nodes which addresses of ipam-service's own blocks are at this node.
         *
         * @return done once they are told
         */
        CompletableFuture<Void> announceSingles();

        /**
         * A pod of a namespace is about to get addresses: asks ipam-service which pools select it, where there are pools
         * that select namespaces and this node knows nothing of that one. Mostly returns at once, and after 2 s always.
         */
        void meet(String namespace);

        /** Why there may be no address, one sentence; empty when nothing is wrong. */
        String supplyProblem();
    }

    /** Differences between journal and kernel: what is missing, and what nobody owns. */
    public List<Finding> audit() {
        List<Attachment> all = attachments.all();
        List<Finding> findings = new ArrayList<>(wiring.audit(all));
        findings.addAll(extras.audit(all));
        findings.addAll(ruleset.audit());
        all.stream()
                .filter(a -> ruleset.isolatesInVain(endpoint(a)))
                .map(a -> new Finding(
                        "policy",
                        a.key().toString(),
                        "isolates the pod, which mode " + a.mode().name() + " cannot keep: what is on "
                                + a.mode().device().orElse("") + " reaches it past the node's rules"))
                .forEach(findings::add);
        return findings;
    }

    /** The endpoint of an attachment, for the ruleset. */
    public static LocalEndpoint endpoint(Attachment a) {
        return new LocalEndpoint(
                a.key(),
                new PodName(a.pod().namespace(), a.pod().name()),
                a.pod().uid(),
                PodNames.port(a),
                a.mode().hostSide(),
                a.mac(),
                a.addresses(),
                a.request().hostPorts());
    }

    /**
     * Takes everything of an attachment away, whatever is there, and forgets it. A step that fails spares none of the
     * others; the attachment stays in the journal then, for the next DEL. The link's removal
     * and the ruleset's run at the same time: the kernel waits some 20 ms for the first.
     */
    public void remove(Attachment attachment) {
        EveryStep steps = new EveryStep();
        steps.run(() -> failPoints.reach("del.begin"));
        steps.run(() -> services.down(attachment.key()));
        CompletableFuture<Long> rules = ruleset.detach(attachment.key());
        steps.run(() -> failPoints.reach("del.rules"));
        CompletableFuture<Void> extra = extras.remove(attachment);
        steps.run(() -> wiring.detach(attachment));
        steps.run(extra::join);
        steps.run(rules::join);
        // Only what the kernel has forgotten may be given to another pod.
        steps.finish();
        failPoints.reach("del.conntrack");
        connections.forget(attachment.addresses().list());
        claims.release(attachment.key());
        addresses.release(attachment.key(), time.monotonic());
        failPoints.reach("del.release");
        attachments.remove(attachment, addresses.cooling(time.monotonic()));
        services.releaseSingles(attachment.key());
        services.addressesReleased();
        failPoints.reach("del.commit");
    }
}
