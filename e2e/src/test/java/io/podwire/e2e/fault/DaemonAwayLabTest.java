package io.podwire.e2e.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.KernelDump;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.PingRun;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** node-shim is stopped, or killed under running pods: they notice nothing, and what waited is done. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class DaemonAwayLabTest {
    private static final Duration SOON = Duration.ofSeconds(1);

    private final MeshNode node;

    DaemonAwayLabTest(Mesh mesh) throws IOException {
        node = mesh.node("away");
    }

    @BeforeEach
    void start() {
        node.start();
    }

    @AfterEach
    void close() {
        node.close();
    }

    @Test
    void podsRunOnWithoutItAndWhatWaitedIsDone() throws Exception {
        KernelDump clean = node.dump();
        int free = node.api().freeAddresses();
        try (TestPod one = TestPod.make("one");
                TestPod two = TestPod.make("two");
                TestPod three = TestPod.make("three")) {
            assertAdded(one);
            String address = assertAdded(two);
            assertAdded(three);

            killedUnderTraffic(one, address);
            stoppedDuringDel(three);

            assertThat(node.runtime().del(one.eth0()).ok()).as("DEL of one").isTrue();
            assertThat(node.runtime().del(two.eth0()).ok()).as("DEL of two").isTrue();
            assertThat(node.runtime().del(three.eth0()).ok())
                    .as("second DEL of three")
                    .isTrue();
        }
        node.assertUnchanged(clean, "after all DELs");
        assertThat(node.api().audit()).as("audit").isEmpty();
        assertThat(node.api().freeAddresses()).as("free addresses").isEqualTo(free);
    }

    private void killedUnderTraffic(TestPod from, String to) throws Exception {
        KernelDump before = node.dump();
        try (PingRun ping = PingRun.start(from, to, Duration.ofMillis(10))) {
            ping.awaitReplies(20);
            node.shim().kill();
            ping.awaitReplies(ping.replies() + 20);
            node.start();
            ping.awaitReplies(ping.replies() + 20);
            assertThat(ping.end())
                    .as("packets lost while node-shim was killed and started")
                    .isEmpty();
        }
        node.assertUnchanged(before, "after kill -9 and restart");
        assertThat(node.api().audit()).as("audit after the restart").isEmpty();
        assertThat(node.runtime().check(from.eth0()).text())
                .as("CHECK of a pod that is older than the daemon")
                .startsWith("exit code 0");
        try (TestPod later = TestPod.make("later")) {
            assertAdded(later);
            assertThat(node.runtime().del(later.eth0()).ok())
                    .as("DEL after the restart")
                    .isTrue();
        }
        node.assertUnchanged(before, "after an ADD and a DEL of the next life");
    }

    private void stoppedDuringDel(TestPod pod) {
        node.shim().stop();
        Set<String> before = Set.copyOf(node.dump().lines());
        CniRuntime.Outcome deleted = node.runtime().del(pod.eth0());
        assertThat(deleted.exitCode())
                .as("DEL without node-shim: %s", deleted.text())
                .isZero();
        assertThat(deleted.took()).as("its time").isLessThan(SOON);
        CniRuntime.Outcome again = node.runtime().del(pod.eth0().withoutNetns());
        assertThat(again.exitCode()).as("the second DEL: %s", again.text()).isZero();
        assertThat(node.spooled()).as("one file for one attachment").isEqualTo(1);
        assertThat(Set.copyOf(node.dump().lines())).as("the kernel meanwhile").isEqualTo(before);
        CniRuntime.Outcome status = node.newestRuntime().status();
        assertThat(status.ok())
                .as("STATUS without node-shim: %s", status.text())
                .isFalse();
        assertThat(status.json().path("code").asInt()).as("its code").isEqualTo(50);

        node.start();
        await("the spool is drained").atMost(Duration.ofSeconds(10)).until(() -> node.spooled() == 0);
        assertThat(node.api().endpoints().stream()
                        .map(endpoint -> endpoint.getPod().getName())
                        .collect(Collectors.toSet()))
                .as("attachments after the drain")
                .containsExactlyInAnyOrder("one", "two");
        assertThat(node.api().audit()).as("audit after the drain").isEmpty();
    }

    private String assertAdded(TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(pod.eth0());
        assertThat(added.exitCode())
                .as("ADD of %s: %s", pod.name(), added.text())
                .isZero();
        return added.json().path("ips").path(0).path("address").asText().replace("/32", "");
    }
}
