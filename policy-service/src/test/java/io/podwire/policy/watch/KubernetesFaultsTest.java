package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSliceBuilder;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyBuilder;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.SliceKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What API servers do at bad times, and what becomes of the cluster's objects then. */
class KubernetesFaultsTest {
    private static final Duration NEVER = Duration.ofHours(1);
    private static final Duration SOON = Duration.ofMillis(100);

    private final FakeApiServer server = new FakeApiServer();
    private final List<ClusterDelta> deltas = new CopyOnWriteArrayList<>();

    @BeforeEach
    void objects() {
        server.put(
                FakeApiServer.NAMESPACES,
                new NamespaceBuilder()
                        .withNewMetadata()
                        .withName("x")
                        .endMetadata()
                        .build());
        server.put(
                FakeApiServer.POLICIES,
                new NetworkPolicyBuilder()
                        .withNewMetadata()
                        .withNamespace("x")
                        .withName("deny")
                        .endMetadata()
                        .withNewSpec()
                        .withNewPodSelector()
                        .endPodSelector()
                        .endSpec()
                        .build());
        server.put(
                FakeApiServer.NODES,
                new NodeBuilder()
                        .withNewMetadata()
                        .withName("node-a")
                        .withLabels(Map.of("role", "db"))
                        .endMetadata()
                        .withNewStatus()
                        .addNewAddress("192.0.2.1", "InternalIP")
                        .endStatus()
                        .build());
        server.put(
                FakeApiServer.SERVICES,
                new ServiceBuilder()
                        .withNewMetadata()
                        .withNamespace("x")
                        .withName("web")
                        .endMetadata()
                        .withNewSpec()
                        .withClusterIP("10.96.0.1")
                        .endSpec()
                        .build());
        server.put(FakeApiServer.SLICES, slice("web-1", Map.of("kubernetes.io/service-name", "web")));
        for (String name : List.of("a", "b", "c", "d")) {
            server.put(FakeApiServer.PODS, pod(name));
        }
    }

    @AfterEach
    void close() {
        server.close();
    }

    private KubernetesSource start(Duration compare, Duration progress) {
        return new KubernetesSource(server.client(), deltas::add, new KubernetesSource.Pace(compare, SOON, progress));
    }

    private KubernetesSource startWatching(Duration compare, Duration progress) {
        KubernetesSource source = start(compare, progress);
        await().until(() -> source.synced()
                && server.watching(FakeApiServer.PODS) >= 1
                && server.watching(FakeApiServer.NAMESPACES) >= 1
                && server.watching(FakeApiServer.POLICIES) >= 1);
        return source;
    }

    private ClusterSnapshot seen() {
        ClusterSnapshot out = ClusterSnapshot.EMPTY;
        for (ClusterDelta delta : deltas) {
            out = delta.applyTo(out);
        }
        return out;
    }

    private boolean sees(String pod) {
        return seen().pods().containsKey(new PodKey("x", pod));
    }

    private static Pod pod(String name) {
        return new PodBuilder()
                .withNewMetadata()
                .withNamespace("x")
                .withName(name)
                .withLabels(Map.of("app", name))
                .endMetadata()
                .withNewSpec()
                .withNodeName("node-a")
                .endSpec()
                .build();
    }

    private static EndpointSlice slice(String name, Map<String, String> labels) {
        return new EndpointSliceBuilder()
                .withNewMetadata()
                .withNamespace("x")
                .withName(name)
                .withLabels(labels)
                .endMetadata()
                .withAddressType("IPv4")
                .build();
    }

    private boolean seesSlice(String name) {
        return seen().slices().containsKey(new SliceKey("x", name));
    }

    private void assertNothingWentAway() {
        assertThat(deltas)
                .flatExtracting(ClusterDelta::changes)
                .as("deletions")
                .noneMatch(change -> change instanceof Change.PodGone
                        || change instanceof Change.PolicyGone
                        || change instanceof Change.ClusterPolicyGone
                        || change instanceof Change.ClusterNodeGone
                        || change instanceof Change.ServiceGone
                        || change instanceof Change.SliceGone
                        || change instanceof Change.NamespaceGone);
    }

