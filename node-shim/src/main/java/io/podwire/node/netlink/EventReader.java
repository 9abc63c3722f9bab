package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.ffm.Libc;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads what the kernel tells the multicast groups of one netlink protocol (netlink(7)), on a thread of its own,
 * which alone calls the handler.
 *
 * <p>The kernel drops messages that are not read in time, says so once (ENOBUFS), and goes on dropping, without a
 * word, until the socket is empty: netlink_overrun() and netlink_rcv_wake() in net/netlink/af_netlink.c. So the
 * handler hears of a loss after the last message that was left: who looks at everything then misses nothing. What
 * was left is not handed on, that look shows it.
 */
final class EventReader implements AutoCloseable {
    /** Failures of receive in a row after which it will not get better. */
    static final int FAILURES = 10;

    private static final Logger log = LoggerFactory.getLogger(EventReader.class);
    /** Room for some thousand messages while the handler works. */
    private static final int SOCKET_BYTES = 4 << 20;
    /** Larger than any message to a group. */
    private static final int RECEIVE_BYTES = 64 * 1024;
    /** Larger than any request on such a socket. */
    private static final int REQUEST_BYTES = 256;
    /** struct sockaddr_nl, linux/netlink.h, and where its groups are. */
    private static final int SOCKADDR_BYTES = 12;

    private static final int SOCKADDR_GROUPS = 8;

    /** Who is told; never from two threads. */
    interface Handler {
        /** A message, good until this returns. */
        void message(NlMessage message);

        /** Messages were lost, or could not be handled, all of them older than the next one. */
        void lost();
    }

    /** What is done with an open socket, in C's terms: a negative errno for a failure. */
    interface Calls {
        /** Waits for something to receive, or for {@link #stop}; 0 when either has come. */
        int await();

        /** The length of the next datagram, which may be more than there was room for. Does not wait. */
        int receive(ByteBuffer into);

        /** Ends {@link #await}, now and later. */
        void stop();

        void close();
    }

    /** Has the kernel keep to itself all messages but those of one type, so that they wake nobody. */
    static Calls only(int type, Calls calls) {
        if (calls instanceof KernelCalls kernel) {
            check("SO_ATTACH_FILTER", Libc.attachFilter(kernel.fd(), TypeFilter.of(type)));
        }
        return calls;
    }

    /**
     * Asks the kernel for something on the socket itself, which it tells messages to from then on.
     *
     * @param asked the request in words, for the exception
     * @param body writes the message's header and attributes
     * @throws NetlinkException when the kernel refuses
     */
    static Calls request(Calls calls, String asked, int type, Consumer<NlWriter> body) {
        if (calls instanceof KernelCalls kernel) {
            NlWriter writer = new NlWriter(ByteBuffer.allocateDirect(REQUEST_BYTES));
            writer.begin(type, NlMessage.REQUEST | NlMessage.ACK, 1);
            body.accept(writer);
            check(asked, Libc.send(kernel.fd(), writer.finish(), 0));
            ByteBuffer answer = ByteBuffer.allocateDirect(RECEIVE_BYTES);
            // The kernel has answered within send; what it tells already comes before or behind that.
            for (int i = 0; i < FAILURES; i++) {
                check(asked, kernel.receive(answer.clear()));
                NlMessage message = NlMessage.take(answer.order(ByteOrder.nativeOrder()));
                if (message.type() == NlMessage.ERROR) {
                    check(asked, message.i32(0));
                    return calls;
                }
            }
        }
        return calls;
    }

    private record KernelCalls(int fd, int stopFd) implements Calls {
        @Override
        public int await() {
            return Math.min(Libc.awaitReadable(fd, stopFd), 0);
        }

        @Override
        public int receive(ByteBuffer into) {
            return Libc.recv(fd, into, Libc.MSG_DONTWAIT | Libc.MSG_TRUNC);
        }

        @Override
        public void stop() {
            Libc.signal(stopFd);
        }

        @Override
        public void close() {
            Libc.close(fd);
            Libc.close(stopFd);
        }
    }

    private final AtomicBoolean closed = new AtomicBoolean();
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Duration rest;
    private final Calls calls;
    private final Handler handler;
    private final Thread thread;

    private EventReader(String name, Duration rest, Calls calls, Handler handler) {
        this.rest = rest;
        this.calls = calls;
        this.handler = handler;
        this.thread = Thread.ofPlatform().name(name).daemon().unstarted(this::read);
    }

    /**
     * Starts to read.
     *
     * @param name of the thread
     */
    static EventReader start(String name, Calls calls, Handler handler) {
        return start(name, Duration.ZERO, calls, handler);
    }

