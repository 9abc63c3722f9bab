package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * node-shim does not run for longer than cni-shim waits (SIGSTOP: a machine that swaps, a frozen cgroup, a debugger).
 * The runtime learns of it in time, and what node-shim then does of the ADD is undone without a DEL.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class NodeStoppedLabTest {
    /** cni-shim's own deadline of an ADD, and some time for a process on a busy machine. */
    private static final Duration GIVES_UP = Duration.ofSeconds(12);

    private static final Duration SOON = Duration.ofSeconds(15);

    private final Mesh mesh;
    private MeshNode node;

    NodeStoppedLabTest(Mesh mesh) {
        this.mesh = mesh;
    }

    @AfterEach
    void close() {
        node.close();
    }

    @Test
    void anAddThatStopsInTheMiddleIsGivenUpAndUndone() throws Exception {
        node = mesh.node("stop-in");
        node.start();
        CleanNode clean = CleanNode.warm(node);
        node.shim().kill();
        node.start("--fail-point", "add.host=hang");
        clean.otherLife();
        try (TestPod pod = TestPod.make("victim");
                ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<CniRuntime.Outcome> add = calls.submit(() -> node.runtime().add(pod.eth0()));
            await("an ADD that has made a link")
                    .atMost(SOON)
                    .until(() -> node.shim().logged("fail point add.host hangs") == 1);
            node.shim().suspend();
            try {
                assertGivenUp(add.get());
            } finally {
                node.shim().goOn();
            }
            await("the ADD is undone").atMost(SOON).until(() -> node.shim().logged("the caller is gone") == 1);
            clean.assertSame("after an ADD that was given up, without a DEL");
            assertThat(Shell.output("ip", "-n", pod.name(), "-o", "link", "show"))
                    .as("links in the container's namespace")
                    .doesNotContain("eth0");
            assertThat(node.runtime().del(pod.eth0()).ok())
                    .as("the runtime's DEL")
                    .isTrue();
        }
        clean.assertWorks("after node-shim was stopped in an ADD");
    }

    @Test
    void anAddThatNobodyReadIsGivenUpAndLeavesNothing() throws IOException {
        node = mesh.node("stop-before");
        node.start();
        CleanNode clean = CleanNode.warm(node);
        try (TestPod pod = TestPod.make("victim")) {
            node.shim().suspend();
            try {
                assertGivenUp(node.runtime().add(pod.eth0()));
            } finally {
                node.shim().goOn();
            }
            await("node-shim answers again, and the ADD is undone if it was begun")
                    .atMost(SOON)
                    .untilAsserted(() -> {
                        assertThat(node.api().status()).as("status").isPresent();
                        clean.assertSame("after an ADD that nobody read, without a DEL");
                    });
        }
        clean.assertWorks("after node-shim was stopped before an ADD");
    }

    /** A DEL waits as long, and then is written down: it succeeds, and is done soon after. */
    @Test
    void aDelMeanwhileIsWrittenDownAndDone() throws IOException {
        node = mesh.node("stop-del");
        node.start();
        CleanNode clean = CleanNode.warm(node);
        try (TestPod pod = TestPod.make("victim")) {
            assertThat(node.runtime().add(pod.eth0()).text()).as("ADD").startsWith("exit code 0");
            node.shim().suspend();
            try {
                CniRuntime.Outcome deleted = node.runtime().del(pod.eth0());
                assertThat(deleted.ok()).as("DEL: %s", deleted.text()).isTrue();
                assertThat(node.spooled()).as("DELs in the spool").isEqualTo(1);
            } finally {
                node.shim().goOn();
            }
            node.awaitDrained();
            await("it is done").atMost(SOON).until(() -> node.api().endpoints().isEmpty());
        }
        clean.assertWorks("after node-shim was stopped in a DEL");
    }

    private static void assertGivenUp(CniRuntime.Outcome added) {
        assertThat(added.ok()).as("ADD: %s", added.text()).isFalse();
        assertThat(added.json().path("code").asInt())
                .as("its code, %s", added.text())
                .isEqualTo(11);
        assertThat(added.took()).as("its time").isLessThan(GIVES_UP);
    }
}
