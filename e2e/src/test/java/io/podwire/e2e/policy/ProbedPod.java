package io.podwire.e2e.policy;

import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * One thread inside a pod's network namespace: it answers TCP and UDP on some ports, and says what it reaches. Its
 * sockets are all opened by that thread, which is why they are the pod's. The methods are for any thread.
 */
final class ProbedPod implements AutoCloseable {
    private static final Duration UDP_AGAIN = Duration.ofMillis(100);
    private static final int TICK_MILLIS = 20;

    private final Thread thread;
    private final Selector selector;
    private final Queue<Round> asked = new ConcurrentLinkedQueue<>();
    private final List<Round> rounds = new ArrayList<>();
    private volatile boolean closing;

    /** Where a probe goes. */
    record Target(boolean tcp, InetSocketAddress address) {}

    /** Probes that began together. */
    private static final class Round {
        final Collection<Target> targets;
        final Set<Target> wanted;
        final Duration least;
        final Duration most;
        final CompletableFuture<Set<Target>> done = new CompletableFuture<>();
        final Set<Target> reached = new HashSet<>();
        final List<Attempt> attempts = new ArrayList<>();
        long began;
        long sent;

        Round(Collection<Target> targets, Set<Target> wanted, Duration least, Duration most) {
            this.targets = targets;
            this.wanted = wanted;
            this.least = least;
            this.most = most;
        }
    }

    private record Attempt(Round round, Target target, SelectableChannel channel) {}

    private ProbedPod(Netns netns, List<Integer> ports, CompletableFuture<Void> ready) throws IOException {
        this.selector = Selector.open();
        this.thread = Thread.ofPlatform()
                .daemon()
                .name("probe-" + netns)
                .start(() -> NetnsThread.here(netns, () -> {
                    serve(ports, ready);
                    return null;
                }));
    }

    /** Starts answering in a pod, which is attached or not yet. */
    static ProbedPod start(Path netns, List<Integer> ports) throws IOException {
        CompletableFuture<Void> ready = new CompletableFuture<>();
        try (Netns open = Netns.open(netns)) {
            ProbedPod pod = new ProbedPod(open, ports, ready);
            ready.join();
            return pod;
        }
    }

    /**
     * Probes all targets at once.
     *
     * @param wanted those that are expected to be reached
     * @param least how long the others have, at least
     * @param most when it ends although some wanted ones were not reached
     * @return those that were reached
     */
    CompletableFuture<Set<Target>> probe(
            Collection<Target> targets, Set<Target> wanted, Duration least, Duration most) {
        Round round = new Round(targets, wanted, least, most);
        asked.add(round);
        selector.wakeup();
        return round.done;
    }

    private void serve(List<Integer> ports, CompletableFuture<Void> ready) {
        try {
            for (int port : ports) {
                ServerSocketChannel tcp = ServerSocketChannel.open();
                tcp.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
                tcp.bind(new InetSocketAddress(port), 1024);
                DatagramChannel udp = DatagramChannel.open();
                udp.configureBlocking(false).register(selector, SelectionKey.OP_READ);
                udp.bind(new InetSocketAddress(port));
            }
            ready.complete(null);
            while (!closing) {
                selector.select(this::handle, TICK_MILLIS);
                begin();
                end();
            }
            for (SelectionKey key : selector.keys()) {
                key.channel().close();
            }
            selector.close();
        } catch (IOException | RuntimeException e) {
            ready.completeExceptionally(e);
            rounds.forEach(round -> round.done.completeExceptionally(e));
        }
    }

    private void begin() throws IOException {
        for (Round round = asked.poll(); round != null; round = asked.poll()) {
            round.began = System.nanoTime();
            round.sent = round.began;
            for (Target target : round.targets) {
                round.attempts.add(attempt(round, target));
            }
            rounds.add(round);
        }
    }

    private Attempt attempt(Round round, Target target) throws IOException {
        if (target.tcp()) {
            SocketChannel channel = SocketChannel.open();
            channel.configureBlocking(false);
            Attempt attempt = new Attempt(round, target, channel);
            try {
                if (channel.connect(target.address())) {
                    round.reached.add(target);
                } else {
                    channel.register(selector, SelectionKey.OP_CONNECT, attempt);
                }
            } catch (IOException _) {
                // No route: it is not reached.
            }
            return attempt;
        }
        DatagramChannel channel = DatagramChannel.open();
        channel.configureBlocking(false);
        channel.connect(target.address());
        Attempt attempt = new Attempt(round, target, channel);
        channel.register(selector, SelectionKey.OP_READ, attempt);
        send(channel);
        return attempt;
    }

    private static void send(DatagramChannel channel) {
        try {
            channel.write(ByteBuffer.wrap(new byte[] {1}));
        } catch (IOException _) {
            // What an error from the network says of the packet before: it is not reached.
        }
    }

    private void handle(SelectionKey key) {
        if (!key.isValid()) {
            return;
        }
        try {
            if (key.attachment() instanceof Attempt attempt) {
                boolean answered = answered(attempt);
                if (answered) {
                    attempt.round().reached.add(attempt.target());
                }
                // A packet that comes back as an error is followed by others.
                if (answered || attempt.target().tcp()) {
                    key.cancel();
                }
            } else if (key.channel() instanceof ServerSocketChannel server) {
                for (SocketChannel come = server.accept(); come != null; come = server.accept()) {
                    come.close();
                }
            } else if (key.channel() instanceof DatagramChannel server) {
                echo(server);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean answered(Attempt attempt) {
        try {
            return switch (attempt.channel()) {
                case SocketChannel tcp -> tcp.finishConnect();
                case DatagramChannel udp -> udp.read(ByteBuffer.allocate(1)) > 0;
                default -> throw new AssertionError(attempt);
            };
        } catch (IOException _) {
            return false;
        }
    }

    private static void echo(DatagramChannel server) throws IOException {
        ByteBuffer packet = ByteBuffer.allocate(16);
        for (SocketAddress from = server.receive(packet); from != null; from = server.receive(packet)) {
            packet.flip();
            try {
                server.send(packet, from);
            } catch (IOException _) {
                // The answer may be forbidden: then the one who asked is not answered.
            }
            packet.clear();
        }
    }

    private void end() throws IOException {
        long now = System.nanoTime();
        for (Iterator<Round> i = rounds.iterator(); i.hasNext(); ) {
            Round round = i.next();
            long elapsed = now - round.began;
            boolean complete = round.reached.containsAll(round.wanted) && elapsed >= round.least.toNanos();
            if (complete || elapsed >= round.most.toNanos()) {
                for (Attempt attempt : round.attempts) {
                    attempt.channel().close();
                }
                i.remove();
                round.done.complete(Set.copyOf(round.reached));
            } else if (now - round.sent >= UDP_AGAIN.toNanos()) {
                round.sent = now;
                for (Attempt attempt : round.attempts) {
                    if (attempt.channel() instanceof DatagramChannel udp && !round.reached.contains(attempt.target())) {
                        send(udp);
                    }
                }
            }
        }
    }

    @Override
    public void close() {
        closing = true;
        selector.wakeup();
        try {
            thread.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
