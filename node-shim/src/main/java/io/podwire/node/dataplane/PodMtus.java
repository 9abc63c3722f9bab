package io.podwire.node.dataplane;

import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.RtnetlinkPool;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netns.Netns;

/**
 * The MTU of pods that are attached. A veth drops, without a word, what is longer than its other end takes: the sender
 * has the smaller MTU first.
 *
 * @param sockets of the node's namespace
 */
public record PodMtus(RtnetlinkPool sockets) {
    /**
     * Gives both ends of a pod's veth another MTU.
     *
     * @throws io.podwire.node.netlink.NetlinkException when the kernel refuses it
     */
    public void set(Attachment a, Netns pod, int mtu) {
        if (mtu < a.mtu()) {
            inside(a, pod, mtu);
            outside(a, mtu);
        } else {
            outside(a, mtu);
            inside(a, pod, mtu);
        }
    }

    private static void inside(Attachment a, Netns pod, int mtu) {
        try (Rtnetlink in = Rtnetlink.open(pod)) {
            in.link(a.key().ifname()).map(Link::index).ifPresent(index -> in.setMtu(index, mtu));
        }
    }

    private void outside(Attachment a, int mtu) {
        sockets.run(host -> host.link(a.hostIfname()).map(Link::index).ifPresent(index -> host.setMtu(index, mtu)));
    }
}
