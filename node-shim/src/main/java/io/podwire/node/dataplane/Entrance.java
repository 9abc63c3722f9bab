package io.podwire.node.dataplane;

import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netns.Netns;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;

/**
 * A pod's network namespace with a socket that is being opened inside it: that takes a thread of its
 * own and some hundred microseconds, which pass while the rest of an ADD goes on. Closing waits
 * for that and closes the socket; closing twice is closing once.
 */
public final class Entrance implements AutoCloseable {
    private final Netns pod;
    private final CompletableFuture<Rtnetlink> socket;

    Entrance(Netns pod, Executor threads) {
        this.pod = pod;
        this.socket = CompletableFuture.supplyAsync(() -> Rtnetlink.open(pod), threads);
    }

    Netns pod() {
        return pod;
    }

    /** Waits for the socket. */
    Rtnetlink socket() {
        try {
            return socket.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw e;
        }
    }

    @Override
    public void close() {
        socket.handle((open, _) -> {
                    if (open != null) {
                        open.close();
                    }
                    return true;
                })
                .join();
    }
}
