package io.podwire.e2e.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.policy.v1.DropCount;
import io.podwire.proto.policy.v1.DropReason;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.FlowExplanation;
import io.podwire.proto.policy.v1.ListDropsRequest;
import io.podwire.proto.policy.v1.ListDropsResponse;
import io.podwire.proto.policy.v1.Party;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import io.podwire.proto.policy.v1.Witness;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;

/** What the mesh says of itself: the kernel beside the compiler, what was dropped and why, and who is told. */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class AnswersLabTest {
    private static final String NAMESPACE = "answers";
    /** After a restart of policy-service the node is not there at once: what is asked then fails, and is asked again. */
    private static final Duration SOON = Duration.ofSeconds(20);

    private final Mesh mesh;
    private final MeshNode node;
    private TestPod client;
    private TestPod server;
    private String clientAddress;
    private String serverAddress;

    AnswersLabTest(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.node = mesh.node("answers", "--log-denied");
    }

    /** Pods of the namespace take TCP and UDP on port 80 and nothing else. */
    @BeforeAll
    void start() throws IOException {
        node.start();
        client = TestPod.make("answers-client");
        server = TestPod.make("answers-server");
        clientAddress = attach(client);
        serverAddress = attach(server);
        mesh.apply(NAMESPACE, """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: web, namespace: %s}
                spec:
                  podSelector: {}
                  policyTypes: [Ingress]
                  ingress: [{ports: [{port: 80}, {port: 80, protocol: UDP}]}]
                """.formatted(NAMESPACE));
        await("the policy is enforced").atMost(SOON).ignoreExceptions().until(() -> {
            FlowExplanation denied = explain(81, false);
            return !denied.getAllowed() && denied.getIngress().getEnforced();
        });
    }

    @AfterAll
    void close() throws IOException {
        mesh.remove(NAMESPACE);
        List.of(client, server).forEach(TestPod::close);
        node.close();
    }

    private String attach(TestPod pod) {
        assertThat(node.runtime()
                        .add(CniAttachment.pod(
                                NAMESPACE,
                                pod.name(),
                                "",
                                pod.containerId(),
                                pod.netns().toString()))
                        .text())
                .as("ADD of %s", pod.name())
                .startsWith("exit code 0");
        return node.api().endpoints().stream()
                .filter(endpoint -> endpoint.getContainerId().equals(pod.containerId()))
                .map(Endpoint::getAddress)
                .findFirst()
                .orElseThrow();
    }

    private FlowExplanation explain(int port, boolean witness) {
        AtomicReference<FlowExplanation> flow = new AtomicReference<>();
        mesh.answers(answers -> flow.set(answers.explainTraffic(ExplainTrafficRequest.newBuilder()
                        .setSource(Party.newBuilder().setAddress(clientAddress))
                        .setDestination(Party.newBuilder().setAddress(serverAddress))
                        .setProtocol(Protocol.PROTOCOL_TCP)
                        .setPort(port)
                        .setWitness(witness)
                        .build())
                .getFlows(0)));
        return flow.get();
    }

    private Witness witness(int port) {
        return explain(port, true).getWitnesses(0);
    }

    /** Sends one packet at least; nobody serves there. */
    private void call(String protocol, int port) {
        var _ = Shell.attempt(
                "nsenter",
                "--net=" + client.netns(),
                "timeout",
                "0.3",
                "bash",
                "-c",
                "exec 3<>/dev/" + protocol + "/" + serverAddress + "/" + port + "; echo >&3");
    }

    @Test
    void theKernelAgreesWithTheCompilerUntilSomebodyTampersWithIt() throws Exception {
        await("the node answers questions")
                .atMost(SOON)
                .ignoreExceptions()
                .until(() -> witness(80).getSilent().isEmpty());
        assertThat(witness(80).getAgrees()).as("%s", witness(80)).isTrue();
        assertThat(witness(81).getAgrees()).as("%s", witness(81)).isTrue();
        assertThat(witness(81).getVerdict().getRule()).isEqualTo("denied:" + NAMESPACE + "/web");

        mesh.policy().stop();
        mesh.policy().start(List.of("--witness-period", "PT0.05S"));
        mesh.startAgain(mesh.policy());
        await("samples that agree")
                .atMost(SOON)
                .ignoreExceptions()
                .until(() -> metric("podwire_policy_witness_samples_total{result=\"agreed\"") >= 20);
        assertThat(metric("podwire_policy_witness_mismatch_total")).isZero();
        // node-shim repairs that within 100 ms: so again and again.
        Process tamper = new ProcessBuilder(
                        "nsenter",
                        "--net=" + node.netns(),
                        "sh",
                        "-c",
                        "while :; do nft insert rule inet podwire to-pods accept; sleep 0.01; done")
                .start();
        try {
            await("the metric rises")
                    .atMost(SOON)
                    .ignoreExceptions()
                    .until(() -> metric("podwire_policy_witness_mismatch_total") > 0);
        } finally {
            tamper.destroy();
            tamper.waitFor();
        }
        assertThat(mesh.policy().logged("enforces something else than what was compiled"))
                .isPositive();
        await("repaired")
                .atMost(SOON)
                .ignoreExceptions()
                .until(() -> witness(81).getAgrees());
        mesh.policy().stop();
        mesh.startAgain(mesh.policy());
    }

    private static double metric(String start) throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:7482/metrics"))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body()
                    .lines()
                    .filter(line -> line.startsWith(start))
                    .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
                    .sum();
        }
    }

    @Test
    void droppedPacketsAreCountedAndLoggedWithTheirPolicy() {
        await("counted").atMost(SOON).ignoreExceptions().until(() -> {
            call("tcp", 81);
            return drops().getNodesList().stream()
                    .flatMap(of -> of.getDrops().getDropsList().stream())
                    .anyMatch(AnswersLabTest::isByWeb);
        });
        // The kernel gathers what it logs for up to a second.
        await("logged, see " + node.shim().logTail())
                .atMost(SOON)
                .until(() -> node.shim()
                                .logged(" to " + serverAddress + " port 81 (" + NAMESPACE + "/" + server.name()
                                        + "), tcp: ingress, default deny by " + NAMESPACE + "/web")
                        > 0);
        Shell.Ended table = mesh.podwirePolicy("drops", "--node", "answers");
        assertThat(table.stdout()).as("%s", table).contains("default deny by policy " + NAMESPACE + "/web");
    }

    private static boolean isByWeb(DropCount drop) {
        return drop.getReason() == DropReason.DROP_REASON_DEFAULT_DENY
                && drop.getPoliciesList().equals(List.of(NAMESPACE + "/web"))
                && drop.getDirection().equals("ingress")
                && drop.getPackets() > 0;
    }

    private ListDropsResponse drops() {
        AtomicReference<ListDropsResponse> drops = new AtomicReference<>();
        mesh.answers(answers -> drops.set(answers.listDrops(
                ListDropsRequest.newBuilder().setNode("answers").build())));
        return drops.get();
    }

    @Test
    void aConnectionOfNowThatWouldFlipIsNamed() {
        AtomicReference<SimulatePoliciesResponse> answer = new AtomicReference<>();
        await("told").atMost(SOON).ignoreExceptions().until(() -> {
            // A connection that is answered by a reset is forgotten at once; one of UDP is not.
            call("udp", 80);
            mesh.answers(answers -> answer.set(answers.simulatePolicies(SimulatePoliciesRequest.newBuilder()
                    .setManifests("""
                            apiVersion: networking.k8s.io/v1
                            kind: NetworkPolicy
                            metadata: {name: web, namespace: %s}
                            spec: {podSelector: {}, policyTypes: [Ingress]}
                            """.formatted(NAMESPACE))
                    .setRecordedFlows(true)
                    .build())));
            return answer.get().getRecordedFlipsList().stream()
                    .anyMatch(flip -> flip.getPort() == 80
                            && !flip.getAllowed()
                            && flip.getDestination()
                                    .getPod()
                                    .equals(PodRef.newBuilder()
                                            .setNamespace(NAMESPACE)
                                            .setName(server.name())
                                            .build()));
        });
    }
}