    @Test
    void aWatchThatFallsSilentIsBegunAnewAndWhatItMissedIsSeen() {
        try (var _ = startWatching(NEVER, Duration.ofSeconds(2))) {
            server.silence();
            server.put(FakeApiServer.PODS, pod("late"));
            server.delete(FakeApiServer.PODS, "x", "a");
            assertThat(sees("late")).as("before the deadline").isFalse();
            await().until(() -> sees("late") && !sees("a"));
        }
    }

    @Test
    void aQuietWatchWithBookmarksIsLeftAlone() {
        try (var _ = startWatching(NEVER, Duration.ofSeconds(2))) {
            int before = server.lists(FakeApiServer.PODS);
            long until = System.nanoTime() + Duration.ofSeconds(5).toNanos();
            await().pollInterval(SOON).atMost(Duration.ofSeconds(10)).until(() -> {
                server.bookmark();
                return System.nanoTime() > until;
            });
            assertThat(server.lists(FakeApiServer.PODS)).as("lists").isEqualTo(before);
        }
    }

    @Test
    void aWatchThatIsToldOfAnOldVersionGoesOnWithoutALoss() {
        try (var _ = startWatching(NEVER, NEVER)) {
            int before = server.lists(FakeApiServer.PODS);
            server.gone();
            await().until(() -> server.lists(FakeApiServer.PODS) > before && server.watching(FakeApiServer.PODS) >= 1);
            assertNothingWentAway();
            server.put(FakeApiServer.PODS, pod("late"));
            server.delete(FakeApiServer.PODS, "x", "a");
            await().until(() -> sees("late") && !sees("a"));
        }
    }

    @Test
    void aListThatIsEmptyOnceAfterAnOutageTakesNothingAway() {
        try (var _ = startWatching(NEVER, NEVER)) {
            int before = server.lists(FakeApiServer.POLICIES);
            server.emptyLists(FakeApiServer.POLICIES, 1);
            server.gone();
            // The informer's list, and one that says what is gone.
            await().until(() ->
                    server.lists(FakeApiServer.POLICIES) >= before + 2 && server.watching(FakeApiServer.PODS) >= 1);
            server.put(FakeApiServer.PODS, pod("late"));
            await().until(() -> sees("late"));
            assertNothingWentAway();
        }
    }

    @Test
    void aPeriodicListThatIsEmptyOnceTakesNothingAway() {
        try (var _ = startWatching(SOON, NEVER)) {
            int before = server.lists(FakeApiServer.POLICIES);
            server.emptyLists(FakeApiServer.POLICIES, 1);
            await().until(() -> server.lists(FakeApiServer.POLICIES) >= before + 4);
            assertNothingWentAway();
        }
    }

    @Test
    void aFirstListWithoutPoliciesIsNotBelievedAtOnce() {
        server.emptyLists(FakeApiServer.POLICIES, 1);
        try (var source = start(NEVER, NEVER)) {
            await().until(source::synced);
            await().until(() -> !deltas.isEmpty());
            assertThat(deltas.getFirst().changes())
                    .as("the first report has the policy")
                    .anyMatch(Change.PolicySet.class::isInstance);
        }
    }

    @Test
    void aPeriodicListFindsWhatTheWatchDidNotTell() {
        try (var _ = startWatching(SOON, NEVER)) {
            server.silence();
            server.put(FakeApiServer.PODS, pod("late"));
            server.delete(FakeApiServer.PODS, "x", "a");
            await().until(() -> sees("late") && !sees("a"));
        }
    }

