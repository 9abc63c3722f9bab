package io.podwire.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBinding;
import io.fabric8.kubernetes.api.model.rbac.PolicyRule;
import io.podwire.common.service.ListenAddress;
import io.podwire.common.service.ServiceOptions;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ManifestsTest {
    private static final Manifests BASE = Manifests.base();

    static List<Workload> workloads() {
        return BASE.workloads();
    }

    @Test
    void everyServiceIsDeployed() {
        assertThat(workloads())
                .extracting(Workload::name)
                .containsExactlyInAnyOrder(
                        Stream.of(Deployed.values()).map(Deployed::service).toArray(String[]::new));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "spec: {replica: 2}",
                "spec: {template: {spec: {containers: [{name: a, readinesProbe: {}}]}}}",
                "spec: {template: {spec: {containers: [{name: a, securityContext: {capabilities: {dropped:"
                        + " [ALL]}}}]}}}",
                "metadata: {name: a, name: b}",
                "spec: {replicas: two}",
                "metadata: {annotations: {a: true}}",
                "metadata: {annotations: {a: 6443}}",
                "metadata: {annotations: {a: 1.5}}",
            })
    void readerIsStrict(String spoiled) throws IOException {
        String head = "apiVersion: apps/v1\nkind: Deployment\n";
        assertThat(Manifests.parse(head)).hasSize(1);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> Manifests.parse(head + spoiled));
    }

    @Test
    void kustomizationListsEveryFile() throws IOException {
        JsonNode resources = Manifests.kustomization().get("resources");
        assertThat(StreamSupport.stream(resources.spliterator(), false).map(JsonNode::asText))
                .containsExactlyInAnyOrderElementsOf(Manifests.files().stream()
                        .map(file -> file.getFileName().toString())
                        .toList());
    }

    @Test
    void everyObjectIsInTheNamespaceAndNamedOnce() {
        List<HasMetadata> objects = BASE.objects();
        assertThat(objects)
                .extracting(o -> o.getKind() + "/" + o.getMetadata().getName())
                .doesNotHaveDuplicates();
        assertThat(objects)
                .filteredOn(o -> !Set.of("Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")
                        .contains(o.getKind()))
                .extracting(o -> o.getMetadata().getNamespace())
                .containsOnly("podwire");
    }

    @ParameterizedTest
    @MethodSource("workloads")
    void everyVariableIsAnOptionAndTheServiceAcceptsThemAll(Workload workload) {
        accepted(workload, "HOST_IP");
    }

    /**
     * What the service makes of its environment.
     *
     * @param references what may be in it for others to refer to, beside twins of options
     */
    static ServiceOptions accepted(Workload workload, String... references) {
        Map<String, String> environment = workload.environment();
        assertThat(environment.keySet().stream().filter(name -> name.startsWith("PODWIRE_")))
                .as("variables of %s that are no option's twin", workload)
                .isSubsetOf(workload.deployed().environmentNames());
        assertThat(environment.keySet().stream().filter(name -> !name.startsWith("PODWIRE_")))
                .as("only what others refer to")
                .isSubsetOf(references);
        assertThat(workload.main().getCommand()).as("the image's entry point").isEmpty();

        return workload.deployed().parse(environment, workload.main().getArgs().toArray(String[]::new));
    }

    @ParameterizedTest
    @MethodSource("workloads")
    void portsAreThoseListenedOn(Workload workload) {
        ServiceOptions options = workload.deployed().parse(workload.environment());
        ServiceOptions defaults = workload.deployed().options();
        Map<String, Integer> ports = workload.main().getPorts().stream()
                .collect(Collectors.toMap(ContainerPort::getName, ContainerPort::getContainerPort));

        assertThat(ports.remove("http"))
                .isEqualTo(options.common().httpListen().port())
                .isEqualTo(defaults.common().httpListen().port());
        switch (options.common().listen()) {
            case ListenAddress.Tcp(String host, int port) -> {
                assertThat(host).as("other nodes reach it").isEqualTo("192.0.2.10");
                assertThat(ports.remove("grpc")).isEqualTo(port);
                assertThat(defaults.common().listen())
                        .isInstanceOfSatisfying(
                                ListenAddress.Tcp.class,
                                tcp -> assertThat(tcp.port()).isEqualTo(port));
            }
            case ListenAddress.Unix unix ->
                assertThat(unix).isEqualTo(defaults.common().listen());
        }
        assertThat(ports).as("ports that nobody listens on").isEmpty();

        for (Probe probe : List.of(
                workload.main().getStartupProbe(),
                workload.main().getLivenessProbe(),
                workload.main().getReadinessProbe())) {
            assertThat(probe.getHttpGet().getPort().getStrVal()).isEqualTo("http");
        }
        assertThat(workload.main().getReadinessProbe().getHttpGet().getPath()).isEqualTo("/readyz");
        assertThat(workload.main().getLivenessProbe().getHttpGet().getPath()).isEqualTo("/healthz");
    }

    @Test
    void nodesAskTheServicesAtTheirPorts() {
        Map<String, String> node = BASE.workload(Deployed.NODE_SHIM).environment();
        for (Service service : BASE.all(Service.class)) {
            Workload behind = workloads().stream()
                    .filter(w -> w.template()
                            .getMetadata()
                            .getLabels()
                            .entrySet()
                            .containsAll(service.getSpec().getSelector().entrySet()))
                    .findFirst()
                    .orElseThrow();
            ServicePort port = service.getSpec().getPorts().getFirst();
            assertThat(behind.main().getPorts())
                    .extracting(ContainerPort::getName)
                    .contains(port.getTargetPort().getStrVal());
            String name = service.getMetadata().getName();
            String option = name.equals("policy-replicas")
                    ? "PODWIRE_POLICY_SERVICE"
                    : "PODWIRE_" + name.toUpperCase(java.util.Locale.ROOT).replace('-', '_');
            boolean headless = "None".equals(service.getSpec().getClusterIP());
            assertThat(List.of(node.get(option).split(",", -1)))
                    .as(option)
                    .contains((headless ? name + ".podwire.svc" : Workload.CLUSTER_IP) + ":" + port.getPort());
        }
    }

    @Test
    void announcementsAreCheckedByIpamServicesWord() {
        Workload reflector = BASE.workload(Deployed.ROUTE_REFLECTOR);
        assertThat(reflector.environment()).containsEntry("PODWIRE_IPAM_SERVICE", Workload.CLUSTER_IP + ":7471");
    }

    @Test
    void nodesLookUpReplicasInTheClustersDns() {
        Workload node = BASE.workload(Deployed.NODE_SHIM);
        assertThat(node.template().getSpec().getHostNetwork()).isTrue();
        assertThat(node.template().getSpec().getDnsPolicy())
                .as("ClusterFirst is the node's own resolver for a pod in the host's network")
                .isEqualTo("ClusterFirstWithHostNet");
        for (Service service : BASE.all(Service.class)) {
            if ("None".equals(service.getSpec().getClusterIP())) {
                boolean told = service.getMetadata().getName().equals("ipam-replicas");
                assertThat(Boolean.TRUE.equals(service.getSpec().getPublishNotReadyAddresses()))
                        .as("a replica that is not ready is told all the same, but not asked for programs")
                        .isEqualTo(told);
                assertThat(service.getSpec().getPorts().getFirst().getPort())
                        .as("a headless Service forwards nothing: the port is the one listened on")
                        .isEqualTo(told ? 7471 : 7472);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("workloads")
    void selectorsBudgetsAndSpreadFitTheirPods(Workload workload) {
        Map<String, String> labels = workload.template().getMetadata().getLabels();
        assertThat(labels).containsAllEntriesOf(workload.selector().getMatchLabels());
        if (workload.object() instanceof Deployment deployment) {
            assertThat(BASE.all(PodDisruptionBudget.class))
                    .filteredOn(b -> b.getMetadata().getName().equals(workload.name()))
                    .singleElement()
                    .satisfies(budget -> {
                        assertThat(budget.getSpec().getSelector().getMatchLabels())
                                .isEqualTo(workload.selector().getMatchLabels());
                        assertThat(budget.getSpec().getMaxUnavailable().getIntVal())
                                .as("a node can always be drained")
                                .isEqualTo(1);
                    });
            assertThat(workload.template().getSpec().getTopologySpreadConstraints())
                    .singleElement()
                    .satisfies(spread -> assertThat(spread.getLabelSelector()).isEqualTo(workload.selector()));
            boolean two = "etcd".equals(workload.environment().get("PODWIRE_STORE"))
                    || workload.deployed() == Deployed.POLICY_SERVICE;
            assertThat(deployment.getSpec().getReplicas())
                    .as("two hold together over etcd, or because all nodes follow one of them")
                    .isEqualTo(two ? 2 : 1);
        }
    }

    @ParameterizedTest
    @MethodSource("workloads")
    void everyContainerIsConfined(Workload workload) {
        for (Container container : workload.containers()) {
            var context = container.getSecurityContext();
            assertThat(context.getAllowPrivilegeEscalation()).isFalse();
            assertThat(context.getReadOnlyRootFilesystem()).isTrue();
            assertThat(context.getPrivileged()).isNull();
            assertThat(context.getCapabilities().getDrop()).containsExactly("ALL");
            boolean nodeShim = container.getName().equals("node-shim");
            assertThat(context.getCapabilities().getAdd())
                    .isEqualTo(nodeShim ? List.of("NET_ADMIN", "SYS_ADMIN") : List.of());
            assertThat(container.getResources().getRequests()).containsOnlyKeys("cpu", "memory");
            assertThat(container.getResources().getLimits()).containsKey("memory");
            assertThat(container.getImage()).isEqualTo("podwire/" + workload.name() + ":0.1.0");
            assertThat(workload.template().getSpec().getVolumes())
                    .extracting(Volume::getName)
                    .containsAll(container.getVolumeMounts().stream()
                            .map(VolumeMount::getName)
                            .toList());
        }
        var pod = workload.template().getSpec();
        assertThat(pod.getSecurityContext().getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
        boolean isNode = workload.deployed() == Deployed.NODE_SHIM;
        assertThat(pod.getSecurityContext().getRunAsNonRoot()).isEqualTo(isNode ? null : Boolean.TRUE);
        assertThat(pod.getPriorityClassName()).isEqualTo(isNode ? "system-node-critical" : "system-cluster-critical");
        assertThat(pod.getVolumes().stream()
                        .filter(volume -> volume.getHostPath() != null)
                        .map(volume -> volume.getHostPath().getPath()))
                .containsExactlyInAnyOrderElementsOf(
                        isNode
                                ? List.of(
                                        "/run/podwire",
                                        "/var/lib/podwire",
                                        "/run/netns",
                                        "/proc/sys/net",
                                        "/opt/cni/bin",
                                        "/etc/cni/net.d")
                                : List.of());
    }

    @Test
    void runtimesNamespacesReachNodeShim() {
        Workload node = BASE.workload(Deployed.NODE_SHIM);
        assertThat(node.main().getVolumeMounts())
                .filteredOn(mount -> mount.getMountPath().equals("/run/netns"))
                .singleElement()
                .satisfies(mount -> assertThat(mount.getMountPropagation()).isEqualTo("HostToContainer"));
        assertThat(node.template().getSpec().getTolerations()).singleElement().satisfies(all -> {
            assertThat(all.getOperator()).isEqualTo("Exists");
            assertThat(all.getKey()).isNull();
        });
    }

    @Test
    void rolesReadOnlyWhatIsNeededAndNodesHaveNone() {
        Map<String, Map<String, Set<String>>> readable = Map.of(
                "podwire-policy-service",
                        Map.of(
                                "", Set.of("namespaces", "nodes", "pods", "services"),
                                "discovery.k8s.io", Set.of("endpointslices"),
                                "networking.k8s.io", Set.of("networkpolicies"),
                                "policy.networking.k8s.io",
                                        Set.of("clusternetworkpolicies", "clusternetworkpolicies/status")),
                "podwire-ipam-service",
                        Map.of(
                                "",
                                        Set.of(
                                                "events",
                                                "namespaces",
                                                "nodes",
                                                "pods",
                                                "pods/eviction",
                                                "services",
                                                "services/status"),
                                "podwire.io", Set.of("ippools", "ippools/status")),
                "podwire-route-reflector",
                        Map.of(
                                "", Set.of("nodes"),
                                "podwire.io", Set.of("bgppeers")));
        for (ClusterRole role : BASE.all(ClusterRole.class)) {
            for (PolicyRule rule : role.getRules()) {
                List<String> words = new ArrayList<>(rule.getApiGroups());
                words.addAll(rule.getResources());
                words.addAll(rule.getVerbs());
                assertThat(words).as("no wildcard").doesNotContain("*");
                if (rule.getVerbs().contains("patch")) {
                    assertThat(rule.getResources())
                            .as("a status alone is written")
                            .allMatch(resource -> resource.endsWith("/status"));
                    assertThat(rule.getVerbs()).isSubsetOf("get", "patch");
                } else if (rule.getVerbs().contains("create")) {
                    assertThat(rule.getResources())
                            .as("an eviction or an Event alone is made")
                            .isSubsetOf("events", "pods/eviction");
                    assertThat(rule.getVerbs()).containsExactly("create");
                } else {
                    assertThat(rule.getVerbs()).isSubsetOf("get", "list", "watch");
                }
                assertThat(rule.getNonResourceURLs()).isEmpty();
                rule.getApiGroups()
                        .forEach(group -> assertThat(rule.getResources())
                                .isSubsetOf(readable.get(role.getMetadata().getName())
                                        .get(group)));
            }
        }
        assertThat(BASE.all(ClusterRole.class))
                .extracting(role -> role.getMetadata().getName())
                .containsExactlyInAnyOrderElementsOf(readable.keySet());
        assertThat(BASE.all(ClusterRoleBinding.class)).hasSize(3).allSatisfy(binding -> {
            assertThat(binding.getSubjects()).singleElement().satisfies(subject -> {
                assertThat("podwire-" + subject.getName())
                        .isEqualTo(binding.getRoleRef().getName());
                assertThat(subject.getNamespace()).isEqualTo("podwire");
            });
        });
        assertThat(workloads())
                .filteredOn(w -> w.template().getSpec().getAutomountServiceAccountToken())
                .extracting(Workload::name)
                .containsExactlyInAnyOrder("ipam-service", "policy-service", "route-reflector");
        assertThat(BASE.all(ServiceAccount.class))
                .extracting(account -> account.getMetadata().getName())
                .containsExactlyInAnyOrderElementsOf(workloads().stream()
                        .map(w -> w.template().getSpec().getServiceAccountName())
                        .toList());
    }

    @Test
    void definitionOfPoolsHasTheFieldsThatIpamServiceKnows() throws ClassNotFoundException {
        CustomResourceDefinition definition = BASE.one(CustomResourceDefinition.class, "ippools.podwire.io");
        assertThat(definition.getSpec().getScope()).isEqualTo("Cluster");
        assertThat(definition.getSpec().getVersions()).singleElement().satisfies(version -> {
            assertThat(version.getName()).isEqualTo("v1");
            assertThat(version.getSubresources().getStatus()).isNotNull();
            var properties = version.getSchema().getOpenAPIV3Schema().getProperties();
            assertThat(properties.get("spec").getProperties().keySet())
                    .isEqualTo(fields("io.podwire.ipam.source.IpPoolSpec"));
            assertThat(properties.get("status").getProperties().keySet())
                    .isEqualTo(fields("io.podwire.ipam.source.IpPoolStatus"));
            String coolDown =
                    properties.get("spec").getProperties().get("coolDown").getPattern();
            assertThat(List.of("0s", "90s", "10m", "1h30m", "24h", "1h5s")).allMatch(text -> text.matches(coolDown));
            assertThat(List.of("", "5", "1s1m", "-1s", "1d")).noneMatch(text -> text.matches(coolDown));
        });
    }

    @Test
    void definitionOfPeersHasTheKeysThatRouteReflectorKnows() throws ClassNotFoundException {
        CustomResourceDefinition definition = BASE.one(CustomResourceDefinition.class, "bgppeers.podwire.io");
        assertThat(definition.getSpec().getScope()).isEqualTo("Cluster");
        Set<String> keys = fields("io.podwire.route.peers.PeersFile$Peer");
        assertThat(keys.remove("name")).as("that of the object").isTrue();
        assertThat(definition.getSpec().getVersions())
                .singleElement()
                .satisfies(version -> assertThat(version.getSchema()
                                .getOpenAPIV3Schema()
                                .getProperties()
                                .get("spec")
                                .getProperties()
                                .keySet())
                        .isEqualTo(keys));
    }

    private static Set<String> fields(String record) throws ClassNotFoundException {
        return Stream.of(Class.forName(record).getRecordComponents())
                .map(RecordComponent::getName)
                .collect(Collectors.toSet());
    }

    @Test
    void readmeNamesOnlyOptionsThatExist() throws IOException {
        Set<String> known = Stream.of(Deployed.values())
                .flatMap(d -> d.environmentNames().stream())
                .collect(Collectors.toSet());
        String readme = Files.readString(Deployed.DEPLOY.resolve("README.md"));
        assertThat(java.util.regex.Pattern.compile("PODWIRE_[A-Z_]+")
                        .matcher(readme)
                        .results()
                        .map(java.util.regex.MatchResult::group))
                .isNotEmpty()
                .isSubsetOf(known);
    }
}
