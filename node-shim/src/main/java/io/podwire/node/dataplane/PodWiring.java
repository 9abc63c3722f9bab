package io.podwire.node.dataplane;

import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netns.Netns;
import java.util.List;
import java.util.Set;

/** How pods of one mode are wired to their node. Safe for several threads: each call is about one pod. */
public interface PodWiring {
    /** Begins to enter a pod, for an {@link #attach} soon after. The caller keeps the namespace open until then. */
    default Entrance enter(Netns pod) {
        return new Entrance(pod);
    }

    /**
     * What the mode decides of an attachment before anything is done for it: its interfaces' names, MAC address, MTU.
     *
     * @throws WiringException when it cannot be wired so on this node
     */
    Attachment plan(Attachment asked) throws WiringException;

    /**
     * Wires one pod.
     *
     * @param entrance to the pod's network namespace; closed afterwards
     * @return the families whose default route leaves by this interface: all of the attachment's, but
     *     none of a second interface, and none in the node's own namespace
     * @throws io.podwire.node.netlink.NetlinkException when the kernel refuses a step, EEXIST where an interface of
     *     that name is there already; what was done before stays, for {@link #detach}
     */
    Set<IpFamily> attach(Attachment attachment, Entrance entrance);

    /** Removes what {@link #attach} made, whatever of it is left, and nothing that is somebody else's. */
    void detach(Attachment attachment);

    /** True when an attachment's interface is there. It ends with the container's network namespace, whoever ends that. */
    boolean linked(Attachment attachment);

    /** The families whose default route leaves by an interface that {@link #attach} made before. */
    default Set<IpFamily> routed(Attachment attachment, Netns pod) {
        try (Rtnetlink in = Rtnetlink.open(pod)) {
            return PodEnd.routed(in, attachment);
        }
    }

    /**
     * Differences between an attachment and the kernel, on the node and in the pod.
     *
     * @param routed the families whose default route the attachment was given
     */
    List<Finding> check(Attachment attachment, Netns pod, Set<IpFamily> routed);

    /**
     * Differences between all attachments of this mode and the node's kernel: what is missing, and what nobody owns.
     *
     * @param attachments those that are done; objects of others count as left over
     */
    List<Finding> audit(List<Attachment> attachments);
}
