package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.NodeName;
import io.podwire.node.dataplane.RulesetReconciler;
import io.podwire.node.journal.Journal;
import io.podwire.node.nft.backend.ModelNft;
import io.podwire.node.plan.Masquerade;
import io.podwire.node.plan.NodeProgram;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.Program;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Unchanged;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A node that knows two replicas of policy-service. */
final class PolicyReplicasTest {
    private static final Duration SOON = Duration.ofSeconds(8);

    @TempDir
    Path folder;

    /** A replica, and the streams that nodes opened to it. */
    private static final class Replica {
        private final List<Conversation<NodeMessage, ProgramUpdate>> streams = new CopyOnWriteArrayList<>();
        private final LoopbackServer server = new LoopbackServer(new ProgramsGrpc.ProgramsImplBase() {
            @Override
            public StreamObserver<NodeMessage> watch(StreamObserver<ProgramUpdate> reply) {
                Conversation<NodeMessage, ProgramUpdate> stream = new Conversation<>(reply);
                streams.add(stream);
                return stream;
            }
        });

        Conversation<NodeMessage, ProgramUpdate> stream(int number) {
            await("stream " + number).atMost(SOON).until(() -> streams.size() > number);
            return streams.get(number);
        }

        NodeMessage received(int stream, int number) {
            await("message " + number)
                    .atMost(SOON)
                    .until(() -> stream(stream).received().size() > number);
            return stream(stream).received().get(number);
        }
    }

    private final Replica first = new Replica();
    private final Replica second = new Replica();
    private final EventLoop loop = new EventLoop("policy-test");
    private final EventLoop rulesetLoop = new EventLoop("ruleset-test");
    private final RulesetReconciler ruleset =
            new RulesetReconciler(new ModelNft(), rulesetLoop, Set.of(IpFamily.V4), 4789, Masquerade.NONE);
    private final ManagedChannel channel = Channels.openFirstOf(first.server.target() + "," + second.server.target());
    private Journal journal;
    private PolicyClient client;

    @BeforeEach
    void prepare() {
        journal = Journal.open(folder.resolve("journal.mv"));
        journal.begin("boot-1", Optional.empty());
        ruleset.start(List.of(), Optional.of(NodeProgram.EMPTY));
        client = new PolicyClient(
                channel, loop, new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3), journal, ruleset);
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        loop.close();
        rulesetLoop.close();
        first.server.close();
        second.server.close();
        journal.close();
    }

    @Test
    void whenOneDiesTheNodeGoesToTheOtherAndNamesTheProgramThatItEnforces() {
        client.start();
        first.stream(0).reply().onNext(full(700));
        assertThat(first.received(0, 1).getAck().getRevision()).isEqualTo(700);
        assertThat(second.streams).as("streams to the second meanwhile").isEmpty();

        first.server.kill();
        NodeMessage hello = second.received(0, 0);
        assertThat(hello.getHello().getProgramSha256())
                .as("the program it enforces")
                .isNotEmpty();
        second.stream(0)
                .reply()
                .onNext(ProgramUpdate.newBuilder()
                        .setEpoch("second")
                        .setRevision(3)
                        .setUnchanged(Unchanged.getDefaultInstance())
                        .build());
        assertThat(second.received(0, 1).getAck().getRevision()).isEqualTo(3);
        await().atMost(SOON).until(client::connected);

        // Back again: who has a stream keeps it, and returns when that one ends.
        first.server.revive();
        second.server.kill();
        assertThat(first.received(1, 0).hasHello()).isTrue();
        second.server.revive();
    }

    private static ProgramUpdate full(long revision) {
        return ProgramUpdate.newBuilder()
                .setEpoch("first")
                .setRevision(revision)
                .setFull(Program.getDefaultInstance())
                .build();
    }
}
