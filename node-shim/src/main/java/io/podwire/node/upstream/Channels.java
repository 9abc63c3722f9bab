package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
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
    /** A replica whose machine is gone does not refuse: the next one is tried after that. */
    private static final int CONNECT_MILLIS = 1000;

    private Channels() {}

    /**
     * A channel that connects when first used.
     *
     * @param target HOST:PORT
     */
    public static ManagedChannel open(String target) {
        return build(target).build();
    }

    /**
     * A channel to one of several replicas, the first that answers. When its connection ends the next stream goes to
     * the first that answers then.
     *
     * @param targets HOST:PORT, several with commas between; of a name with several addresses each is a replica
     */
    public static ManagedChannel openFirstOf(String targets) {
        return build(ReplicaResolver.uri(targets))
                .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS)
                .build();
    }

    private static NettyChannelBuilder build(String target) {
        return NettyChannelBuilder.forTarget(target)
                .usePlaintext()
                // Callbacks only post to an event loop, so they may run on the I/O thread itself.
                .directExecutor()
                .keepAliveTime(10, TimeUnit.SECONDS)
                .keepAliveTimeout(5, TimeUnit.SECONDS)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES);
    }
}
