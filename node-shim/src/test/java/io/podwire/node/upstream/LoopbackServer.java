package io.podwire.node.upstream;

import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/** A real gRPC server on loopback that can die and come back on the same port. */
final class LoopbackServer implements AutoCloseable {
    private final BindableService service;
    private final int port;
    private Server server;

    LoopbackServer(BindableService service) {
        this.service = service;
        this.server = start(0);
        this.port = server.getPort();
    }

    private Server start(int on) {
        try {
            return NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), on))
                    .addService(service)
                    .build()
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String target() {
        return "127.0.0.1:" + port;
    }

    /** Ends it as a kill does: its connections break. */
    void kill() {
        server.shutdownNow();
        try {
            if (!server.awaitTermination(5, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the server does not end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    void revive() {
        server = start(port);
    }

    @Override
    public void close() {
        kill();
    }
}
