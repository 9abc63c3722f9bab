package io.podwire.node.netlink;

import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Sockets of the process's own network namespace, one for each call under way: a call that waits in
 * the kernel, as the removal of a link does for some 20 ms, holds up nobody else. Safe for several
 * threads; a socket serves one call at a time.
 */
public final class RtnetlinkPool implements AutoCloseable {
    /** So many stay open; each has 36 KiB of buffers. */
    private static final int IDLE = 4;

    private final ConcurrentLinkedDeque<Rtnetlink> idle = new ConcurrentLinkedDeque<>();
    private volatile boolean closed;

    /** Does something with a socket and gives its result. */
    public <T> T call(Function<Rtnetlink, T> body) {
        Rtnetlink last = idle.pollFirst();
        Rtnetlink socket = last == null ? Rtnetlink.open() : last;
        boolean usable = false;
        try {
            T result = body.apply(socket);
            usable = true;
            return result;
        } catch (NetlinkException e) {
            // The kernel refused: request and answer still belong together.
            usable = true;
            throw e;
        } finally {
            // Two threads may both see room: one more stays open, no harm.
            if (usable && !closed && idle.size() < IDLE) {
                idle.addFirst(socket);
            } else {
                socket.close();
            }
        }
    }

    /** Does something with a socket. */
    public void run(Consumer<Rtnetlink> body) {
        call(socket -> {
            body.accept(socket);
            return true;
        });
    }

    /** Closes the idle sockets; those in use are closed after their call. */
    @Override
    public void close() {
        closed = true;
        for (Rtnetlink socket = idle.pollFirst(); socket != null; socket = idle.pollFirst()) {
            socket.close();
        }
    }
}
