package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.Classifier;
import io.podwire.node.netlink.rt.FilterCodec;
import io.podwire.node.netlink.rt.KernelPart;
import io.podwire.node.netlink.rt.Qdisc;
import io.podwire.node.netlink.rt.QdiscCodec;
import io.podwire.node.netlink.rt.Redirect;
import io.podwire.node.netlink.rt.TokenBucket;
import io.podwire.node.netlink.wire.NlMessage;
import java.util.List;

/**
 * How fast a device sends and receives, tc(8): a token bucket on what leaves it, and what comes in led through
 * another device (an ifb) with a bucket of its own. For devices that are Podwire's: what is at their root is
 * replaced. Uses the socket of its {@link Rtnetlink}; safe for all threads as that is.
 */
public final class TrafficControl {
    private final NetlinkSocket socket;

    TrafficControl(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** What is at the root and the ingress of a device. */
    public List<Qdisc> qdiscs(int ifindex) {
        return qdiscs().stream().filter(qdisc -> qdisc.ifindex() == ifindex).toList();
    }

    /** What is at the root and the ingress of each device. */
    public List<Qdisc> qdiscs() {
        return socket.dump(() -> "list queueing disciplines", QdiscCodec.GET, QdiscCodec::writeDump, QdiscCodec::read);
    }

    /**
     * Has a device send no faster than that, whatever its root was before; what waits in a bucket that was there
     * goes on waiting.
     *
     * @throws KernelLacksException when the kernel has no token bucket
     */
    public void shape(int ifindex, TokenBucket bucket) {
        try {
            socket.change(
                    () -> "shape link " + ifindex + " by " + bucket,
                    QdiscCodec.NEW,
                    NlMessage.CREATE | NlMessage.REPLACE,
                    out -> QdiscCodec.writeTokenBucket(out, ifindex, bucket));
        } catch (NetlinkException e) {
            throw e.errno() == Errno.ENOENT ? new KernelLacksException(e, KernelPart.TOKEN_BUCKET) : e;
        }
    }

    /**
     * Has a device send as it would by itself.
     *
     * @return false when it does, or is gone
     */
    public boolean unshape(int ifindex) {
        return socket.change(
                () -> "delete the root queueing discipline of link " + ifindex,
                QdiscCodec.DELETE,
                0,
                out -> QdiscCodec.writeRoot(out, ifindex),
                Errno.ENOENT,
                Errno.ENODEV);
    }

    /** Podwire's filters on what comes in by a device. */
    public List<Redirect> redirects(int ifindex) {
        return socket.dump(
                () -> "list filters of link " + ifindex,
                FilterCodec.GET,
                out -> FilterCodec.writeDump(out, ifindex),
                FilterCodec::read);
    }

    /**
     * Leads what comes in by a device elsewhere, in place of where Podwire led it before. Others' filters stay.
     *
     * @throws KernelLacksException when the kernel has no ingress, no classifier for it or no redirection
     */
    public void replaceRedirect(Redirect redirect) {
        if (redirects(redirect.ifindex()).equals(List.of(redirect))) {
            return;
        }
        deleteRedirect(redirect.ifindex());
        ensureIngress(redirect.ifindex());
        try {
            addFilter(redirect, Classifier.U32);
        } catch (KernelLacksException e) {
            addFilter(redirect, Classifier.MATCHALL);
        }
    }

    private void ensureIngress(int ifindex) {
        try {
            socket.change(
                    () -> "make the ingress of link " + ifindex,
                    QdiscCodec.NEW,
                    NlMessage.CREATE | NlMessage.EXCLUSIVE,
                    out -> QdiscCodec.writeIngress(out, ifindex),
                    Errno.EEXIST);
        } catch (NetlinkException e) {
            throw e.errno() == Errno.ENOENT ? new KernelLacksException(e, KernelPart.INGRESS) : e;
        }
    }

    private void addFilter(Redirect redirect, Classifier classifier) {
        try {
            socket.change(
                    () -> "add " + redirect + " by " + classifier,
                    FilterCodec.NEW,
                    NlMessage.CREATE | NlMessage.EXCLUSIVE,
                    out -> FilterCodec.write(out, redirect, classifier));
        } catch (NetlinkException e) {
            if (e.errno() != Errno.ENOENT) {
                throw e;
            }
            // A classifier and an action that are missing are the same number.
            throw new KernelLacksException(
                    e, e.kernelText().contains("action") ? KernelPart.MIRRED : KernelPart.CLASSIFIER);
        }
    }

    /**
     * Leaves what comes in by a device where it is.
     *
     * @return false when it was left there, or the device is gone
     */
    public boolean deleteRedirect(int ifindex) {
        return socket.change(
                () -> "delete the redirection of link " + ifindex,
                FilterCodec.DELETE,
                0,
                out -> FilterCodec.writeDelete(out, ifindex),
                Errno.ENOENT,
                Errno.EINVAL,
                Errno.ENODEV);
    }
}
