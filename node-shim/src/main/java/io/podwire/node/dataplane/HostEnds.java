package io.podwire.node.dataplane;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.LinkEvents;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netns.Netns;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host ends of pods' veth pairs, whatever else they are. Safe for several threads.
 *
 * @param sockets of the node
 * @param events of the node
 * @param kernelThreads for the removal of links: the kernel keeps who asks for it waiting
 */
record HostEnds(RtnetlinkPool sockets, LinkEvents events, Executor kernelThreads) {
    private static final Logger log = LoggerFactory.getLogger(HostEnds.class);

    /**
     * Attaches a pod by a veth pair, and returns when packets pass.
     *
     * @param entrance to the pod's network namespace; closed afterwards
     * @param bridge that its host end is a port of; a bridge has a carrier once a port of it forwards
     * @param outside makes the pair and all that the node has of it, and gives the index of its host end
     * @return the families whose default route leaves by it
     */
    Set<IpFamily> attach(
            Attachment attachment,
            Entrance entrance,
            PodEnd podEnd,
            FailPoints failPoints,
            OptionalInt bridge,
            Function<Rtnetlink, Integer> outside) {
        Set<IpFamily> routed;
        try (entrance) {
            int hostEnd = sockets.call(outside);
            failPoints.reach("add.host");
            Link link = entrance.socket().link(attachment.key().ifname()).orElseThrow();
            routed = podEnd.complete(entrance, link, attachment, Optional.of(PodNames.BRIDGE_MAC));
            settle(hostEnd, bridge, entrance.socket(), link);
        }
        failPoints.reach("add.pod");
        return routed;
    }

    /**
     * Makes the veth pair of an attachment, up on the node's side.
     *
     * @param pod where its other end is made
     * @param mac of the host end; empty: the kernel's choice
     * @param master of the host end; empty: none
     * @return index of the host end
     */
    static int make(Rtnetlink host, Attachment attachment, Netns pod, Optional<MacAddress> mac, OptionalInt master) {
        return host.addLink(new NewLink(
                attachment.hostIfname(),
                new NewLinkKind.Veth(
                        attachment.key().ifname(),
                        Optional.of(attachment.mac()),
                        OptionalInt.of(attachment.mtu()),
                        pod.fd()),
                mac,
                OptionalInt.of(attachment.mtu()),
                master,
                true,
                Optional.of(PodNames.alias(attachment.key()))));
    }

    /** Waits until a host end carries packets, so that a pod's first one is not lost. */
    private void settle(int hostEnd, OptionalInt bridge, Rtnetlink in, Link podEnd) {
        // At the first question, but for kernels before Linux 6.8.
        KernelThreads.await(
                () -> sockets.call(host -> host.operational(hostEnd)) && in.operational(podEnd.index()),
                podEnd.name() + " in the container is up and so is its other end, but the kernel lets no packet pass"
                        + " between them");
        bridge.ifPresent(index -> KernelThreads.await(
                () -> sockets.call(host -> host.operational(index)),
                podEnd.name() + " in the container can send, but the bridge of its other end has no carrier"));
    }

    /** The host end of an attachment, if it is there and its own. */
    Optional<Link> find(Attachment attachment) {
        return sockets.call(host -> host.link(attachment.hostIfname())).filter(link -> isOurs(link, attachment));
    }

    private static boolean isOurs(Link link, Attachment attachment) {
        // A link whose ADD ended before its alias was set has none; its name is a hash of 60 bits or more.
        boolean ours = link.kind() instanceof LinkKind.Veth
                && (link.alias().isEmpty() || link.alias().equals(PodNames.alias(attachment.key())));
        if (!ours) {
            log.error(
                    "link {} belongs to somebody else (alias '{}'): it is left alone and {} counts as detached",
                    link.name(),
                    link.alias(),
                    attachment.key());
        }
        return ours;
    }

    /**
     * Removes the host end of an attachment, and the pod's with it. When this returns the link is in no
     * table any more; the kernel frees its memory behind it.
     */
    void remove(Attachment attachment) {
        find(attachment).ifPresent(link -> remove(link.index()));
    }

    /** The kernel's answer comes some 20 ms after the link is gone: whichever tells first. */
    private void remove(int index) {
        CompletableFuture<Void> gone = events.gone(index);
        CompletableFuture<Void> answered =
                CompletableFuture.runAsync(() -> sockets.run(host -> host.deleteLink(index)), kernelThreads);
        try {
            CompletableFuture.anyOf(gone, answered).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw e;
        } finally {
            events.forget(index);
        }
    }
}
