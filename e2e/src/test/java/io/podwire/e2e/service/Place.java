package io.podwire.e2e.service;

import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.ProtocolFamily;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;

/**
 * Where clients are: a pod, a node, or a machine outside. For any thread.
 *
 * @param netns path of its network namespace
 */
record Place(String name, Path netns) {
    /** What is dropped is not answered within this. */
    private static final int SILENT_MILLIS = 700;
    /** Under load nothing is dropped, and takes longer. */
    private static final int LOAD_MILLIS = 10_000;

    private static final int UDP_TRIES = 4;

    /** Runs something inside a namespace; sockets that it opens stay there. */
    static <T> T in(Netns ns, Callable<T> body) throws IOException {
        try {
            return NetnsThread.call(ns, body);
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private <T> T here(Callable<T> body) {
        try (Netns ns = Netns.open(netns)) {
            return in(ns, body);
        } catch (IOException e) {
            throw new UncheckedIOException("in " + name, e);
        }
    }

    /** Asks once. */
    Answer ask(boolean tcp, InetSocketAddress to) {
        if (tcp) {
            return here(() -> once(to, SILENT_MILLIS));
        }
        try (Talk talk = talk(to)) {
            return talk.ask();
        }
    }

    /** Connects so many times, one after the other. */
    List<Answer> connect(InetSocketAddress to, int times) {
        return here(() -> {
            List<Answer> answers = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                answers.add(once(to, LOAD_MILLIS));
            }
            return answers;
        });
    }

    private static Answer once(InetSocketAddress to, int millis) throws IOException {
        try (SocketChannel channel = SocketChannel.open(family(to))) {
            // No TIME_WAIT: thousands of them would use up the ports.
            channel.setOption(StandardSocketOptions.SO_LINGER, 0);
            channel.socket().connect(to, millis);
            channel.socket().setSoTimeout(millis);
            return Answer.From.parse(line(channel.socket().getInputStream()));
        } catch (ConnectException e) {
            return failed(e);
        } catch (IOException _) {
            // Not answered in time, no route, or cut.
            return new Answer.Nothing();
        }
    }

    /** Java has one exception for all that connect(2) says; a reset and an ICMP error of a port say ECONNREFUSED. */
    private static Answer failed(ConnectException e) {
        return String.valueOf(e.getMessage()).contains("refused") ? new Answer.Refused() : new Answer.Nothing();
    }

    private static ProtocolFamily family(InetSocketAddress of) {
        return of.getAddress() instanceof Inet6Address ? StandardProtocolFamily.INET6 : StandardProtocolFamily.INET;
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new IOException("the connection ended after '" + line + "'");
            }
            line.append((char) c);
        }
        return line.toString();
    }

    /** The status code of a GET; 0: no answer. */
    int http(InetSocketAddress to, String path) {
        return here(() -> {
            try (SocketChannel channel = SocketChannel.open(family(to))) {
                channel.socket().connect(to, SILENT_MILLIS);
                channel.socket().setSoTimeout(SILENT_MILLIS);
                channel.socket()
                        .getOutputStream()
                        .write(("GET " + path + " HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
                                .getBytes(StandardCharsets.US_ASCII));
                return Integer.parseInt(line(channel.socket().getInputStream()).split(" ", -1)[1]);
            } catch (IOException _) {
                return 0;
            }
        });
    }

    /** A socket for UDP that keeps its port. */
    Talk talk(InetSocketAddress to) {
        return here(() -> {
            DatagramChannel channel = DatagramChannel.open(family(to));
            channel.connect(to);
            channel.socket().setSoTimeout(SILENT_MILLIS / UDP_TRIES);
            return new Talk(channel);
        });
    }

    /** One flow of UDP. One thread uses it. */
    static final class Talk implements AutoCloseable {
        private final DatagramChannel channel;
        private int number;

        private Talk(DatagramChannel channel) {
            this.channel = channel;
        }

        /** Asks until an answer comes, a few times. */
        Answer ask() {
            return ask(0);
        }

        /** The same with so many bytes of ballast, which come back. */
        Answer ask(int ballast) {
            number++;
            String mark = number + ":" + "x".repeat(ballast);
            for (int tries = 0; tries < UDP_TRIES; tries++) {
                try {
                    int _ = channel.write(ByteBuffer.wrap(mark.getBytes(StandardCharsets.US_ASCII)));
                    byte[] bytes = new byte[1 << 16];
                    while (true) {
                        var packet = new java.net.DatagramPacket(bytes, bytes.length);
                        channel.socket().receive(packet);
                        String[] lines =
                                new String(bytes, 0, packet.getLength(), StandardCharsets.US_ASCII).split("\n", 2);
                        if (lines[1].equals(mark)) {
                            return Answer.From.parse(lines[0]);
                        }
                        // An answer to an earlier question.
                    }
                } catch (PortUnreachableException _) {
                    return new Answer.Refused();
                } catch (SocketTimeoutException _) {
                    // Once more.
                } catch (IOException e) {
                    if (String.valueOf(e.getMessage()).contains("refused")) {
                        return new Answer.Refused();
                    }
                    // What the own node drops or rejects is not permitted; of a rejection the next call is told.
                }
            }
            return new Answer.Nothing();
        }

        @Override
        public void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /**
     * Opens a connection and keeps it.
     *
     * @throws UncheckedIOException when nobody answers
     */
    Held hold(InetSocketAddress to) {
        return here(() -> {
            SocketChannel channel = SocketChannel.open(family(to));
            channel.setOption(StandardSocketOptions.SO_LINGER, 0);
            channel.socket().connect(to, LOAD_MILLIS);
            channel.socket().setSoTimeout(LOAD_MILLIS);
            return new Held(channel, Answer.From.parse(line(channel.socket().getInputStream())));
        });
    }

    /** A connection that is kept open. One thread uses it. */
    static final class Held implements AutoCloseable {
        private final SocketChannel channel;
        private final Answer.From server;

        private Held(SocketChannel channel, Answer.From server) {
            this.channel = channel;
            this.server = server;
        }

        /** Who is at its other end. */
        Answer.From server() {
            return server;
        }

        /** The client's own end. */
        InetSocketAddress own() throws IOException {
            return (InetSocketAddress) channel.getLocalAddress();
        }

        /** True when so many bytes come back as they went. */
        boolean echoes(int count) {
            byte[] sent = new byte[count];
            for (int i = 0; i < count; i++) {
                sent[i] = (byte) (i * 31 + i / 251);
            }
            try {
                // The server's buffer and the kernel's hold less than may be sent: another thread writes.
                Thread writer = Thread.ofVirtual().start(() -> {
                    try {
                        channel.socket().getOutputStream().write(sent);
                    } catch (IOException _) {
                        // The reader sees that less comes.
                    }
                });
                byte[] come = channel.socket().getInputStream().readNBytes(count);
                writer.join();
                return Arrays.equals(sent, come);
            } catch (IOException _) {
                return false;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
