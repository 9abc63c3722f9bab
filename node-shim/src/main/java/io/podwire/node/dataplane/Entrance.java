package io.podwire.node.dataplane;

import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsException;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.io.UncheckedIOException;

/** A pod's network namespace with a socket inside it, on a platform thread. Closing twice is closing once. */
public final class Entrance implements AutoCloseable {
    private final Netns pod;
    private final Rtnetlink socket;

    /**
     * Opens the socket.
     *
     * @throws NetnsException when the namespace cannot be entered
     */
    Entrance(Netns pod) {
        this.pod = pod;
        this.socket = NetnsThread.here(pod, Rtnetlink::open);
    }

    Netns pod() {
        return pod;
    }

    /** Does something with the pod's own kernel settings, inside. */
    void settings(Settings body) {
        NetnsThread.here(pod, () -> {
            try {
                body.run();
                return true;
            } catch (IOException e) {
                throw new UncheckedIOException("in the pod: " + e.getMessage(), e);
            }
        });
    }

    /** Reads and writes kernel settings. */
    @FunctionalInterface
    interface Settings {
        /** Does it. */
        void run() throws IOException;
    }

    Rtnetlink socket() {
        return socket;
    }

    @Override
    public void close() {
        socket.close();
    }
}
