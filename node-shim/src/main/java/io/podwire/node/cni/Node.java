package io.podwire.node.cni;

import com.google.common.util.concurrent.Striped;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.node.address.AddressBook;
import io.podwire.node.dataplane.EveryStep;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.dataplane.PodNames;
import io.podwire.node.dataplane.PodWiring;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.AttachmentTable;
import io.podwire.node.netns.Netns;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.plan.PodName;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Lock;

/**
 * What the flows share: the node's state and hands.
 *
 * @param own the node's own network namespace
 * @param attachments journal of attachments
 * @param addresses the node's addresses
 * @param families what a new pod gets an address of, each
 * @param wiring pods' kernel objects
 * @param ruleset the kernel's ruleset
 * @param services what the flows need of the services
 * @param recorder writes attachments to the journal while their pods are wired
 * @param locks one lock for each attachment, so that calls about the same one follow each other
 * @param podMtu MTU of pods, in bytes
 * @param time clocks
 * @param failPoints where tests make a flow die
 */
public record Node(
        Netns own,
        AttachmentTable attachments,
        AddressBook<EndpointKey> addresses,
        Set<IpFamily> families,
        PodWiring wiring,
        RulesetReconciler ruleset,
        Services services,
        Executor recorder,
        Striped<Lock> locks,
        int podMtu,
        TimeSource time,
        FailPoints failPoints) {

    /** What the flows need of the services. */
    public interface Services {
        /** Tells policy-service that an endpoint is coming. */
        void up(Attachment attachment);

        /** Tells policy-service that an endpoint is gone. */
        void down(EndpointKey key);

        /** Addresses were taken from the node's blocks: few may be left. */
        void addressesTaken();

        /**
         * Asks ipam-service for addresses and waits for its answer.
         *
         * @param longest how long to wait
         * @return true when there may be addresses of each family now, false when ipam-service gave none
         */
        boolean supply(Duration longest);

        /** Why there may be no address, one sentence; empty when nothing is wrong. */
        String supplyProblem();
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
                List.of());
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
        steps.run(() -> wiring.detach(attachment));
        steps.run(rules::join);
        // Only what the kernel has forgotten may be given to another pod.
        steps.finish();
        addresses.release(attachment.key(), time.monotonic());
        failPoints.reach("del.release");
        attachments.remove(attachment, addresses.cooling(time.monotonic()));
        failPoints.reach("del.commit");
    }
}
