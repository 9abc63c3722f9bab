package io.podwire.node.testing;

import io.podwire.node.testing.NetnsSandbox.Space;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

/**
 * Keeps the kernel's lock of links, addresses and routes (rtnl_lock(), net/core/rtnetlink.c) busy by making and removing
 * namespaces full of links, as a node does where many pods come and go. Until it is closed.
 */
public final class BusyKernel implements AutoCloseable {
    private static final int THREADS = 4;
    private static final int LINKS = 40;

    private final List<CompletableFuture<Void>> threads;
    private volatile boolean over;

    /** Begins. */
    public BusyKernel() {
        threads = IntStream.range(0, THREADS)
                .mapToObj(_ -> CompletableFuture.runAsync(
                        this::keepBusy, task -> Thread.ofPlatform().start(task)))
                .toList();
    }

    private void keepBusy() {
        while (!over) {
            try (NetnsSandbox sandbox = new NetnsSandbox()) {
                Space space = sandbox.add();
                for (int i = 0; i < LINKS && !over; i++) {
                    space.ip("link", "add", "a" + i, "up", "type", "veth", "peer", "name", "b" + i);
                    space.ip("link", "set", "b" + i, "up");
                }
            }
        }
    }

    @Override
    public void close() {
        over = true;
        threads.forEach(CompletableFuture::join);
    }
}
