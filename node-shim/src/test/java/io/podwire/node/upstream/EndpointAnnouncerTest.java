package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.NodeName;
import io.podwire.proto.policy.v1.AnnounceResponse;
import io.podwire.proto.policy.v1.EndpointDown;
import io.podwire.proto.policy.v1.EndpointUp;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Every replica of policy-service hears of this node's endpoints. */
final class EndpointAnnouncerTest {
    private static final Duration SOON = Duration.ofSeconds(8);
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3);

    private static final class Replica {
        private final List<Conversation<NodeMessage, AnnounceResponse>> streams = new CopyOnWriteArrayList<>();
        private final LoopbackServer server = new LoopbackServer(new ProgramsGrpc.ProgramsImplBase() {
            @Override
            public StreamObserver<NodeMessage> announce(StreamObserver<AnnounceResponse> reply) {
                Conversation<NodeMessage, AnnounceResponse> stream = new Conversation<>(reply);
                streams.add(stream);
                return stream;
            }
        });

        NodeMessage received(int stream, int number) {
            await("message " + number + " of stream " + stream)
                    .atMost(SOON)
                    .until(() -> streams.size() > stream
                            && streams.get(stream).received().size() > number);
            return streams.get(stream).received().get(number);
        }
    }

    private final Replica first = new Replica();
    private final Replica second = new Replica();
    /** Of a release that does not know the call. */
    private final LoopbackServer old = new LoopbackServer(new ProgramsGrpc.ProgramsImplBase() {});

    private final EventLoop loop = new EventLoop("announcer-test");
    private final Map<String, LocalEndpoint> endpoints = new TreeMap<>();

    @AfterEach
    void stop() {
        loop.close();
        first.server.close();
        second.server.close();
        old.close();
    }

    private EndpointAnnouncer started(String targets) {
        EndpointAnnouncer announcer = new EndpointAnnouncer(loop, SELF, targets);
        announcer.start(endpoints::values);
        return announcer;
    }

    private static LocalEndpoint endpoint(String key) {
        return LocalEndpoint.newBuilder().setKey(key).addAddresses("10.1.0.1").build();
    }

    private void come(EndpointAnnouncer announcer, String key) {
        loop.execute(() -> {
            endpoints.put(key, endpoint(key));
            announcer.tell(NodeMessage.newBuilder()
                    .setEndpointUp(EndpointUp.newBuilder().setEndpoint(endpoint(key)))
                    .build());
        });
    }

    @Test
    void allReplicasAreToldWhatIsThereAndWhatChanges() {
        endpoints.put("a/eth0", endpoint("a/eth0"));
        String targets = first.server.target() + "," + second.server.target();
        try (EndpointAnnouncer announcer = started(targets)) {
            for (Replica replica : List.of(first, second)) {
                NodeMessage hello = replica.received(0, 0);
                assertThat(hello.getHello().getEndpointsList()).containsExactly(endpoint("a/eth0"));
                assertThat(hello.getHello().getNode()).isEqualTo(SELF.toProto());
                assertThat(hello.getHello().getProgramSha256())
                        .as("nothing is asked for")
                        .isEmpty();
            }
            assertThat(announcer.channels().keySet()).containsExactlyInAnyOrder(targets.split(","));
            come(announcer, "b/eth0");
            assertThat(second.received(0, 1).getEndpointUp().getEndpoint()).isEqualTo(endpoint("b/eth0"));
            loop.execute(() -> announcer.tell(NodeMessage.newBuilder()
                    .setEndpointDown(EndpointDown.newBuilder().setKey("a/eth0"))
                    .build()));
            assertThat(first.received(0, 2).getEndpointDown().getKey()).isEqualTo("a/eth0");

            second.server.kill();
            second.server.revive();
            assertThat(second.received(1, 0).getHello().getEndpointsList())
                    .as("all of them, to a replica that was started again")
                    .contains(endpoint("b/eth0"));
        }
        await("they end with it")
                .atMost(SOON)
                .until(() -> !first.streams.getFirst().ends().isEmpty());
    }

    @Test
    void aReplicaOfAnOlderReleaseIsLeftAlone() {
        try (EndpointAnnouncer announcer = started(old.target() + "," + first.server.target())) {
            first.received(0, 0);
            come(announcer, "b/eth0");
            assertThat(first.received(0, 1).hasEndpointUp()).isTrue();
        }
    }

    @Test
    void theOnlyReplicaHearsThemByTheStreamThatBringsPrograms() {
        // A name with one address is one replica.
        int port = Integer.parseInt(first.server.target().replaceFirst(".*:", ""));
        try (EndpointAnnouncer announcer = new EndpointAnnouncer(loop, SELF, "policy:" + port, name -> {
            assertThat(name).isEqualTo("policy");
            return new InetAddress[] {InetAddress.getLoopbackAddress()};
        })) {
            announcer.start(endpoints::values);
            come(announcer, "b/eth0");
            assertThat(announcer.channels()).isEmpty();
        }
        assertThat(first.streams).isEmpty();
    }
}
