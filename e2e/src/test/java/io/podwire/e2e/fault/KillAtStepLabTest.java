package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** node-shim dies, or a step fails, at each named step of ADD and DEL: nothing is left, the next ADD works. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class KillAtStepLabTest {
    private static final List<String> ADD_STEPS =
            List.of("add.address", "add.intent", "add.link", "add.host", "add.pod", "add.rules", "add.commit");
    private static final List<String> DEL_STEPS = List.of("del.rules", "del.host", "del.link", "del.commit");

    /** Exit code of Runtime.halt at a fail point. */
    private static final int DIED = 137;

    private final Mesh mesh;
    private MeshNode node;
    private KernelDump clean;
    private int cleanFree;

    KillAtStepLabTest(Mesh mesh) {
        this.mesh = mesh;
    }

    @AfterEach
    void closeNode() {
        node.close();
    }

    @Test
    void failPointsAreTheOnesThatAreTestedHere() throws IOException {
        node = mesh.node("steps");
        List<String> all = new ArrayList<>(ADD_STEPS);
        all.addAll(DEL_STEPS);
        node.shim().start(List.of("--fail-point", "none=kill"));
        assertThat(node.shim().awaitEnd(Duration.ofSeconds(60)))
                .as("an unknown step is refused")
                .isNotZero();
        all.sort(null);
        assertThat(node.shim().logTail())
                .as("node-shim has exactly the steps that these tests kill it at")
                .contains("--fail-point names " + all + ",");
    }

    /**
     * One life of node-shim for each step: armed to die when the step is reached the second time, so that
     * the same life also shows that the death before left nothing and that an ADD and a DEL work.
     */
    @Test
    void killLeavesNothingAfterRestartAndDel() throws IOException {
        node = mesh.node("kill");
        node.start("--fail-point", ADD_STEPS.getFirst() + "=kill@2");
        clean = node.dump();
        cleanFree = node.api().freeAddresses();
        addAndDelWork("before any death");
        for (String step : ADD_STEPS) {
            dieInAdd(step);
        }
        for (String step : DEL_STEPS) {
            dieInDel(step);
        }
    }

    private void dieInAdd(String step) {
        try (TestPod pod = TestPod.make("victim")) {
            CniRuntime.Outcome added = node.runtime().add(pod.eth0());
            assertThat(added.exitCode())
                    .as("ADD that dies at %s: %s", step, added.text())
                    .isNotZero();
            assertThat(added.json().path("code").asInt())
                    .as("its error, %s", added.text())
                    .isEqualTo(11);
            if (ADD_STEPS.indexOf(step) % 2 == 0) {
                // As containerd does: DEL at once, while nobody is there.
                assertThat(node.runtime().del(pod.eth0()).ok())
                        .as("DEL before the restart after a death at %s", step)
                        .isTrue();
            }
            restart(step);
            // Without that DEL the start has undone it alone: no odd step is the last one, which is done.
            assertClean("before the runtime's DEL after a death at " + step);
            assertThat(node.runtime().del(pod.eth0()).text())
                    .as("DEL after a death at %s", step)
                    .startsWith("exit code 0");
            assertInside(pod, step);
            addAndDelWork("after a death at " + step);
        }
    }

    private void dieInDel(String step) {
        try (TestPod pod = TestPod.make("victim")) {
            CniRuntime.Outcome added = node.runtime().add(pod.eth0());
            assertThat(added.ok())
                    .as("ADD before a death at %s: %s", step, added.text())
                    .isTrue();
            CniRuntime.Outcome deleted = node.runtime().del(pod.eth0());
            assertThat(deleted.ok())
                    .as("DEL that dies at %s: %s", step, deleted.text())
                    .isTrue();
            assertThat(node.spooled())
                    .as("DELs in the spool after a death at %s", step)
                    .isEqualTo(1);
            restart(step);
            assertThat(node.spooled()).as("DELs in the spool after the restart").isZero();
            assertThat(node.runtime().del(pod.eth0()).ok())
                    .as("the runtime's second DEL")
                    .isTrue();
            assertInside(pod, step);
            addAndDelWork("after a death at " + step);
        }
    }

    /** Waits for the death at a step and starts the next life, armed for the step after it. */
    private void restart(String step) {
        assertThat(node.shim().awaitEnd(Duration.ofSeconds(10)))
                .as("exit code of the death at %s", step)
                .isEqualTo(DIED);
        List<String> all = new ArrayList<>(ADD_STEPS);
        all.addAll(DEL_STEPS);
        int next = all.indexOf(step) + 1;
        if (next == all.size()) {
            node.start();
        } else if (DEL_STEPS.contains(all.get(next))) {
            // A first DEL takes away what the death left, addAndDelWork does the second.
            node.start("--fail-point", all.get(next) + "=kill@3");
        } else {
            node.start("--fail-point", all.get(next) + "=kill@2");
        }
    }

    private void addAndDelWork(String when) {
        assertClean(when);
        try (TestPod pod = TestPod.make("next")) {
            CniRuntime.Outcome added = node.runtime().add(pod.eth0());
            assertThat(added.ok()).as("the next ADD %s: %s", when, added.text()).isTrue();
            assertThat(node.api().audit())
                    .as("audit after the next ADD %s", when)
                    .isEmpty();
            assertThat(node.api().endpoints())
                    .as("attachments after the next ADD %s", when)
                    .hasSize(1);
            CniRuntime.Outcome deleted = node.runtime().del(pod.eth0());
            assertThat(deleted.ok())
                    .as("the next DEL %s: %s", when, deleted.text())
                    .isTrue();
        }
        assertClean("after ADD and DEL " + when);
    }

    private void assertClean(String when) {
        node.assertUnchanged(clean, when);
        assertThat(node.api().endpoints())
                .as("attachments in the journal %s", when)
                .isEmpty();
        assertThat(node.api().audit()).as("audit %s", when).isEmpty();
        assertThat(node.api().freeAddresses()).as("free addresses %s", when).isEqualTo(cleanFree);
    }

    private static void assertInside(TestPod pod, String step) {
        assertThat(Shell.output("ip", "-n", pod.name(), "-o", "link", "show"))
                .as("links in the container's namespace after a death at %s and DEL", step)
                .doesNotContain("eth0");
    }

    /** Without a restart: every step of one life fails once, and each failure undoes all before it. */
    @Test
    void errorAtAnyStepLeavesNothingWithoutRestart() throws IOException {
        node = mesh.node("error");
        List<String> options = new ArrayList<>();
        for (String step : ADD_STEPS) {
            options.addAll(List.of("--fail-point", step + "=error"));
        }
        for (String step : DEL_STEPS) {
            // An ADD that fails removes what it made, by the steps of DEL: let them pass then.
            options.addAll(List.of("--fail-point", step + "=error@" + (ADD_STEPS.size() + 1)));
        }
        node.start(options.toArray(String[]::new));
        clean = node.dump();
        cleanFree = node.api().freeAddresses();
        try (TestPod pod = TestPod.make("victim")) {
            for (String step : ADD_STEPS) {
                CniRuntime.Outcome added = node.runtime().add(pod.eth0());
                assertThat(added.ok())
                        .as("ADD that fails at %s: %s", step, added.text())
                        .isFalse();
                assertThat(added.text()).as("its error names the step").contains(step);
                assertClean("after an ADD that failed at " + step);
                assertInside(pod, step);
                assertThat(node.runtime().del(pod.eth0()).ok())
                        .as("the runtime's DEL")
                        .isTrue();
            }
            CniRuntime.Outcome added = node.runtime().add(pod.eth0());
            assertThat(added.ok()).as("the next ADD: %s", added.text()).isTrue();
            // A DEL goes on after a step that failed: del.host fails in the first one too, which names the
            // first failure.
            for (String step : List.of("del.rules", "del.link", "del.commit")) {
                CniRuntime.Outcome deleted = node.runtime().del(pod.eth0());
                assertThat(deleted.ok())
                        .as("DEL that fails at %s: %s", step, deleted.text())
                        .isFalse();
                assertThat(deleted.text()).as("its error names the step").contains(step);
                assertThat(deleted.text())
                        .as("a DEL error that go-cni does not take for success")
                        .doesNotContainIgnoringCase("not found");
            }
            assertThat(node.runtime().del(pod.eth0()).ok())
                    .as("DEL, tried again")
                    .isTrue();
        }
        assertClean("after a DEL that failed at each step");
    }
}
