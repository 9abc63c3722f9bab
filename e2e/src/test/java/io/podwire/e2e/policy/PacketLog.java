package io.podwire.e2e.policy;

import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/** A thread inside a pod's network namespace that writes down which packets of {@link PodSender}s arrive there. */
final class PacketLog implements AutoCloseable {
    static final int PORT = 7000;
    private static final int BUFFER = 4 << 20;

    private final Map<Integer, BitSet> arrived = new ConcurrentHashMap<>();
    private final Thread thread;
    private volatile DatagramChannel channel;

    private PacketLog(Netns netns, CompletableFuture<Void> ready) {
        this.thread = Thread.ofPlatform()
                .daemon()
                .name("packet-log")
                .start(() -> NetnsThread.here(netns, () -> {
                    receive(ready);
                    return null;
                }));
    }

    static PacketLog start(Path netns) throws IOException {
        CompletableFuture<Void> ready = new CompletableFuture<>();
        try (Netns open = Netns.open(netns)) {
            PacketLog log = new PacketLog(open, ready);
            ready.join();
            return log;
        }
    }

    /** What a pod sends. */
    static ByteBuffer packet(int pod, int number) {
        return ByteBuffer.allocate(8).putInt(pod).putInt(number).flip();
    }

    private void receive(CompletableFuture<Void> ready) {
        try (DatagramChannel open = DatagramChannel.open()) {
            open.setOption(StandardSocketOptions.SO_RCVBUF, BUFFER);
            open.bind(new InetSocketAddress(PORT));
            channel = open;
            ready.complete(null);
            ByteBuffer packet = ByteBuffer.allocate(8);
            while (true) {
                open.receive(packet.clear());
                packet.flip();
                int pod = packet.getInt();
                int number = packet.getInt();
                arrived.compute(pod, (_, before) -> {
                    BitSet all = before == null ? new BitSet() : (BitSet) before.clone();
                    all.set(number);
                    return all;
                });
            }
        } catch (ClosedChannelException _) {
            // The test is over.
        } catch (IOException | RuntimeException e) {
            ready.completeExceptionally(e);
        }
    }

    /** Numbers of the packets of a pod that arrived; not to be changed. */
    BitSet of(int pod) {
        return arrived.getOrDefault(pod, new BitSet());
    }

    @Override
    public void close() throws IOException {
        channel.close();
        try {
            thread.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
