package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * node-shim dies, a step fails, or a step hangs, at each named step of ADD and DEL, called by the real
 * cni-shim: all or nothing as soon as node-shim serves again, and the next ADD works.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class FaultMatrixLabTest {
    private static final List<String> ADD_STEPS = List.of(
            "add.address",
            "add.intent",
            "add.announce",
            "add.link",
            "add.host",
            "add.pod-up",
            "add.pod",
            "add.sysctls",
            "add.shaping",
            "add.rules",
            "add.commit");
    /** The answer is out already: whatever happens here, the pod has its network. */
    private static final String SETTLE_STEP = "add.settle";
    /** Those that go on after a failure: a DEL does every step, and names the first that failed. */
    private static final List<String> DEL_GOES_ON = List.of("del.begin", "del.rules", "del.route", "del.host");

    private static final List<String> DEL_ENDS = List.of("del.link", "del.conntrack", "del.release", "del.commit");
    private static final List<String> DEL_STEPS =
            Stream.concat(DEL_GOES_ON.stream(), DEL_ENDS.stream()).toList();
    private static final String SPOOL_STEP = "spool.done";
    private static final List<String> STEPS = Stream.of(ADD_STEPS, List.of(SETTLE_STEP), DEL_STEPS, List.of(SPOOL_STEP))
            .flatMap(List::stream)
            .toList();

    /** Exit code of Runtime.halt at a fail point. */
    private static final int DIED = 137;

    /** How long a hang lasts. */
    private static final Duration FIVE_SECONDS = Duration.ofSeconds(5);

    private final Mesh mesh;
    private MeshNode node;
    private CleanNode clean;
    private Duration longestRestart = Duration.ZERO;

    FaultMatrixLabTest(Mesh mesh) {
        this.mesh = mesh;
    }

    @AfterEach
    void closeNode() {
        node.close();
    }

    @Test
    void failPointsAreTheOnesThatAreTestedHere() throws IOException {
        node = mesh.node("steps");
        node.shim().start(List.of("--fail-point", "none=kill"));
        assertThat(node.shim().awaitEnd(Duration.ofSeconds(60)))
                .as("an unknown step is refused")
                .isNotZero();
        assertThat(node.shim().logTail())
                .as("node-shim has exactly the steps of this matrix, in their order, and one of IPv6 alone")
                .contains("--fail-point names " + STEPS.toString().replace("add.host, ", "add.host, add.ipv6, ") + ",");
    }

    // kill -9

    /**
     * One life of node-shim for each step: armed to die when the step is reached the second time, so that
     * the same life also shows that the death before left nothing and that an ADD and a DEL work.
     */
    @Test
    void killLeavesNothingAfterRestartAndDel() throws IOException {
        node = mesh.node("kill");
        node.start("--fail-point", STEPS.getFirst() + "=kill@3");
        clean = CleanNode.warm(node);
        clean.assertWorks("before any death");
        ADD_STEPS.forEach(this::dieInAdd);
        dieOnceAnswered();
        DEL_STEPS.forEach(this::dieInDel);
        dieAfterASpooledDel();
        System.out.println("faults: " + STEPS.size() + " deaths, from the start after each until all was clean at most "
                + longestRestart.toMillis() + " ms");
    }

    private void dieInAdd(String step) {
        try (TestPod pod = TestPod.make("victim")) {
            CniRuntime.Outcome added = node.runtime().add(victim(pod));
            assertThat(added.exitCode())
                    .as("ADD that dies at %s: %s", step, added.text())
                    .isNotZero();
            assertThat(added.json().path("code").asInt())
                    .as("its error, %s", added.text())
                    .isEqualTo(11);
            // As containerd does: DEL at once, while nobody is there. A finished ADD needs it.
            boolean del = ADD_STEPS.indexOf(step) % 2 == 0 || step.equals("add.commit");
            if (del) {
                assertThat(node.runtime().del(victim(pod)).ok())
                        .as("DEL before the restart after a death at %s", step)
                        .isTrue();
            }
            restart(step, del ? "with a DEL in the spool" : "without any DEL");
            assertThat(node.runtime().del(victim(pod)).text())
                    .as("DEL after a death at %s", step)
                    .startsWith("exit code 0");
            assertInside(pod, step);
            clean.assertWorks("after a death at " + step);
        }
    }

    private void dieOnceAnswered() {
        try (TestPod pod = TestPod.make("victim")) {
            assertAdded(pod);
            assertDied(SETTLE_STEP);
            rearmed(SETTLE_STEP);
            assertThat(node.runtime().check(victim(pod)).text())
                    .as("CHECK of a pod that was answered and was not in the journal")
                    .startsWith("exit code 0");
            assertThat(node.api().audit()).as("audit with it").isEmpty();
            assertThat(node.runtime().del(victim(pod)).text()).as("its DEL").startsWith("exit code 0");
            assertInside(pod, SETTLE_STEP);
            clean.assertWorks("after a death at " + SETTLE_STEP);
        }
    }

    private void dieInDel(String step) {
        try (TestPod pod = TestPod.make("victim")) {
            assertAdded(pod);
            CniRuntime.Outcome deleted = node.runtime().del(victim(pod));
            assertThat(deleted.ok())
                    .as("DEL that dies at %s: %s", step, deleted.text())
                    .isTrue();
            assertThat(node.spooled())
                    .as("DELs in the spool after a death at %s", step)
                    .isEqualTo(1);
            restart(step, "with the DEL in the spool");
            assertThat(node.runtime().del(victim(pod)).ok())
                    .as("the runtime's second DEL")
                    .isTrue();
            assertInside(pod, step);
            clean.assertWorks("after a death at " + step);
        }
    }

    private void dieAfterASpooledDel() {
        try (TestPod pod = TestPod.make("victim")) {
            assertAdded(pod);
            node.shim().kill();
            assertThat(node.runtime().del(victim(pod)).ok())
                    .as("DEL while nobody is there")
                    .isTrue();
            // It drains its spool before it serves.
            node.shim().start(List.of("--fail-point", SPOOL_STEP + "=kill"));
            restart(SPOOL_STEP, "with the DEL in the spool, though done");
            assertInside(pod, SPOOL_STEP);
            clean.assertWorks("after a death at " + SPOOL_STEP);
        }
    }

    /** Waits for the death at a step and starts the next life, armed for the step after it. */
    private void restart(String step, String how) {
        assertDied(step);
        long start = System.nanoTime();
        rearmed(step);
        clean.assertSame("before the runtime's DEL after a death at " + step + ", " + how);
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        longestRestart = took.compareTo(longestRestart) > 0 ? took : longestRestart;
    }

    private void assertDied(String step) {
        assertThat(node.shim().awaitEnd(Duration.ofSeconds(30)))
                .as("exit code of the death at %s", step)
                .isEqualTo(DIED);
    }

    private void rearmed(String step) {
        int next = STEPS.indexOf(step) + 1;
        // Whatever has to be undone or done is so when it serves, not some time later.
        if (next >= STEPS.size() || STEPS.get(next).equals(SPOOL_STEP)) {
            node.start();
        } else {
            // An ADD, or the DEL of what the death left, passes the step once, assertWorks does the second time.
            String passes = DEL_STEPS.contains(STEPS.get(next)) ? "@3" : "@2";
            node.start("--fail-point", STEPS.get(next) + "=kill" + passes);
        }
    }

    private static void assertInside(TestPod pod, String step) {
        assertThat(Shell.output("ip", "-n", pod.name(), "-o", "link", "show"))
                .as("links in the container's namespace after %s and DEL", step)
                .doesNotContain("eth0");
    }

    // error

    /** Without a restart: every step of one life fails once, and each failure undoes all before it. */
    @Test
    void errorAtAnyStepLeavesNothingWithoutRestart() throws IOException {
        node = mesh.node("error");
        List<String> options = new ArrayList<>();
        // The warm-up is the first ADD and DEL.
        ADD_STEPS.forEach(step -> options.addAll(List.of("--fail-point", step + "=error@2")));
        // An ADD that fails removes what it made, by the steps of DEL: let them pass then.
        DEL_STEPS.forEach(step -> options.addAll(List.of("--fail-point", step + "=error@" + (ADD_STEPS.size() + 2))));
        options.addAll(List.of("--fail-point", SPOOL_STEP + "=error"));
        node.start(options.toArray(String[]::new));
        clean = CleanNode.warm(node, FaultMatrixLabTest::victim);
        try (TestPod pod = TestPod.make("victim")) {
            for (String step : ADD_STEPS) {
                CniRuntime.Outcome added = node.runtime().add(victim(pod));
                assertThat(added.ok())
                        .as("ADD that fails at %s: %s", step, added.text())
                        .isFalse();
                assertThat(added.text()).as("its error names the step").contains(step);
                clean.assertSame("after an ADD that failed at " + step);
                assertInside(pod, step);
                assertThat(node.runtime().del(victim(pod)).ok())
                        .as("the runtime's DEL")
                        .isTrue();
            }
            assertAdded(pod);
            // The first goes on after each failure, names the first, and ends short of the release; so the
            // address and the journal's entry are what the others find.
            assertFailedDel(pod, DEL_GOES_ON.getFirst());
            assertThat(node.api().endpoints())
                    .as("attachments, to be tried again")
                    .hasSize(1);
            DEL_ENDS.forEach(step -> assertFailedDel(pod, step));
            assertThat(node.runtime().del(victim(pod)).ok())
                    .as("DEL, tried again")
                    .isTrue();
            assertInside(pod, "failures of DEL");
        }
        clean.assertSame("after a DEL that failed at each step");
        clean.assertSameDescriptors("after " + STEPS.size() + " failures");
        spooledDelThatFails();
    }

    private void assertFailedDel(TestPod pod, String step) {
        CniRuntime.Outcome deleted = node.runtime().del(victim(pod));
        assertThat(deleted.ok())
                .as("DEL that fails at %s: %s", step, deleted.text())
                .isFalse();
        assertThat(deleted.text()).as("its error names the step").contains(step);
        assertThat(deleted.text())
                .as("a DEL error that go-cni does not take for success")
                .doesNotContainIgnoringCase("not found");
    }

    private void spooledDelThatFails() {
        try (TestPod pod = TestPod.make("victim")) {
            assertAdded(pod);
            node.shim().kill();
            assertThat(node.runtime().del(victim(pod)).ok())
                    .as("DEL while nobody is there")
                    .isTrue();
            node.start("--fail-point", SPOOL_STEP + "=error");
            await("the spool's next drain").atMost(Duration.ofSeconds(10)).until(() -> node.spooled() == 0);
            clean.assertWorks("after a spooled DEL that failed when it was done");
        }
    }

    /** The journal is written later then, by the next look or the next ADD. */
    @Test
    void whatFailsOrHangsOnceAnsweredHarmsNobody() throws IOException {
        node = mesh.node("settle");
        node.start();
        clean = CleanNode.warm(node);
        for (String action : List.of("error", "hang")) {
            node.shim().kill();
            node.start("--fail-point", SETTLE_STEP + "=" + action);
            try (TestPod pod = TestPod.make("victim")) {
                assertAdded(pod);
                await("the intent of " + action)
                        .atMost(FIVE_SECONDS.multipliedBy(2))
                        .untilAsserted(() -> assertThat(node.files()).noneMatch(file -> file.contains("intents/")));
                assertThat(node.runtime().del(victim(pod)).text()).as("its DEL").startsWith("exit code 0");
            }
            clean.assertWorks("after " + action + " at " + SETTLE_STEP);
            clean.otherLife();
        }
        try (TestPod pod = TestPod.make("victim")) {
            node.shim().kill();
            long hung = node.shim().logged("fail point add.settle hangs");
            node.start("--fail-point", SETTLE_STEP + "=hang");
            assertAdded(pod);
            await("the hang")
                    .atMost(FIVE_SECONDS)
                    .until(() -> node.shim().logged("fail point add.settle hangs") == hung + 1);
            assertThat(node.runtime().del(victim(pod)).text())
                    .as("DEL of what is not in the journal")
                    .startsWith("exit code 0");
        }
        clean.assertWorks("after a DEL of what was not in the journal");
    }

    // hang

    /**
     * Each step hangs for 5 s in a pod of its own, all at the same time: no lock is held meanwhile, so
     * other pods' ADD and DEL are as fast as ever, and in the end every ADD and DEL has succeeded.
     */
    @Test
    void hangAtAnyStepHoldsUpNobodyElse() throws Exception {
        node = mesh.node("hang");
        node.start();
        clean = CleanNode.warm(node);
        List<TestPod> pods = TestPod.make("victim", ADD_STEPS.size());
        try (ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor()) {
            node.shim().kill();
            node.start(hanging(ADD_STEPS));
            allAtOnce(calls, ADD_STEPS, pods, true);
            assertThat(node.api().audit()).as("audit after ADDs that hung").isEmpty();
            for (TestPod pod : pods) {
                assertThat(node.runtime().check(victim(pod)).text())
                        .as("CHECK of %s", pod.name())
                        .startsWith("exit code 0");
            }
            node.shim().kill();
            node.start(hanging(DEL_STEPS));
            allAtOnce(calls, DEL_STEPS, pods, false);
            pods.forEach(pod -> assertThat(node.runtime().del(victim(pod)).text())
                    .as("DEL of %s", pod.name())
                    .startsWith("exit code 0"));
            pods.forEach(pod -> assertInside(pod, "hangs"));
        } finally {
            TestPod.deleteAll(pods);
        }
        clean.assertWorks("after hangs of ADD and DEL");
    }

    private static String[] hanging(List<String> steps) {
        return steps.stream()
                .flatMap(step -> Stream.of("--fail-point", step + "=hang"))
                .toArray(String[]::new);
    }

    private void allAtOnce(ExecutorService calls, List<String> steps, List<TestPod> pods, boolean add)
            throws ExecutionException, InterruptedException {
        List<Future<CniRuntime.Outcome>> hung = new ArrayList<>();
        for (int i = 0; i < steps.size(); i++) {
            TestPod pod = pods.get(i);
            // It passes the steps at which others hang: each happens once.
            hung.add(calls.submit(
                    () -> add ? node.runtime().add(victim(pod)) : node.runtime().del(victim(pod))));
            String said = "fail point " + steps.get(i) + " hangs";
            await(said)
                    .atMost(FIVE_SECONDS)
                    .pollInterval(Duration.ofMillis(5))
                    .until(() -> node.shim().logged(said) == 1);
        }
        Future<CniRuntime.Outcome> again = calls.submit(() -> node.runtime().del(victim(pods.getFirst())));
        try (TestPod other = TestPod.make("victim-of-none")) {
            CniRuntime.Outcome added = node.runtime().add(other.eth0());
            CniRuntime.Outcome deleted = node.runtime().del(other.eth0());
            assertThat(hung).as("the others hang still").noneMatch(Future::isDone);
            assertThat(added.ok()).as("ADD meanwhile: %s", added.text()).isTrue();
            assertThat(deleted.ok()).as("DEL meanwhile: %s", deleted.text()).isTrue();
        }
        for (Future<CniRuntime.Outcome> call : hung) {
            CniRuntime.Outcome outcome = call.get();
            assertThat(outcome.ok()).as("what hung: %s", outcome.text()).isTrue();
            assertThat(outcome.took())
                    .as("its time")
                    .isBetween(FIVE_SECONDS.minusSeconds(1), FIVE_SECONDS.plusSeconds(4));
        }
        assertThat(again.get().text()).as("a DEL of what hangs waits for it").startsWith("exit code 0");
        if (add) {
            assertAdded(pods.getFirst());
        }
    }

    /** The runtime kills the plugin, or the plugin gives up: the runtime takes the ADD for failed. */
    @Test
    void anAddWhoseShimIsKilledIsUndoneWithoutDel() throws Exception {
        node = mesh.node("orphan");
        node.start();
        clean = CleanNode.warm(node);
        for (String step : List.of("add.address", "add.pod", "add.rules")) {
            node.shim().kill();
            node.start("--fail-point", step + "=hang");
            long undone = node.shim().logged("the caller is gone");
            try (TestPod pod = TestPod.make("victim")) {
                Process shim = node.startPlugin("ADD", pod.eth0());
                await("a hang at " + step)
                        .atMost(FIVE_SECONDS)
                        .until(() -> node.shim().logged("fail point " + step + " hangs") == 1);
                shim.destroyForcibly().onExit().join();
                await("the ADD is undone")
                        .atMost(FIVE_SECONDS.multipliedBy(2))
                        .until(() -> node.shim().logged("the caller is gone") == undone + 1);
                clean.assertSame("after the shim's death at " + step + ", without a DEL");
                assertInside(pod, step);
            }
        }
        clean.assertWorks("after shims that were killed");
    }

    private void assertAdded(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(victim(pod));
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
    }

    /** One with limits of its speed, and so with an ifb on the node. */
    private static CniAttachment victim(TestPod pod) {
        ObjectNode values = JsonNodeFactory.instance.objectNode();
        values.putObject("bandwidth").put("ingressRate", 100_000_000).put("egressRate", 100_000_000);
        return pod.eth0(values);
    }
}
