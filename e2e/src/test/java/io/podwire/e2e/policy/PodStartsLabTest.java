package io.podwire.e2e.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniNetwork;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Many pods start on two real nodes and send from before they are attached, to a peer on each node: of what is forbidden
 * no packet arrives, ever, and with {@code startBarrier: cluster} no packet that is allowed and sent after the ADD's
 * answer is lost. {@code make soak WHAT=starts} runs it with as many pods as asked for.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class PodStartsLabTest {
    private static final int STARTS = Integer.getInteger("podwire.soak.count", 32);
    private static final int WORKERS = 4;
    /** Packets of each pod to each peer after its ADD's answer. */
    private static final int PACKETS = 20;

    private static final String NAMESPACE = "starts";
    private static final Duration SOON = Duration.ofSeconds(20);

    private final Mesh mesh;
    private final List<MeshNode> nodes;
    private final List<CniRuntime> runtimes = new ArrayList<>();
    private final List<TestPod> peers;
    private final List<PacketLog> logs = new ArrayList<>();
    private final List<InetSocketAddress> targets = new ArrayList<>();

    /** What a pod is, and with that whether the peers may hear it. */
    private enum Role {
        /** The peers' policy names it. */
        WELCOME,
        /** The peers' policy does not. */
        STRANGER,
        /** The peers' policy names it, and its own lets nothing out. */
        MUTE,
        /** No object declares it, so that no program expects it, and the peers' policy does not name it. */
        UNDECLARED
    }

    PodStartsLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        // Less than a minute, and more than the way of a change to a node.
        this.nodes =
                List.of(mesh.node("starting-1", "--cool-down", "PT3S"), mesh.node("starting-2", "--cool-down", "PT3S"));
        this.peers = List.of(TestPod.make("starts-peer-0"), TestPod.make("starts-peer-1"));
    }

    @AfterEach
    void close() throws IOException {
        for (PacketLog log : logs) {
            log.close();
        }
        nodes.forEach(MeshNode::close);
        peers.forEach(TestPod::close);
        mesh.remove(NAMESPACE);
    }

    @Test
    void nothingForbiddenPassesAndNothingAllowedIsLost() throws Exception {
        nodes.forEach(MeshNode::start);
        mesh.apply(NAMESPACE, objects());
        for (int i = 0; i < nodes.size(); i++) {
            MeshNode node = nodes.get(i);
            CniRuntime runtime = runtime(node);
            runtimes.add(runtime);
            await("the program of " + node.name() + " has what it needs")
                    .atMost(SOON)
                    .until(() -> mesh.programOf(node.name()).getExpectedPodsCount() > 1
                            && mesh.rollout().getComplete());
            CniRuntime.Outcome added = runtime.add(attachment(peers.get(i)));
            assertThat(added.ok()).as("ADD of a peer: %s", added.text()).isTrue();
            targets.add(new InetSocketAddress(
                    added.json().at("/ips/0/address").asText().replaceFirst("/.*", ""), PacketLog.PORT));
            logs.add(PacketLog.start(peers.get(i).netns()));
        }
        long began = System.nanoTime();
        try (ExecutorService threads = Executors.newFixedThreadPool(WORKERS)) {
            List<Future<Integer>> ends = IntStream.range(0, STARTS)
                    .mapToObj(pod -> threads.submit(() -> start(pod)))
                    .toList();
            int early = 0;
            for (Future<Integer> end : ends) {
                early += end.get();
            }
            System.out.println("starts: " + STARTS + " pods in "
                    + Duration.ofNanos(System.nanoTime() - began).toMillis() + " ms, " + early
                    + " packets arrived before their pod's ADD was answered");
        }
        for (int pod = 0; pod < STARTS; pod++) {
            if (role(pod) != Role.WELCOME) {
                for (PacketLog log : logs) {
                    assertThat(log.of(pod))
                            .as("forbidden packets of pod %d, %s", pod, role(pod))
                            .isEqualTo(new BitSet());
                }
            }
        }
    }

    /** One pod's life; how many of its packets came before its ADD's answer. */
    private int start(int pod) throws IOException {
        CniRuntime runtime = runtimes.get(pod / 2 % 2);
        try (TestPod netns = TestPod.make(name(pod));
                PodSender sender = PodSender.start(netns.netns(), pod, targets)) {
            CniRuntime.Outcome added = runtime.add(attachment(netns));
            int first = sender.more(0);
            assertThat(added.ok()).as("ADD of %s: %s", name(pod), added.text()).isTrue();
            var _ = sender.more(PACKETS);
            int last = sender.end();
            int early = 0;
            if (role(pod) == Role.WELCOME) {
                BitSet due = new BitSet();
                due.set(first, last + 1);
                for (PacketLog log : logs) {
                    await("packets of " + name(pod))
                            .pollInterval(Duration.ofMillis(5))
                            .atMost(SOON)
                            .untilAsserted(() -> assertThat(missing(due, log.of(pod)))
                                    .as(
                                            "packets that %s sent after its ADD's answer, %s, and that did not arrive",
                                            name(pod), due)
                                    .isEqualTo(new BitSet()));
                    BitSet before = (BitSet) log.of(pod).clone();
                    before.andNot(due);
                    early += before.cardinality();
                }
            }
            CniRuntime.Outcome deleted = runtime.del(attachment(netns));
            assertThat(deleted.ok())
                    .as("DEL of %s: %s", name(pod), deleted.text())
                    .isTrue();
            return early;
        }
    }

    private static BitSet missing(BitSet due, BitSet arrived) {
        BitSet missing = (BitSet) due.clone();
        missing.andNot(arrived);
        return missing;
    }

    private CniRuntime runtime(MeshNode node) {
        return new CniRuntime(
                CniNetwork.parse(
                        "{\"cniVersion\":\"1.0.0\",\"name\":\"podwire\",\"plugins\":[{\"type\":\"podwire\",\"socket\":\""
                                + node.socket() + "\",\"spool\":\"" + node.spool()
                                + "\",\"startBarrier\":\"cluster\",\"startBarrierTimeout\":\"PT6S\"}]}"),
                mesh.home().resolve("libexec"),
                List.of("nsenter", "--net=" + node.netns(), "--"));
    }

    private static CniAttachment attachment(TestPod pod) {
        return CniAttachment.pod(
                NAMESPACE, pod.name(), "", pod.containerId(), pod.netns().toString());
    }

    private static String name(int pod) {
        return "starts-" + pod;
    }

    private static Role role(int pod) {
        // Half of them are welcome: of these packets are counted that must arrive.
        return switch (pod % 6) {
            case 0, 1, 3 -> Role.WELCOME;
            case 2 -> Role.STRANGER;
            case 4 -> Role.MUTE;
            default -> Role.UNDECLARED;
        };
    }

    private String objects() {
        StringBuilder out = new StringBuilder("""
                apiVersion: v1
                kind: Namespace
                metadata: {name: starts}
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: starts, name: peers}
                spec:
                  podSelector: {matchLabels: {role: peer}}
                  ingress:
                  - from:
                    - podSelector: {matchExpressions: [{key: role, operator: In, values: [welcome, mute]}]}
                    ports: [{port: 7000, protocol: UDP}]
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: starts, name: mute}
                spec:
                  podSelector: {matchLabels: {role: mute}}
                  policyTypes: [Egress]
                """);
        for (int i = 0; i < peers.size(); i++) {
            out.append(pod(peers.get(i).name(), "peer", nodes.get(i)));
        }
        for (int pod = 0; pod < STARTS; pod++) {
            if (role(pod) != Role.UNDECLARED) {
                out.append(pod(name(pod), role(pod).name().toLowerCase(Locale.ROOT), nodes.get(pod / 2 % 2)));
            }
        }
        return out.toString();
    }

    private static String pod(String name, String role, MeshNode node) {
        return """
                ---
                apiVersion: v1
                kind: Pod
                metadata: {namespace: starts, name: %s, labels: {role: %s}}
                spec: {nodeName: %s}
                """.formatted(name, role, node.name());
    }
}
