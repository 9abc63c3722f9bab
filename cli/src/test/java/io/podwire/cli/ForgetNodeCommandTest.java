package io.podwire.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ForgetNodeRequest;
import io.podwire.proto.ipam.v1.ForgetNodeResponse;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ForgetNodeCommandTest {
    private final Forgetful forgetful = new Forgetful();
    private Server server;

    private static final class Forgetful extends BlocksGrpc.BlocksImplBase {
        private volatile ForgetNodeRequest last;

        @Override
        public void forgetNode(ForgetNodeRequest request, StreamObserver<ForgetNodeResponse> answer) {
            last = request;
            NodeEpoch owner = NodeEpoch.newBuilder()
                    .setNode("n7")
                    .setNodeUid("4b7c")
                    .setBootId("b")
                    .setCounter(3)
                    .build();
            answer.onNext(ForgetNodeResponse.newBuilder()
                    .addInstallations(owner)
                    .addBlocks(Block.newBuilder()
                            .setPool("default")
                            .setCidr("10.1.2.0/26")
                            .setOwner(owner))
                    .addAddresses("10.2.0.1")
                    .build());
            answer.onCompleted();
        }
    }

    @BeforeEach
    void serve() throws IOException {
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .addService(forgetful)
                .build()
                .start();
    }

    @AfterEach
    void stop() {
        server.shutdownNow();
    }

    private String run(String... args) {
        StringWriter out = new StringWriter();
        int code = Main.commandLine()
                .setOut(new PrintWriter(out))
                .execute(Stream.concat(Stream.of(args), Stream.of("--server", "127.0.0.1:" + server.getPort()))
                        .toArray(String[]::new));
        assertThat(code).as(out.toString()).isZero();
        return out.toString();
    }

    @Test
    void aDryRunTellsWhatWouldBeTakenBack() {
        assertThat(run("forget-node", "n7", "--dry-run")).isEqualTo("""
                        WOULD TAKE BACK  POOL     UID   STARTS
                        10.1.2.0/26      default  4b7c  3
                        10.2.0.1         -        -     -
                        """);
        assertThat(forgetful.last)
                .isEqualTo(ForgetNodeRequest.newBuilder()
                        .setNode("n7")
                        .setDryRun(true)
                        .build());
    }

    @Test
    void oneInstallationIsForgottenAlsoWhileItIsConnected() {
        assertThat(run("forget-node", "n7", "--uid", "4b7c", "--even-if-connected"))
                .startsWith("TOOK BACK    POOL");
        assertThat(forgetful.last)
                .isEqualTo(ForgetNodeRequest.newBuilder()
                        .setNode("n7")
                        .setNodeUid("4b7c")
                        .setEvenIfConnected(true)
                        .build());
    }
}
