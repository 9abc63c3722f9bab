package io.podwire.node.upstream;

import static org.awaitility.Awaitility.await;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Channels to services at IPv6 addresses. */
final class ChannelsTest {
    private Server server;

    static Stream<Function<String, ManagedChannel>> channels() {
        return Stream.of(
                Channels::open,
                Channels::openFirstOf,
                target -> Channels.openFirstOf("[::1]:1," + target + ",[::1]:2"));
    }

    @BeforeEach
    void start() throws IOException {
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.ofLiteral("::1"), 0))
                .build()
                .start();
    }

    @AfterEach
    void stop() {
        server.shutdownNow();
    }

    @ParameterizedTest
    @MethodSource("channels")
    void anAddressInBracketsIsReached(Function<String, ManagedChannel> open) {
        ManagedChannel channel = open.apply("[::1]:" + server.getPort());
        try {
            await("connected").until(() -> channel.getState(true) == ConnectivityState.READY);
        } finally {
            channel.shutdownNow();
        }
    }
}
