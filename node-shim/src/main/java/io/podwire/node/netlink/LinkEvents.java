package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.ffm.Libc;
import io.podwire.node.netlink.rt.LinkCodec;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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
    private static final Logger log = LoggerFactory.getLogger(LinkEvents.class);
    private static final int NETLINK_ROUTE = 0;
    /** RTMGRP_LINK, linux/rtnetlink.h: the bit of RTNLGRP_LINK. */
    private static final int LINK_GROUP = 1;
    /** struct sockaddr_nl, linux/netlink.h, and where its groups are. */
    private static final int SOCKADDR_BYTES = 12;

    private static final int SOCKADDR_GROUPS = 8;
    private static final int RECEIVE_BYTES = 32 * 1024;
    /** The second of the two files waited for. */
    private static final int STOP_BIT = 2;
    /** ENOBUFS: messages were dropped. */
    private static final Set<Errno> HARMLESS = EnumSet.of(Errno.EAGAIN, Errno.EINTR, Errno.ENOBUFS);

    private final Map<Integer, CompletableFuture<Void>> waiting = new ConcurrentHashMap<>();
    private final int fd;
    private final int stop;
    private final Thread thread;

    private LinkEvents(int fd, int stop) {
        this.fd = fd;
        this.stop = stop;
        this.thread = Thread.ofPlatform().name("link-events").daemon().unstarted(this::read);
    }

    /**
     * Listens in the namespace of this process.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static LinkEvents open() {
        return of(socket());
    }

    /**
     * Listens in another namespace, which may be closed afterwards.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static LinkEvents open(Netns ns) {
        try {
            return of(NetnsThread.call(ns, LinkEvents::socket));
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new AssertionError("opening a socket throws nothing checked", e);
        }
    }

    private static LinkEvents of(int fd) {
        LinkEvents events = new LinkEvents(fd, check("eventfd", Libc.eventfd()));
        events.thread.start();
        return events;
    }

    private static int socket() {
        int fd = check("socket", Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, NETLINK_ROUTE));
        ByteBuffer address = ByteBuffer.allocate(SOCKADDR_BYTES).order(ByteOrder.nativeOrder());
        check(
                "bind to the link group",
                Libc.bind(fd, address.putShort(0, (short) Libc.AF_NETLINK).putInt(SOCKADDR_GROUPS, LINK_GROUP)));
        return fd;
    }

    private static int check(String asked, int result) {
        if (result < 0) {
            throw new NetlinkException(asked, -result, "");
        }
        return result;
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

    private void read() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(RECEIVE_BYTES);
        try {
            while ((Libc.awaitReadable(fd, stop) & STOP_BIT) == 0) {
                int received = Libc.recv(fd, buffer.clear(), Libc.MSG_DONTWAIT);
                if (received > 0) {
                    deliver(buffer.limit(received));
                } else if (!HARMLESS.contains(Errno.of(-received))) {
                    throw new NetlinkException("receive link events", -received, "");
                }
            }
        } catch (RuntimeException e) {
            log.error("link events are not read any more: every DEL waits for the kernel's unregister", e);
        } finally {
            Libc.close(fd);
            Libc.close(stop);
        }
    }

    private void deliver(ByteBuffer datagram) {
        while (datagram.hasRemaining()) {
            NlMessage message = NlMessage.take(datagram);
            if (message.type() == LinkCodec.DELETE) {
                LinkCodec.readDeleted(message).ifPresent(this::tell);
            }
        }
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
        Libc.signal(stop);
    }
}
