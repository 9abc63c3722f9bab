package io.podwire.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.podwire.node.NodeOptions;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What kubectl makes of the base and the overlay for clusters without kube-proxy. */
class WithoutKubeProxyTest {
    private static final Manifests BASE = Manifests.base();
    private static Manifests merged;

    @BeforeAll
    static void merge(@TempDir Path folder) throws Exception {
        Path errors = folder.resolve("errors");
        Process kubectl;
        try {
            kubectl = new ProcessBuilder(
                            "kubectl",
                            "kustomize",
                            Manifests.KUSTOMIZE.resolve("without-kube-proxy").toString())
                    .redirectError(errors.toFile())
                    .start();
        } catch (IOException e) {
            abort("kubectl, which merges the overlay, does not start: " + e.getMessage());
            return;
        }
        String yaml = new String(kubectl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(kubectl.waitFor()).as(Files.readString(errors)).isZero();
        merged = new Manifests(Manifests.parse(yaml));
    }

    private static Map<String, String> controlPlane() {
        return merged.one(ConfigMap.class, "control-plane").getData();
    }

    /** Where nodes and services find a service: on the control plane, at the port that it listens on. */
    private static String place(Deployed service) {
        return controlPlane().get("CONTROL_PLANE") + ":"
                + merged.workload(service).main().getPorts().stream()
                        .filter(port -> port.getName().equals("grpc"))
                        .map(ContainerPort::getContainerPort)
                        .findFirst()
                        .orElseThrow();
    }

    private static Stream<String> names(Manifests manifests) {
        return manifests.objects().stream().map(WithoutKubeProxyTest::name);
    }

    private static String name(HasMetadata object) {
        return object.getKind() + "/" + object.getMetadata().getNamespace() + "/"
                + object.getMetadata().getName();
    }

    @Test
    void oneObjectMoreThanInTheBaseIsThereToBeSet() {
        assertThat(names(merged))
                .containsExactlyInAnyOrderElementsOf(
                        Stream.concat(names(BASE), Stream.of("ConfigMap/podwire/control-plane"))
                                .toList());
        assertThat(controlPlane())
                .containsOnlyKeys("CONTROL_PLANE", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT");
    }

    @ParameterizedTest
    @EnumSource(Deployed.class)
    void environmentIsTheBasesButForWhereThingsAre(Deployed service) {
        Map<String, String> environment = merged.workload(service).environment();
        Map<String, String> before = BASE.workload(service).environment();
        assertThat(environment).containsKeys(before.keySet().toArray(String[]::new));

        Map<String, String> others = new HashMap<>(environment);
        others.entrySet().removeAll(before.entrySet());
        Map<String, String> wanted = new HashMap<>(controlPlane());
        switch (service) {
            case IPAM_SERVICE, POLICY_SERVICE -> {}
            case ROUTE_REFLECTOR -> wanted.put("PODWIRE_IPAM_SERVICE", place(Deployed.IPAM_SERVICE));
            case NODE_SHIM ->
                wanted.putAll(Map.of(
                        "PODWIRE_SERVICES",
                        "true",
                        "PODWIRE_IPAM_SERVICE",
                        place(Deployed.IPAM_SERVICE),
                        "PODWIRE_IPAM_REPLICAS",
                        place(Deployed.IPAM_SERVICE),
                        "PODWIRE_POLICY_SERVICE",
                        place(Deployed.POLICY_SERVICE),
                        "PODWIRE_ROUTE_REFLECTOR",
                        place(Deployed.ROUTE_REFLECTOR)));
        }
        assertThat(others).isEqualTo(wanted);
    }

    @ParameterizedTest
    @EnumSource(Deployed.class)
    void nothingIsFoundByAServiceOrTheClustersDns(Deployed service) {
        Workload workload = merged.workload(service);
        assertThat(workload.template().getSpec().getEnableServiceLinks()).isFalse();
        assertThat(workload.template().getSpec().getHostNetwork()).isTrue();
        assertThat(workload.template().getSpec().getDnsPolicy())
                .as("the node's own resolver, which a pod in the host's network has by ClusterFirst, too")
                .isIn(null, "ClusterFirst", "Default");
        assertThat(workload.environment().values())
                .noneMatch(value -> value.contains(".svc") || value.contains(Workload.CLUSTER_IP));
    }

    @ParameterizedTest
    @EnumSource(Deployed.class)
    void servicesAcceptTheirEnvironment(Deployed service) {
        Workload workload = merged.workload(service);
        assertThat(workload.containers())
                .extracting(Container::getName)
                .isEqualTo(BASE.workload(service).containers().stream()
                        .map(Container::getName)
                        .toList());
        var options = ManifestsTest.accepted(
                workload, "HOST_IP", "CONTROL_PLANE", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT");
        if (options instanceof NodeOptions node) {
            assertThat(node.services()).isTrue();
        }
    }

    @Test
    void servicesAreOnTheControlPlaneOneOnEachNode() {
        List<Deployment> deployments = merged.all(Deployment.class);
        assertThat(deployments).hasSize(3).allSatisfy(deployment -> {
            assertThat(deployment.getSpec().getTemplate().getSpec().getNodeSelector())
                    .isEqualTo(Map.of("node-role.kubernetes.io/control-plane", ""));
            var strategy = deployment.getSpec().getStrategy();
            assertThat(strategy.getType()).isEqualTo("RollingUpdate");
            assertThat(strategy.getRollingUpdate().getMaxSurge().getIntVal())
                    .as("the host's port is taken while the old pod runs")
                    .isZero();
            assertThat(strategy.getRollingUpdate().getMaxUnavailable().getIntVal())
                    .as("with one replica the old pod goes first")
                    .isEqualTo(1);
        });
        assertThat(deployments)
                .extracting(deployment -> deployment.getSpec().getReplicas())
                .as("as many as control-plane nodes, so all the same")
                .containsOnly(1);
        assertThat(merged.workload(Deployed.NODE_SHIM).template().getSpec().getNodeSelector())
                .as("node-shim is on every node")
                .isEqualTo(
                        BASE.workload(Deployed.NODE_SHIM).template().getSpec().getNodeSelector());
    }
}
