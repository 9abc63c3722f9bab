package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.common.v1.Handshake;
import java.util.concurrent.TimeUnit;

/** Channels to the services: plaintext, with keepalive so that a dead peer is noticed in seconds. */
public final class Channels {
    /** What node-shim speaks. */
    static final Handshake HANDSHAKE = Handshake.newBuilder()
            .setRelease(ServiceRunner.RELEASE)
            .setProtocol(1)
            .setMinProtocol(1)
            .build();

    private static final int MAX_MESSAGE_BYTES = 64 << 20;

    private Channels() {}

    /**
     * A channel that connects when first used.
     *
     * @param target HOST:PORT
     */
    public static ManagedChannel open(String target) {
        return NettyChannelBuilder.forTarget(target)
                .usePlaintext()
                // Callbacks only post to an event loop, so they may run on the I/O thread itself.
                .directExecutor()
                .keepAliveTime(10, TimeUnit.SECONDS)
                .keepAliveTimeout(5, TimeUnit.SECONDS)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .build();
    }
}