    @Test
    void servicesAndTheirSlicesComeAndGo() {
        try (var _ = startWatching(NEVER, NEVER)) {
            assertThat(seen().services()).hasSize(1);
            assertThat(seesSlice("web-1")).isTrue();
            await().until(() ->
                    server.watching(FakeApiServer.SERVICES) >= 1 && server.watching(FakeApiServer.SLICES) >= 1);
            server.put(FakeApiServer.SLICES, slice("web-2", Map.of("kubernetes.io/service-name", "web")));
            await().until(() -> seesSlice("web-2"));
            server.put(FakeApiServer.SLICES, slice("web-2", Map.of()));
            await("one that is no service's any more").until(() -> !seesSlice("web-2"));
            server.delete(FakeApiServer.SLICES, "x", "web-1");
            server.delete(FakeApiServer.SERVICES, "x", "web");
            await().until(() -> !seesSlice("web-1") && seen().services().isEmpty());
        }
    }

    @Test
    void aPeriodicListFindsSlicesThatTheWatchDidNotTell() {
        server.put(FakeApiServer.SLICES, slice("web-2", Map.of("kubernetes.io/service-name", "web")));
        try (var _ = startWatching(SOON, NEVER)) {
            server.silence();
            server.put(FakeApiServer.SLICES, slice("web-3", Map.of("kubernetes.io/service-name", "web")));
            server.put(FakeApiServer.SLICES, slice("nobodys", Map.of()));
            server.delete(FakeApiServer.SLICES, "x", "web-1");
            await().until(() -> seesSlice("web-3") && !seesSlice("web-1"));
            assertThat(seesSlice("nobodys")).isFalse();
        }
    }

    @Test
    void aListWithoutServicesIsNotBelievedAtOnce() {
        server.emptyLists(FakeApiServer.SERVICES, 1);
        server.emptyLists(FakeApiServer.SLICES, 1);
        try (var source = start(SOON, NEVER)) {
            await().until(source::synced);
            await().until(() -> !deltas.isEmpty());
            assertThat(deltas.getFirst().changes())
                    .as("the first report has them")
                    .anyMatch(Change.ServiceSet.class::isInstance)
                    .anyMatch(Change.SliceSet.class::isInstance);
            int before = server.lists(FakeApiServer.SLICES);
            server.emptyLists(FakeApiServer.SLICES, 1);
            await().until(() -> server.lists(FakeApiServer.SLICES) >= before + 4);
            assertNothingWentAway();
        }
    }

    private static GenericKubernetesResource clusterPolicy(String name) {
        GenericKubernetesResource policy = new GenericKubernetesResource();
        policy.setApiVersion("policy.networking.k8s.io/v1alpha2");
        policy.setKind("ClusterNetworkPolicy");
        policy.setMetadata(new ObjectMetaBuilder().withName(name).build());
        policy.setAdditionalProperty(
                "spec",
                Map.of(
                        "tier",
                        "Admin",
                        "priority",
                        7,
                        "subject",
                        Map.of("namespaces", Map.of()),
                        "egress",
                        List.of(Map.of("action", "Deny", "to", List.of(Map.of("networks", List.of("192.0.2.0/24")))))));
        return policy;
    }

    private boolean seesClusterPolicy(String name) {
        return seen().clusterPolicies().containsKey(name);
    }

    @Test
    void aKindThatTheClusterGetsLaterIsWatchedFromThenOn() {
        try (var _ = startWatching(NEVER, Duration.ofSeconds(2))) {
            assertThat(seen().clusterNodes().get("node-a").addresses())
                    .as("addresses of a node")
                    .hasSize(1);
            server.put(FakeApiServer.CLUSTER_POLICIES, clusterPolicy("early"));
            server.clusterPolicies(FakeApiServer.Has.YES);
            await().until(() -> seesClusterPolicy("early") && server.watching(FakeApiServer.CLUSTER_POLICIES) >= 1);
            assertThat(seen().clusterPolicies().get("early").invalid())
                    .as("why it would be closed")
                    .isEmpty();
            server.put(FakeApiServer.CLUSTER_POLICIES, clusterPolicy("late"));
            server.delete(FakeApiServer.CLUSTER_POLICIES, null, "early");
            await().until(() -> seesClusterPolicy("late") && !seesClusterPolicy("early"));
        }
    }

