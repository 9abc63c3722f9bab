package io.podwire.e2e.policy;

import static org.awaitility.Awaitility.await;

import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.DatagramChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A thread inside a pod's network namespace that sends numbered packets by UDP from before the pod is attached: the first
 * leaves as soon as there is a way. The methods are for any thread.
 */
final class PodSender implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final long BEFORE_NANOS = TimeUnit.MICROSECONDS.toNanos(500);
    /** So slow that a receiver which does not run for a while loses none. */
    private static final long AFTER_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final Thread thread;
    private volatile boolean attached;
    private volatile boolean ending;
    /** Number of the next packet. */
    private volatile int next;

    private PodSender(Netns netns, int pod, List<InetSocketAddress> to, CompletableFuture<Void> ready) {
        this.thread = Thread.ofPlatform()
                .daemon()
                .name("sender-" + pod)
                .start(() -> NetnsThread.here(netns, () -> {
                    send(pod, to, ready);
                    return null;
                }));
    }

    /**
     * Starts sending.
     *
     * @param pod number that each packet bears
     * @param to each packet goes to each of these
     */
    static PodSender start(Path netns, int pod, List<InetSocketAddress> to) throws IOException {
        CompletableFuture<Void> ready = new CompletableFuture<>();
        try (Netns open = Netns.open(netns)) {
            PodSender sender = new PodSender(open, pod, to, ready);
            ready.join();
            return sender;
        }
    }

    private void send(int pod, List<InetSocketAddress> to, CompletableFuture<Void> ready) {
        try (DatagramChannel channel = DatagramChannel.open()) {
            channel.configureBlocking(false);
            ready.complete(null);
            for (int number = 0; !ending; number++) {
                next = number;
                for (InetSocketAddress address : to) {
                    try {
                        channel.send(PacketLog.packet(pod, number), address);
                    } catch (IOException _) {
                        // There is no way yet.
                    }
                }
                LockSupport.parkNanos(attached ? AFTER_NANOS : BEFORE_NANOS);
            }
        } catch (IOException | RuntimeException e) {
            ready.completeExceptionally(e);
        }
    }

    /**
     * Sends some packets more.
     *
     * @return the first one that began after this call
     */
    int more(int count) {
        int first = next + 1;
        attached = true;
        await("packets of " + thread.getName())
                .pollInterval(Duration.ofMillis(2))
                .atMost(LIMIT)
                .until(() -> next >= first + count);
        return first;
    }

    /**
     * Stops.
     *
     * @return number of the last packet
     */
    int end() {
        close();
        return next;
    }

    @Override
    public void close() {
        ending = true;
        LockSupport.unpark(thread);
        try {
            thread.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
