package io.podwire.e2e.service;

import io.podwire.node.netns.Netns;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Answers TCP and UDP on some ports of a network namespace, in both families: first who it is and whom it sees, then what
 * it is told. Each socket has a virtual thread; sockets stay in the namespace that they were opened in.
 */
final class EchoServer implements AutoCloseable {
    private static final int BUFFER = 1 << 16;

    private final String name;
    private final Set<Closeable> open = ConcurrentHashMap.newKeySet();
    private final AtomicInteger datagrams = new AtomicInteger();

    private EchoServer(String name) {
        this.name = name;
    }

    /** Starts answering. */
    static EchoServer start(String name, Path netns, Collection<Integer> ports) throws IOException {
        return start(name, netns, ports, List.of("::"));
    }

    /**
     * The same at some of the addresses of a machine that has several: of a datagram to any of them the answer would come
     * from the one that is nearest to the caller.
     */
    static EchoServer start(String name, Path netns, Collection<Integer> ports, Collection<String> addresses)
            throws IOException {
        EchoServer server = new EchoServer(name);
        try (Netns ns = Netns.open(netns)) {
            for (int port : ports) {
                server.serve(ns, port, addresses);
            }
        }
        return server;
    }

    private void serve(Netns ns, int port, Collection<String> addresses) throws IOException {
        ServerSocketChannel tcp = Place.in(ns, () -> {
            ServerSocketChannel listener = ServerSocketChannel.open();
            return listener.bind(new InetSocketAddress(port), 4096);
        });
        open.add(tcp);
        Thread.ofVirtual().start(() -> accept(tcp));
        for (String address : addresses) {
            DatagramChannel udp = Place.in(ns, () -> DatagramChannel.open().bind(new InetSocketAddress(address, port)));
            open.add(udp);
            Thread.ofVirtual().start(() -> echo(udp, port));
        }
    }

    private void accept(ServerSocketChannel listener) {
        try {
            while (true) {
                SocketChannel come = listener.accept();
                open.add(come);
                Thread.ofVirtual().start(() -> echo(come));
            }
        } catch (IOException _) {
            // It was closed.
        }
    }

    private void echo(SocketChannel connection) {
        try (connection) {
            int port = ((InetSocketAddress) connection.getLocalAddress()).getPort();
            ByteBuffer bytes =
                    bytes(Answer.From.line(name, (InetSocketAddress) connection.getRemoteAddress(), port), BUFFER);
            do {
                bytes.flip();
                while (bytes.hasRemaining()) {
                    int _ = connection.write(bytes);
                }
                bytes.clear();
            } while (connection.read(bytes) >= 0);
        } catch (IOException _) {
            // The client has reset it, or the server is closed.
        } finally {
            open.remove(connection);
        }
    }

    private void echo(DatagramChannel socket, int port) {
        ByteBuffer asked = ByteBuffer.allocate(BUFFER);
        try {
            while (true) {
                InetSocketAddress client = (InetSocketAddress) socket.receive(asked.clear());
                datagrams.incrementAndGet();
                ByteBuffer answer = bytes(Answer.From.line(name, client, port), BUFFER);
                answer.put(asked.flip()).flip();
                try {
                    int _ = socket.send(answer, client);
                } catch (IOException e) {
                    if (!socket.isOpen()) {
                        throw e;
                    }
                    // The answer may be forbidden: then the one who asked is not answered.
                }
            }
        } catch (IOException _) {
            // It was closed.
        }
    }

    private static ByteBuffer bytes(String text, int capacity) {
        return ByteBuffer.allocate(capacity).put(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** How many datagrams it has got. */
    int datagrams() {
        return datagrams.get();
    }

    @Override
    public void close() {
        for (Closeable socket : open) {
            try {
                socket.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