    /**
     * Starts to read.
     *
     * @param rest how long messages gather before they are read, so that a burst wakes the thread once
     */
    static EventReader start(String name, Duration rest, Calls calls, Handler handler) {
        EventReader reader = new EventReader(name, rest, calls, handler);
        reader.thread.start();
        return reader;
    }

    /**
     * A socket in the namespace of this process.
     *
     * @param groups a bit for each group, group 1 the lowest
     * @throws NetlinkException when the kernel gives none
     */
    static Calls join(int protocol, int groups) {
        return calls(joined(protocol, groups, SOCKET_BYTES));
    }

    /** A socket in another namespace, which may be closed afterwards. */
    static Calls join(Netns ns, int protocol, int groups) {
        return join(ns, protocol, groups, SOCKET_BYTES);
    }

    /** The same, with room for about so many bytes of messages. */
    static Calls join(Netns ns, int protocol, int groups, int socketBytes) {
        try {
            return calls(NetnsThread.call(ns, () -> joined(protocol, groups, socketBytes)));
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new AssertionError("opening a socket throws nothing checked", e);
        }
    }

    private static Calls calls(int fd) {
        int stop = Libc.eventfd();
        if (stop < 0) {
            Libc.close(fd);
        }
        return new KernelCalls(fd, check("eventfd", stop));
    }

    private static int joined(int protocol, int groups, int socketBytes) {
        int fd = check("socket", Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, protocol));
        try {
            // In a user namespace the first is refused, and the second takes what the administrator allows.
            if (Libc.setsockopt(fd, Libc.SOL_SOCKET, Libc.SO_RCVBUFFORCE, socketBytes) < 0) {
                check("SO_RCVBUF", Libc.setsockopt(fd, Libc.SOL_SOCKET, Libc.SO_RCVBUF, socketBytes));
            }
            check("bind to groups " + Integer.toHexString(groups), Libc.bind(fd, address(groups)));
            // A connected netlink socket takes no message that another process sends to it alone.
            check("connect", Libc.connect(fd, address(0)));
            return fd;
        } catch (RuntimeException e) {
            Libc.close(fd);
            throw e;
        }
    }

    private static ByteBuffer address(int groups) {
        ByteBuffer address = ByteBuffer.allocate(SOCKADDR_BYTES).order(ByteOrder.nativeOrder());
        return address.putShort(0, (short) Libc.AF_NETLINK).putInt(SOCKADDR_GROUPS, groups);
    }

    private static int check(String asked, int result) {
        if (result < 0) {
            throw new NetlinkException(asked, -result, "");
        }
        return result;
    }

    private void read() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(RECEIVE_BYTES);
        try {
            while (!closed.get()) {
                check("wait for events", calls.await());
                var _ = ended.await(rest.toNanos(), TimeUnit.NANOSECONDS);
                readAll(buffer);
            }
        } catch (InterruptedException e) {
            throw new AssertionError("nobody interrupts this thread", e);
        } catch (RuntimeException e) {
            log.error(
                    "{} has ended: only the next audit sees what changes",
                    Thread.currentThread().getName(),
                    e);
        }
    }

    private void readAll(ByteBuffer buffer) {
        boolean lost = false;
        int failures = 0;
        int received = calls.receive(buffer.clear());
        while (received != -Errno.EAGAIN.number() && !closed.get()) {
            boolean whole = received >= 0 && received <= buffer.capacity();
            failures = received >= 0 ? 0 : failures + 1;
            if (failures == FAILURES) {
                throw new NetlinkException("receive events", -received, "");
            }
            lost = lost || !whole || !deliver(buffer.limit(received));
            received = calls.receive(buffer.clear());
        }
        if (lost && !closed.get()) {
            handled(handler::lost);
        }
    }

    /** False when something could not be read or handled. */
    private boolean deliver(ByteBuffer datagram) {
        return handled(() -> {
            while (datagram.hasRemaining()) {
                handler.message(NlMessage.take(datagram));
            }
        });
    }

    private static boolean handled(Runnable part) {
        try {
            part.run();
            return true;
        } catch (RuntimeException e) {
            log.error(
                    "bug: {} could not handle an event", Thread.currentThread().getName(), e);
            return false;
        }
    }

    /** Ends the thread: when this returns, the handler is not called any more. Does not wait for itself. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        ended.countDown();
        calls.stop();
        if (!thread.equals(Thread.currentThread())) {
            join();
        }
        calls.close();
    }

    private void join() {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
