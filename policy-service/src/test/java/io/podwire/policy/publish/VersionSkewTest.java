package io.podwire.policy.publish;

import static io.podwire.policy.publish.TestReplica.endpoint;
import static io.podwire.policy.publish.TestReplica.sameNamespaceOnly;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.UnknownFieldSet;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.model.Endpoint;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.policy.v1.EndpointUp;
import io.podwire.proto.policy.v1.Hello;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramUpdate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Nodes of the release before and of the next one are served beside those of this one. */
class VersionSkewTest {
    private static final Endpoint A = endpoint("x", "a", "10.0.0.1");
    private static final Endpoint B = endpoint("x", "b", "10.0.1.1");
    private static final Endpoint C = endpoint("x", "c", "10.0.1.2");
    private static final UnknownFieldSet LATER = UnknownFieldSet.newBuilder()
            .addField(1000, UnknownFieldSet.Field.newBuilder().addVarint(7).build())
            .build();

    private TestReplica replica;

    @BeforeEach
    void start() throws Exception {
        replica = new TestReplica();
        replica.synced(sameNamespaceOnly());
    }

    @AfterEach
    void stop() {
        replica.close();
    }

    private static int members(NodeProgram program) {
        return program.addressSets().values().stream()
                .mapToInt(set -> set.cidrs().size())
                .sum();
    }

    /** It names no program and announces to nobody. */
    @Test
    void aNodeOfTheReleaseBeforeGetsItsWholeProgramAndIsKnownToOthers() {
        try (TestNode now = replica.node("n1").hello(1, A);
                TestNode before = replica.node("n2")
                        .hello(
                                Handshake.newBuilder()
                                        .setRelease("0.0.1")
                                        .setProtocol(1)
                                        .setMinProtocol(1)
                                        .build(),
                                1,
                                B)) {
            before.awaitProgram("a and b", program -> members(program) == 2);
            assertThat(before.updates().getFirst().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.FULL);
            before.up(C);
            now.awaitProgram("c", program -> members(program) == 3);
        }
    }

    @Test
    void whatTheNextReleaseSaysBesidesIsPassedOver() {
        try (TestNode now = replica.node("n1").hello(1, A);
                TestNode next = replica.node("n2")) {
            next.send(NodeMessage.newBuilder()
                    .setHello(Hello.newBuilder()
                            .setUnknownFields(LATER)
                            .setHandshake(Handshake.newBuilder()
                                    .setRelease("99.0.0")
                                    .setProtocol(2)
                                    .setMinProtocol(1))
                            .setNode(NodeEpoch.newBuilder()
                                    .setNode("n2")
                                    .setNodeUid("uid-1")
                                    .setCounter(1))
                            .addEndpoints(later(B))));
            now.awaitProgram("b", program -> members(program) == 2);
            next.send(NodeMessage.newBuilder()
                    .setUnknownFields(LATER)
                    .setEndpointUp(EndpointUp.newBuilder().setEndpoint(later(C))));
            now.awaitProgram("c", program -> members(program) == 3);
            next.awaitProgram("both", program -> program.endpoints().size() == 2);
        }
    }

    private static LocalEndpoint later(Endpoint endpoint) {
        return ProgramMapping.toProto(endpoint).toBuilder()
                .setUnknownFields(LATER)
                .build();
    }
}
