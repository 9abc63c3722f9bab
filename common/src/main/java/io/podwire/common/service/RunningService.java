package io.podwire.common.service;

import com.google.common.net.HostAndPort;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.netty.channel.EventLoopGroup;
import io.podwire.common.loop.EventLoop;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A service that has started. Closing it drains calls, then closes what it owns in reverse order. */
public final class RunningService implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RunningService.class);

    private final ServiceContext context;
    private final ListenAddress listen;
    private final Server grpc;
    private final EventLoopGroup unixLoops;
    private final HealthStatusManager health;
    private final HttpEndpoints http;
    private final EventLoop readiness;
    private final Duration grace;
    private final AtomicBoolean closed = new AtomicBoolean();

    RunningService(
            ServiceContext context,
            ListenAddress listen,
            Server grpc,
            EventLoopGroup unixLoops,
            HealthStatusManager health,
            HttpEndpoints http,
            EventLoop readiness,
            Duration grace) {
        this.context = context;
        this.listen = listen;
        this.grpc = grpc;
        this.unixLoops = unixLoops;
        this.health = health;
        this.http = http;
        this.readiness = readiness;
        this.grace = grace;
    }

    /** Where gRPC clients connect: HOST:PORT with the real port, or unix:/path. */
    public String grpcTarget() {
        return switch (listen) {
            case ListenAddress.Tcp(String host, int _) ->
                HostAndPort.fromParts(host, grpc.getPort()).toString();
            case ListenAddress.Unix(var path) -> "unix:" + path;
        };
    }

    /** Port of /metrics, /healthz and /readyz. */
    public int httpPort() {
        return http.port();
    }

    /** Names of the readiness conditions that do not hold now. */
    public List<String> unready() {
        return context.unready();
    }

    /** A new plaintext channel to this service, for tests and tools in the same process. */
    public ManagedChannel channel() {
        return switch (listen) {
            case ListenAddress.Tcp(String host, int _) ->
                NettyChannelBuilder.forAddress(host, grpc.getPort())
                        .usePlaintext()
                        .build();
            case ListenAddress.Unix(var path) -> UnixSockets.channel(path);
        };
    }

    /** Stops: not ready, drain, then close in reverse. Closing twice is closing once. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        health.enterTerminalState();
        readiness.close();
        grpc.shutdown();
        try {
            if (!grpc.awaitTermination(grace.toNanos(), TimeUnit.NANOSECONDS)) {
                grpc.shutdownNow();
                grpc.awaitTermination(1, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            grpc.shutdownNow();
        }
        context.closeOwned();
        if (unixLoops != null) {
            var _ = unixLoops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
        http.close();
        log.info("stopped");
    }
}
