package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.publish.TestNode;
import io.podwire.policy.publish.TestServiceNode;
import io.podwire.policy.service.ServiceEndpoint;
import io.podwire.policy.service.ServicePort;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The service as it runs: folder of manifests in, programs out. */
class MainTest {
    private static final String DENY = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {namespace: x, name: deny}
            spec: {podSelector: {}, policyTypes: [Ingress]}
            """;

    @Test
    void aManifestThatComesAndGoesReachesTheNode(@TempDir Path folder) throws Exception {
        PolicyOptions options = PolicyOptions.ofManifests(new CommonOptions("127.0.0.1:0", "127.0.0.1:0"), folder);
        try (RunningService service = ServiceRunner.start("policy-service", options, Main::wire)) {
            ManagedChannel channel = service.channel();
            try (TestNode node = new TestNode(channel, "node-a").hello(1, World.endpoint("x/a"))) {
                node.awaitProgram("open", program -> program.endpoints().size() == 1);
                Files.writeString(folder.resolve("deny.yaml"), DENY);
                node.awaitProgram(
                        "isolated",
                        program -> program.endpoints()
                                .firstEntry()
                                .getValue()
                                .ingress()
                                .isolated());
                Files.delete(folder.resolve("deny.yaml"));
                node.awaitProgram(
                        "open again",
                        program -> !program.endpoints()
                                .firstEntry()
                                .getValue()
                                .ingress()
                                .isolated());
                await().until(() -> service.unready().isEmpty());
            } finally {
                channel.shutdownNow();
                channel.awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void aServiceThatComesAndGoesReachesTheNode(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("web.yaml"), """
                apiVersion: v1
                kind: Service
                metadata: {namespace: x, name: web}
                spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80, targetPort: 8080}]}
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {namespace: x, name: web-1, labels: {kubernetes.io/service-name: web}}
                addressType: IPv4
                ports: [{name: http, port: 8080}]
                endpoints: [{addresses: [10.0.1.1], nodeName: node-a}, {addresses: [10.0.2.1], nodeName: node-b}]
                """);
        PolicyOptions options = PolicyOptions.ofManifests(new CommonOptions("127.0.0.1:0", "127.0.0.1:0"), folder);
        try (RunningService service = ServiceRunner.start("policy-service", options, Main::wire)) {
            ManagedChannel channel = service.channel();
            try (TestServiceNode node = new TestServiceNode(channel, "node-a")) {
                ServicePort port =
                        node.awaitPorts("served", ports -> ports.size() == 1).get("x/web:http/ipv4");
                assertThat(port.clusterEndpoints())
                        .extracting(ServiceEndpoint::local)
                        .containsExactly(true, false);
                assertThat(port.readyHere()).isOne();
                Files.delete(folder.resolve("web.yaml"));
                node.awaitPorts("gone", Map::isEmpty);
            } finally {
                channel.shutdownNow();
                channel.awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void aNodeThatGoesToAnotherReplicaIsNotSentItsProgramAgain(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("deny.yaml"), DENY);
        PolicyOptions options = PolicyOptions.ofManifests(new CommonOptions("127.0.0.1:0", "127.0.0.1:0"), folder);
        try (RunningService second = ServiceRunner.start("policy-service", options, Main::wire)) {
            NodeProgram enforced = enforcedAtAnother(options);
            ManagedChannel channel = second.channel();
            try (TestNode node = new TestNode(channel, "node-a").helloWith(enforced, 1, World.endpoint("x/a"))) {
                assertThat(node.take().hasUnchanged())
                        .as("its program is the same")
                        .isTrue();
                Files.delete(folder.resolve("deny.yaml"));
                assertThat(node.take().hasDelta()).as("then what changes").isTrue();
            } finally {
                channel.shutdownNow();
                channel.awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    /** What a replica has the node enforce; it ends before this returns. */
    private static NodeProgram enforcedAtAnother(PolicyOptions options) throws Exception {
        try (RunningService first = ServiceRunner.start("policy-service", options, Main::wire)) {
            ManagedChannel channel = first.channel();
            try (TestNode node = new TestNode(channel, "node-a").hello(1, World.endpoint("x/a"))) {
                return node.awaitProgram(
                        "isolated",
                        program -> program.endpoints().size() == 1
                                && program.endpoints()
                                        .firstEntry()
                                        .getValue()
                                        .ingress()
                                        .isolated());
            } finally {
                channel.shutdownNow();
                channel.awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void exactlyOneSourceMustBeNamed() {
        assertThatThrownBy(() -> parsed().manifests()).as("none").isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> parsed("--kubernetes", "--manifests", "/m").manifests())
                .as("both")
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(parsed("--manifests", "/m").manifests()).contains(Path.of("/m"));
    }

    @Test
    void undeclaredPodsWaitForKubernetesAndAreJudgedFromManifests() {
        assertThat(parsed("--kubernetes").undeclaredPods()).isEqualTo(UndeclaredPods.WAIT);
        assertThat(parsed("--manifests", "/m").undeclaredPods()).isEqualTo(UndeclaredPods.DEFAULT);
        assertThat(parsed("--manifests", "/m", "--undeclared-pods", "wait").undeclaredPods())
                .isEqualTo(UndeclaredPods.WAIT);
    }

    private static PolicyOptions parsed(String... args) {
        PolicyOptions options = new PolicyOptions();
        ServiceRunner.command("policy-service", options, Map.of()).parseArgs(args);
        return options;
    }
}