    @Test
    void nothingIsReportedBeforeItIsKnownWhichClusterPoliciesThereAre() {
        server.clusterPolicies(FakeApiServer.Has.FAILS);
        server.put(FakeApiServer.CLUSTER_POLICIES, clusterPolicy("deny"));
        try (var source = start(NEVER, NEVER)) {
            await().until(() -> server.asked() >= 3 && server.watching(FakeApiServer.PODS) >= 1);
            assertThat(source.synced()).as("synced").isFalse();
            server.clusterPolicies(FakeApiServer.Has.YES);
            await().until(source::synced);
            await().until(() -> !deltas.isEmpty());
            assertThat(deltas.getFirst().changes())
                    .as("the first report has the policy")
                    .anyMatch(Change.ClusterPolicySet.class::isInstance);
        }
    }

    @Test
    void clusterPoliciesGoWithTheirKindWhenTwoListsAgree() {
        server.clusterPolicies(FakeApiServer.Has.YES);
        server.put(FakeApiServer.CLUSTER_POLICIES, clusterPolicy("deny"));
        try (var _ = startWatching(SOON, NEVER)) {
            assertThat(seesClusterPolicy("deny")).as("at first").isTrue();
            server.clusterPolicies(FakeApiServer.Has.NO);
            await().until(() -> !seesClusterPolicy("deny"));
        }
    }

    @Test
    void theStatusOfAClusterPolicySaysWhetherItIsEnforcedAsWritten() {
        server.clusterPolicies(FakeApiServer.Has.YES);
        GenericKubernetesResource wrong = clusterPolicy("wrong");
        wrong.getMetadata().setGeneration(1L);
        wrong.setAdditionalProperty(
                "spec",
                Map.of(
                        "tier",
                        "Admin",
                        "priority",
                        7,
                        "subject",
                        Map.of("namespaces", Map.of()),
                        "egress",
                        List.of(Map.of("action", "Maybe", "to", List.of(Map.of("namespaces", Map.of()))))));
        server.put(FakeApiServer.CLUSTER_POLICIES, wrong);
        try (var _ = startWatching(SOON, NEVER)) {
            await().until(() -> condition("wrong").get("status").equals("False"));
            assertThat(condition("wrong"))
                    .containsEntry("type", "podwire.io/Accepted")
                    .containsEntry("reason", "Invalid")
                    .containsEntry("observedGeneration", 1);
            assertThat(condition("wrong").get("message").toString()).contains("Maybe");
            int lists = server.lists(FakeApiServer.CLUSTER_POLICIES);
            await().until(() -> server.lists(FakeApiServer.CLUSTER_POLICIES) >= lists + 3);
            assertThat(server.statuses()).as("statuses written").isEqualTo(1);

            GenericKubernetesResource right = clusterPolicy("wrong");
            right.getMetadata().setGeneration(2L);
            right.setAdditionalProperty("status", server.status("wrong"));
            server.put(FakeApiServer.CLUSTER_POLICIES, right);
            await().until(() -> condition("wrong").get("status").equals("True"));
            assertThat(condition("wrong")).containsEntry("reason", "Valid").containsEntry("observedGeneration", 2);
        }
    }

    /** The condition of a cluster-wide policy as the server has it; "none" for a status that is not there yet. */
    private Map<String, Object> condition(String name) {
        return server.status(name) instanceof Map<?, ?> status
                        && status.get("conditions") instanceof List<?> conditions
                        && conditions.getFirst() instanceof Map<?, ?> condition
                ? condition.entrySet().stream()
                        .collect(Collectors.toMap(field -> field.getKey().toString(), Map.Entry::getValue))
                : Map.of("status", "none");
    }
}
