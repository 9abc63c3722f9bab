package io.podwire.e2e.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.PingRun;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.node.v1.Upstream;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Two nodes and two replicas of policy-service, as processes. When a replica dies the nodes go to the other one, and no
 * packet that is allowed is lost for it, none that is forbidden passes, and pods that start are waited for as before.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class PolicyReplicasLabTest {
    private static final int PORT = 7492;
    private static final int HTTP = 7482;
    private static final String OBJECTS = "replicas";
    private static final AtomicInteger NODES = new AtomicInteger(1);
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final Duration PACE = Duration.ofMillis(10);
    /** Pods that start while a replica dies. */
    private static final int STARTS = 8;

    private final Mesh mesh;
    private final Daemon first;
    private final List<MeshNode> nodes;
    private final List<TestPod> pods = new ArrayList<>();

    PolicyReplicasLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        // Both replicas have heard of the same nodes: what other tests left is not in this one's programs.
        mesh.policy().kill();
        mesh.startAgain(mesh.policy());
        this.first = mesh.policyReplica(PORT);
        // Each test has nodes of its own: what another one left in a journal is not in its way.
        int number = NODES.getAndAdd(2);
        this.nodes = List.of(node("replicas-" + number), node("replicas-" + (number + 1)));
    }

    private MeshNode node(String name) throws IOException {
        return mesh.node(
                name,
                "--policy-service",
                Mesh.ADDRESS + ":" + PORT + "," + Mesh.POLICY,
                "--start-barrier",
                "cluster",
                "--start-barrier-timeout",
                "PT2S");
    }

    @AfterEach
    void close() throws IOException {
        nodes.forEach(MeshNode::close);
        pods.forEach(TestPod::close);
        mesh.remove(OBJECTS);
        mesh.startAgain(mesh.policy());
        first.close();
    }

    @Test
    void whenOneDiesNothingOfThePodsNoticesIt() throws Exception {
        start();
        TestPod server = pod("server");
        TestPod friend = pod("friend");
        TestPod stranger = pod("stranger");
        String to = add(nodes.get(1), server);
        var _ = add(nodes.get(0), friend);
        var _ = add(nodes.get(0), stranger);
        awaitAnnounced(2);
        assertThat(served()).as("nodes that the other replica serves").isZero();
        try (PingRun allowed = PingRun.start(friend, to, PACE);
                PingRun forbidden = PingRun.start(stranger, to, PACE)) {
            allowed.awaitReplies(50);
            double unchanged = updates("unchanged");
            double full = updates("full");
            first.kill();
            await("both nodes are with the other replica, and enforce what it says")
                    .atMost(SOON)
                    .until(() -> served() == 2);
            assertThat(updates("unchanged") - unchanged)
                    .as("nodes that were told that they have it")
                    .isEqualTo(2);
            assertThat(updates("full") - full).as("whole programs sent").isZero();

            mesh.startAgain(first, PORT);
            awaitAnnounced(3);
            for (int i = 0; i < STARTS; i++) {
                if (i == STARTS / 2) {
                    mesh.policy().kill();
                }
                TestPod pod = pod("friend-" + i);
                var _ = add(nodes.get(i % 2), pod);
                assertThat(answered(pod, to))
                        .as("the first packet of pod %d after its ADD", i)
                        .isTrue();
            }
            allowed.awaitReplies(allowed.replies() + 50);
            assertThat(forbidden.replies()).as("forbidden packets that passed").isZero();
            assertThat(allowed.end()).as("allowed packets that were lost").isEmpty();
        }
    }

    @Test
    void aNodeThatSleepsIsNamedAndOneThatIsCutOffGoesOn() throws Exception {
        start();
        TestPod friend = pod("friend");
        TestPod stranger = pod("stranger");
        String to = add(nodes.get(1), pod("server"));
        var _ = add(nodes.get(0), stranger);
        aSleepingNodeDelaysAStartByTheBoundAndIsNamed(friend, to);
        first.kill();
        mesh.policy().kill();
        aNodeThatIsCutOffGoesOnEvenAfterARestartThatFindsNoRules(friend, stranger, to);
    }

    /** What is forbidden stays so, and what is allowed comes when the node does. */
    private void aSleepingNodeDelaysAStartByTheBoundAndIsNamed(TestPod friend, String to) {
        MeshNode other = nodes.get(1);
        String asleep = Long.toString(other.shim().pid());
        var _ = Shell.output("kill", "-STOP", asleep);
        try {
            CniRuntime.Outcome added = nodes.get(0).runtime().add(eth0(friend));
            assertThat(added.ok()).as("ADD: %s", added.text()).isTrue();
            assertThat(added.took()).as("its time").isBetween(Duration.ofMillis(1800), Duration.ofMillis(4000));
            assertThat(nodes.get(0).shim().logged("not every node enforces its addresses: [" + other.name() + ": "))
                    .as(
                            "lines of the log that name it, in %s",
                            nodes.get(0).shim().logTail())
                    .isOne();
            assertThat(answered(friend, to))
                    .as("where the node does not know it yet")
                    .isFalse();
        } finally {
            var _ = Shell.output("kill", "-CONT", asleep);
        }
        await("it is let in").atMost(SOON).until(() -> answered(friend, to));
    }

    /** What it enforces is on its disk: policy-service is not needed for it. */
    private void aNodeThatIsCutOffGoesOnEvenAfterARestartThatFindsNoRules(TestPod friend, TestPod stranger, String to) {
        MeshNode cutOff = nodes.get(1);
        assertThat(answered(friend, to)).as("cut off, what is allowed").isTrue();
        assertThat(answered(stranger, to)).as("cut off, what is not").isFalse();

        cutOff.shim().kill();
        for (String table : List.of("inet podwire", "bridge podwire")) {
            var _ = Shell.output(("nsenter --net=" + cutOff.netns() + " -- nft delete table " + table).split(" "));
        }
        assertThat(answered(stranger, to)).as("without rules all passes").isTrue();
        cutOff.shim().start(List.of());
        await("its rules are back").atMost(SOON).until(() -> !answered(stranger, to));
        assertThat(answered(friend, to)).as("from disk, what is allowed").isTrue();
        await("it answers again").atMost(SOON).until(() -> cutOff.api().status().isPresent());
        assertThat(cutOff.api().status().orElseThrow().getUpstreamsList())
                .filteredOn(upstream -> upstream.getName().equals("policy"))
                .as("nobody told it")
                .noneMatch(Upstream::getConnected);
    }

    private void start() throws IOException {
        mesh.apply(OBJECTS, objects());
        nodes.forEach(MeshNode::start);
    }

    /** Waits until each node has told replicas of all its pods so many times. */
    private void awaitAnnounced(int times) {
        await("both nodes told of their pods " + times + " times")
                .atMost(SOON)
                .until(() -> nodes.stream()
                        .allMatch(node -> node.shim().logged("which is told of endpoints is up") >= times));
    }

    private double updates(String kind) {
        return Mesh.metric(HTTP, "podwire_policy_updates_total{kind=\"" + kind + "\"}");
    }

    private long served() {
        return mesh.rollout().getNodesList().stream()
                .filter(node -> node.getNode().startsWith("replicas-"))
                .filter(node -> node.getAckedRevision() > 0 && node.getAckedRevision() >= node.getTargetRevision())
                .count();
    }

    private static boolean answered(TestPod from, String to) {
        return Shell.attempt("nsenter", "--net=" + from.netns(), "--", "ping", "-n", "-c", "1", "-W", "1", to)
                        .exitCode()
                == 0;
    }

    private TestPod pod(String name) {
        TestPod pod = TestPod.make("replicas-" + name);
        pods.add(pod);
        return pod;
    }

    private static CniAttachment eth0(TestPod pod) {
        return CniAttachment.pod(
                "replicas", pod.name(), "", pod.containerId(), pod.netns().toString());
    }

    private static String add(MeshNode node, TestPod pod) {
        CniRuntime.Outcome added = node.runtime().add(eth0(pod));
        assertThat(added.ok()).as("ADD of %s: %s", pod.name(), added.text()).isTrue();
        return added.json().at("/ips/0/address").asText().replaceFirst("/.*", "");
    }

    private String objects() {
        StringBuilder out = new StringBuilder("""
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: replicas, name: server}
                spec:
                  podSelector: {matchLabels: {role: server}}
                  ingress:
                  - from: [{podSelector: {matchLabels: {role: friend}}}]
                """);
        out.append(object("server", "server", nodes.get(1)));
        out.append(object("friend", "friend", nodes.get(0)));
        out.append(object("stranger", "stranger", nodes.get(0)));
        for (int i = 0; i < STARTS; i++) {
            out.append(object("friend-" + i, "friend", nodes.get(i % 2)));
        }
        return out.toString();
    }

    private static String object(String name, String role, MeshNode node) {
        return """
                ---
                apiVersion: v1
                kind: Pod
                metadata: {namespace: replicas, name: replicas-%s, labels: {role: %s}}
                spec: {nodeName: %s}
                """.formatted(name, role, node.name());
    }
}
