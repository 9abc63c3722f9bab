package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.podwire.node.dataplane.FailPoints;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.BarrierOutcome;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.proto.cni.v1.CniReply;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An ADD waits for other nodes where it is told to, and starts the pod whatever comes of that. */
@Tag("netns")
@Timeout(120)
final class BarrierFlowsNetnsTest {
    private static final String CLUSTER = "\"startBarrier\":\"cluster\"";

    @TempDir
    Path folder;

    private final Others others = new Others();
    private FlowNode node;
    private Space pod;

    /** What ADDs ask of the services, in order, and what comes of it. */
    private static final class Others extends NoServices {
        private final List<String> told = new ArrayList<>();
        private volatile CompletableFuture<BarrierOutcome> outcome =
                CompletableFuture.completedFuture(new BarrierOutcome.Complete());

        @Override
        public synchronized void up(Attachment attachment) {
            told.add("up");
        }

        @Override
        public synchronized void upSoon(Attachment attachment) {
            told.add("up soon");
        }

        @Override
        public synchronized CompletableFuture<BarrierOutcome> enforcedElsewhere(
                Attachment attachment, Duration longest) {
            told.add("wait " + longest.toMillis());
            return outcome;
        }

        synchronized List<String> told() {
            return List.copyOf(told);
        }
    }

    @BeforeEach
    void prepare() throws Exception {
        node = new FlowNode(folder);
        node.services = others;
        node.start(FailPoints.none());
        pod = node.sandbox.add();
    }

    @AfterEach
    void close() {
        node.close();
    }

    @Test
    void byItselfAnAddWaitsForItsNodeAlone() throws Exception {
        node.added("c1", pod, "");
        assertThat(others.told()).containsExactly("up soon");
    }

    @Test
    void theOthersAreToldAtOnceAndWaitedFor() throws Exception {
        others.outcome = new CompletableFuture<>();
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            Future<JsonNode> add = thread.submit(() -> node.added("c1", pod, CLUSTER));
            await().atMost(Duration.ofSeconds(10)).until(() -> others.told().size() == 2);
            assertThat(others.told()).containsExactly("up", "wait 3000");
            assertThat(add).isNotDone();
            others.outcome.complete(new BarrierOutcome.Complete());
            assertThat(add.get().path("ips").isEmpty()).isFalse();
        }
    }

    @Test
    void aPodStartsAlthoughOthersLagOrNobodyCanTell() throws Exception {
        others.outcome = CompletableFuture.completedFuture(new BarrierOutcome.Late(List.of("node-2: it sleeps")));
        node.added("c1", pod, CLUSTER + ",\"startBarrierTimeout\":\"PT7S\"");
        others.outcome = CompletableFuture.completedFuture(new BarrierOutcome.Unanswered("nobody is there"));
        node.added("c2", node.sandbox.add(), CLUSTER);
        assertThat(others.told()).containsExactly("up", "wait 7000", "up", "wait 3000");
    }

    @Test
    void whatIsWrongIsSaidBeforeAnythingIsMade() throws Exception {
        JsonNode error = node.refused("c1", pod, "", "\"startBarrier\":\"everyone\"");
        assertThat(error.path("code").asInt()).isEqualTo(7);
        assertThat(error.toString()).contains("startBarrier", "node or cluster");
        node.assertNothingLeft();
        CniReply deleted = node.call("DEL", "c1", pod, "", "\"startBarrier\":\"everyone\"");
        assertThat(deleted.getExitCode()).as("a DEL does not read it").isZero();
    }
}
