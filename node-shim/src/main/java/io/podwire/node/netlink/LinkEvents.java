package io.podwire.node.netlink;

import io.podwire.node.netlink.rt.LinkCodec;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netns.Netns;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Tells when a link of one network namespace is gone (RTNLGRP_LINK, rtnetlink(7)). One thread
 * of its own reads; futures complete on it.
 *
 * <p>The kernel takes a link, and a veth's other end, out of its tables within a millisecond or a
 * few, says so to this group, and then keeps whoever asked waiting some 20 ms more, until no
 * processor reads the freed structures (netdev_run_todo() in net/core/dev.c). Nobody can see the
 * link in that time, so nobody but the asking thread has to wait.
 *
 * <p>The kernel drops messages when they are not read in time: a future that never completes means
 * nothing. Wait for the answer to the request beside it.
 */
public final class LinkEvents implements AutoCloseable {
    /** RTMGRP_LINK, linux/rtnetlink.h: the bit of RTNLGRP_LINK. */
    private static final int LINK_GROUP = 1;

    private final Map<Integer, CompletableFuture<Void>> waiting = new ConcurrentHashMap<>();
    private final EventReader reader;

    private LinkEvents(EventReader.Calls socket) {
        // The making of a pod's links tells a dozen things, each of which would wake the thread in the middle of an
        // ADD.
        EventReader.Calls deletions = EventReader.only(LinkCodec.DELETE, socket);
        this.reader = EventReader.start("link-events", deletions, new EventReader.Handler() {
            @Override
            public void message(NlMessage message) {
                LinkCodec.readDeleted(message).ifPresent(LinkEvents.this::tell);
            }

            @Override
            public void lost() {
                // Whoever waits has another answer to wait for.
            }
        });
    }

    /**
     * Listens in the namespace of this process.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static LinkEvents open() {
        return new LinkEvents(EventReader.join(NetlinkSocket.NETLINK_ROUTE, LINK_GROUP));
    }

    /**
     * Listens in another namespace, which may be closed afterwards.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static LinkEvents open(Netns ns) {
        return new LinkEvents(EventReader.join(ns, NetlinkSocket.NETLINK_ROUTE, LINK_GROUP));
    }

    /** Completes when the link of this index goes. One asker for each link, who then {@link #forget}s it. */
    public CompletableFuture<Void> gone(int index) {
        CompletableFuture<Void> gone = new CompletableFuture<>();
        waiting.put(index, gone);
        return gone;
    }

    /** Whoever asked for this link does not wait any more. */
    public void forget(int index) {
        waiting.remove(index);
    }

    private void tell(int index) {
        CompletableFuture<Void> asked = waiting.get(index);
        if (asked != null) {
            asked.complete(null);
        }
    }

    /** Ends the thread; futures still waiting never complete. */
    @Override
    public void close() {
        reader.close();
    }
}
