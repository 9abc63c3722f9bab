package io.podwire.e2e.datapath;

import io.podwire.e2e.datapath.TwoSubnets.PodAt;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;

/** A TCP connection from one pod to another, and both of its ends. */
final class Connection implements AutoCloseable {
    private static final int PORT = 7100;

    private final Socket client;
    private final Socket server;

    private Connection(Socket client, Socket server) throws IOException {
        this.client = client;
        this.server = server;
        client.setTcpNoDelay(true);
        server.setTcpNoDelay(true);
    }

    /** Opens one to that address of the other pod. */
    static Connection between(PodAt from, PodAt to, String address) throws Exception {
        try (Netns near = Netns.open(from.pod().netns());
                Netns far = Netns.open(to.pod().netns());
                ServerSocket listener = NetnsThread.call(far, () -> new ServerSocket(PORT))) {
            // The kernel accepts it before anybody asks.
            Socket client = NetnsThread.call(near, () -> new Socket(address, PORT));
            return new Connection(client, listener.accept());
        }
    }

    /** So many bytes there one by one, each of which comes back before the next one goes. */
    void exchange(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            client.getOutputStream().write(i & 0x7F);
            server.getOutputStream().write(server.getInputStream().read());
            int back = client.getInputStream().read();
            if (back != (i & 0x7F)) {
                throw new IOException("byte " + i + " came back as " + back);
            }
        }
    }

    @Override
    public void close() throws IOException {
        client.close();
        server.close();
    }
}
