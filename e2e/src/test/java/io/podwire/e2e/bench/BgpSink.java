package io.podwire.e2e.bench;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.route.bgp.codec.BgpEncoder;
import io.podwire.route.bgp.message.BgpMessage;
import io.podwire.route.bgp.message.Capability;
import io.podwire.route.bgp.message.SessionFormat;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;

/**
 * A neighbour that counts what it is told of IPv4 and does nothing else, so that it costs the machine little and knows
 * the time of the last prefix. A thread of its own reads.
 */
final class BgpSink implements AutoCloseable {
    private static final int UPDATE = 2;
    private static final int NOTIFICATION = 3;
    private static final int KEEPALIVE = 4;
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final String name;
    private final Socket socket;
    private boolean up;
    private String end = "";
    private long held;
    private long sum;
    private long lastNanos;

    private BgpSink(String name, Socket socket) {
        this.name = name;
        this.socket = socket;
    }

    /** Dials until a session is up. */
    static BgpSink connect(String from, String to, long asn) throws IOException, InterruptedException {
        IOException last = new IOException("no attempt");
        long limit = System.nanoTime() + LIMIT.toNanos();
        while (System.nanoTime() < limit) {
            Socket socket = new Socket();
            try {
                socket.setTcpNoDelay(true);
                socket.bind(new InetSocketAddress(from, 0));
                socket.connect(new InetSocketAddress(to, 179), 1000);
                BgpSink sink = new BgpSink(from, socket);
                sink.send(new BgpMessage.Open(
                        asn,
                        240,
                        IpAddress.parse(from),
                        List.of(Capability.MultiProtocol.of(IpFamily.V4), new Capability.FourOctetAs(asn))));
                Thread.ofPlatform().daemon().name("sink-" + from).start(sink::read);
                if (sink.awaitUp()) {
                    return sink;
                }
                last = new IOException(sink.end);
            } catch (IOException e) {
                last = e;
            }
            socket.close();
            Thread.sleep(100);
        }
        throw new IOException("no session from " + from + " with " + to + ": " + last.getMessage(), last);
    }

    /**
     * Waits until it knows exactly so many prefixes.
     *
     * @param sumOfThem sum of their addresses
     * @return System.nanoTime() of the last one
     */
    synchronized long awaitHeld(long count, long sumOfThem) throws InterruptedException {
        long limit = System.nanoTime() + LIMIT.toNanos();
        while (held != count || sum != sumOfThem) {
            long left = (limit - System.nanoTime()) / 1_000_000;
            if (left <= 0 || !end.isEmpty()) {
                throw new IllegalStateException(name + " has " + held + " prefixes in place of " + count + " " + end);
            }
            wait(left);
        }
        return lastNanos;
    }

    private synchronized boolean awaitUp() throws InterruptedException {
        // Long enough on a busy machine: a second connection beside the first would begin a collision.
        long limit = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (!up && end.isEmpty()) {
            long left = (limit - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                break;
            }
            wait(left);
        }
        return up;
    }

    private void send(BgpMessage message) throws IOException {
        socket.getOutputStream().write(BgpEncoder.encode(message, SessionFormat.INITIAL));
    }

    private void read() {
        byte[] message = new byte[BgpMessage.LONGEST];
        try (DataInputStream in =
                new DataInputStream(new java.io.BufferedInputStream(socket.getInputStream(), 1 << 16))) {
            while (true) {
                in.readFully(message, 0, BgpMessage.HEADER);
                int length = u16(message, 16);
                in.readFully(message, BgpMessage.HEADER, length - BgpMessage.HEADER);
                switch (message[18]) {
                    case UPDATE -> update(message, length);
                    case KEEPALIVE -> {
                        send(new BgpMessage.Keepalive());
                        state(true, "");
                    }
                    case NOTIFICATION -> throw new IOException("NOTIFICATION " + message[19] + "/" + message[20]);
                    default -> {
                        // Its OPEN.
                    }
                }
            }
        } catch (IOException e) {
            state(false, String.valueOf(e.getMessage()));
        }
    }

    private synchronized void state(boolean nowUp, String why) {
        up = nowUp;
        end = why;
        notifyAll();
    }

    private synchronized void update(byte[] message, int length) {
        int at = BgpMessage.HEADER;
        int withdrawn = u16(message, at) + at + 2;
        count(message, at + 2, withdrawn, -1);
        int attributes = u16(message, withdrawn) + withdrawn + 2;
        count(message, attributes, length, 1);
        lastNanos = System.nanoTime();
        notifyAll();
    }

    private void count(byte[] message, int from, int to, int sign) {
        int at = from;
        while (at < to) {
            int octets = (message[at++] + 7) / 8;
            long address = 0;
            for (int i = 0; i < 4; i++) {
                address = address << 8 | (i < octets ? message[at + i] & 0xFF : 0);
            }
            at += octets;
            held += sign;
            sum += sign * address;
        }
    }

    private static int u16(byte[] message, int at) {
        return (message[at] & 0xFF) << 8 | (message[at + 1] & 0xFF);
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
