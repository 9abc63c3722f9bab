package io.podwire.policy.publish;

import static io.podwire.policy.publish.TestReplica.endpoint;
import static io.podwire.policy.publish.TestReplica.podOn;
import static io.podwire.policy.publish.TestReplica.sameNamespaceOnly;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.publish.TestReplica.Announcing;
import io.podwire.policy.snapshot.Change;
import io.podwire.proto.policy.v1.Ack;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.ProgramUpdate;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A replica that does not serve a node knows its endpoints. */
class AnnouncementTest {
    private static final Endpoint A = endpoint("x", "a", "10.0.0.1");
    private static final Endpoint B = endpoint("x", "b", "10.0.1.1");
    private static final Endpoint C = endpoint("x", "c", "10.0.1.2");
    private static final Change[] OBJECTS = {sameNamespaceOnly(), podOn("n1"), podOn("n2")};
    /** Less than a replica waits for nodes that it has not heard of. */
    private static final Duration AT_ONCE = Duration.ofSeconds(3);

    private TestReplica replica;

    @BeforeEach
    void start() throws Exception {
        replica = new TestReplica();
        replica.synced(OBJECTS);
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

    @Test
    void whenAReplicaDiesNodesAreToldByTheOtherThatTheyHaveTheRightProgram() throws Exception {
        var _ = new Announcing(replica, "n1", 1, A).taken();
        var _ = new Announcing(replica, "n2", 1, B).taken();
        NodeProgram enforced;
        try (TestReplica died = new TestReplica()) {
            died.synced(OBJECTS);
            try (TestNode one = died.node("n1").hello(1, A);
                    TestNode _ = died.node("n2").hello(1, B)) {
                enforced = one.awaitProgram("both", program -> members(program) == 2);
            }
        }
        long began = System.nanoTime();
        try (TestNode one = replica.node("n1").helloWith(enforced, 1, A)) {
            ProgramUpdate first = one.take();
            assertThat(Duration.ofNanos(System.nanoTime() - began))
                    .as("although n2 has not come")
                    .isLessThan(AT_ONCE);
            assertThat(first.getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.UNCHANGED);
            try (TestNode _ = replica.node("n2").hello(1, B)) {
                assertThat(one.updates()).as("its coming changes nothing").hasSize(1);
            }
        }
    }

    @Test
    void aReplicaThatServedNobodyWaitsForNodesThatDoNotAnnounce() throws Exception {
        try (TestNode one = replica.node("n1").helloWith(NodeProgram.EMPTY, 1, A)) {
            // The four seconds after its start are over once this one is told to go on alone.
            one.awaitProgram("itself", program -> members(program) == 1);
        }
        NodeProgram enforced;
        try (TestReplica died = new TestReplica()) {
            died.synced(OBJECTS);
            try (TestNode one = died.node("n1").hello(1, A);
                    TestNode _ = died.node("n2").hello(1, B)) {
                enforced = one.awaitProgram("both", program -> members(program) == 2);
            }
        }
        try (TestNode one = replica.node("n1").helloWith(enforced, 1, A)) {
            try (TestNode two = replica.node("n2").hello(1, B)) {
                two.awaitProgram("both", program -> members(program) == 2);
                assertThat(one.take().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.UNCHANGED);
            }
        }
    }

    @Test
    void whatANodeAnnouncesIsInTheSetsOfThoseThatAreServed() {
        try (TestNode one = replica.node("n1").hello(1, A)) {
            Announcing two = new Announcing(replica, "n2", 1, B).taken();
            one.awaitProgram("b", program -> members(program) == 2);
            two.up(C);
            one.awaitProgram("c", program -> members(program) == 3);
            two.down(B.key());
            one.awaitProgram("b is gone", program -> members(program) == 2);
        }
    }

    @Test
    void theStreamThatBringsProgramsCountsWhileItIsThere() {
        try (TestNode one = replica.node("n1").hello(1, A)) {
            TestNode two = replica.node("n2").hello(1, B, C);
            one.awaitProgram("b and c", program -> members(program) == 3);
            Announcing also = new Announcing(replica, "n2", 1, B).taken();
            also.down(B.key());
            two.down(C.key());
            one.awaitProgram("c is gone, b is not", program -> members(program) == 2);
            two.close();
            one.awaitProgram("b is gone, by what is announced", program -> members(program) == 1);
        }
    }

    @Test
    void anEarlierStartOfANodeIsRefusedAndANewerStreamReplacesOne() {
        Announcing old = new Announcing(replica, "n1", 4, A).taken();
        var _ = new Announcing(replica, "n1", 5, A, B).taken();
        assertThatThrownBy(() -> new Announcing(replica, "n1", 4, A).taken()).hasMessageContaining("start 5");
        old.down(A.key());
        try (TestNode two = replica.node("n2").hello(1, C)) {
            two.awaitProgram("a and b are there", program -> members(program) == 3);
        }
    }

    @Test
    void suchAStreamBringsEndpointsAlone() {
        Announcing one = new Announcing(replica, "n1", 1, A).taken();
        one.say(NodeMessage.newBuilder().setAck(Ack.newBuilder().setRevision(1)).build());
        Announcing again = new Announcing(replica, "n1", 1, A).taken();
        again.up(B);
        try (TestNode two = replica.node("n2").hello(1, C)) {
            two.awaitProgram("it announces again", program -> members(program) == 3);
        }
        assertThatThrownBy(() -> new Announcing(replica, "N1", 1).taken()).hasMessageContaining("node name");
    }
}
