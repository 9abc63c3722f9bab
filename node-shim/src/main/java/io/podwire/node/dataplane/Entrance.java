package io.podwire.node.dataplane;

import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.Future;

/**
 * A pod's network namespace with a socket that is being opened inside it: that takes a thread of its
 * own and some hundred microseconds, which pass while the rest of an ADD goes on. Closing waits
 * for that and closes the socket; closing twice is closing once.
 */
public final class Entrance implements AutoCloseable {
    private final Netns pod;
    private final Future<Rtnetlink> socket;

    Entrance(Netns pod) {
        this.pod = pod;
        this.socket = NetnsThread.start(pod, Rtnetlink::open);
    }

    Netns pod() {
        return pod;
    }

    /** Does something with the pod's own kernel settings, on a thread inside. */
    void settings(Settings body) {
        try {
            NetnsThread.call(pod, () -> {
                body.run();
                return true;
            });
        } catch (RuntimeException e) {
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException("in the pod: " + e.getMessage(), e);
        } catch (Exception e) {
            throw new AssertionError("settings are files, which throw nothing else", e);
        }
    }

    /** Reads and writes kernel settings. */
    @FunctionalInterface
    interface Settings {
        /** Does it. */
        void run() throws IOException;
    }

    /** Waits for the socket. */
    Rtnetlink socket() {
        try {
            return NetnsThread.await(socket);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new AssertionError("opening a socket throws nothing checked", e);
        }
    }

    @Override
    public void close() {
        Rtnetlink open;
        try {
            open = socket();
        } catch (RuntimeException e) {
            // There is none to close; whoever needed it has been told.
            return;
        }
        open.close();
    }
}
