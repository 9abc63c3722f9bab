package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true)
class KubernetesSourceTest {
    // Filled in by the extension.
    private KubernetesMockServer server;
    private KubernetesClient client;

    private final List<ClusterDelta> deltas = new CopyOnWriteArrayList<>();

    private KubernetesSource start(Duration compare) {
        return new KubernetesSource(
                server.createClient(),
                deltas::add,
                new KubernetesSource.Pace(compare, Duration.ofMillis(100), Duration.ofMinutes(3)));
    }

    private ClusterSnapshot seen() {
        ClusterSnapshot out = ClusterSnapshot.EMPTY;
        for (ClusterDelta delta : deltas) {
            out = delta.applyTo(out);
        }
        return out;
    }

    private static Pod pod(String name, Map<String, String> labels) {
        return new PodBuilder()
                .withNewMetadata()
                .withNamespace("x")
                .withName(name)
                .withLabels(labels)
                .endMetadata()
                .withNewSpec()
                .withNodeName("node-a")
                .endSpec()
                .build();
    }

    @Test
    void reportsEverythingOnceThenChanges() {
        client.pods().inNamespace("x").resource(pod("a", Map.of())).create();
        client.network()
                .v1()
                .networkPolicies()
                .inNamespace("x")
                .resource(new NetworkPolicyBuilder()
                        .withNewMetadata()
                        .withName("p")
                        .endMetadata()
                        .withNewSpec()
                        .withNewPodSelector()
                        .endPodSelector()
                        .endSpec()
                        .build())
                .create();
        try (KubernetesSource source = start(Duration.ofMinutes(5))) {
            await().until(source::synced);
            await().until(() -> !deltas.isEmpty());
            assertThat(deltas.getFirst().changes())
                    .as("all objects in the first report")
                    .hasSize(2);
            client.pods().inNamespace("x").resource(pod("b", Map.of())).create();
            await().until(() -> seen().pods().size() == 2);
            client.pods()
                    .inNamespace("x")
                    .withName("b")
                    .edit(p -> new PodBuilder(p)
                            .editMetadata()
                            .addToLabels("app", "q")
                            .endMetadata()
                            .build());
            await().until(() -> seen().pods().get(new PodKey("x", "b")).labels().containsKey("app"));
            client.network()
                    .v1()
                    .networkPolicies()
                    .inNamespace("x")
                    .withName("p")
                    .delete();
            client.pods().inNamespace("x").withName("a").delete();
            await().until(() -> seen().pods().size() == 1 && seen().policies().isEmpty());
        }
    }

    @Test
    void anUpdateWithoutMeaningForUsIsNotReported() {
        client.pods().inNamespace("x").resource(pod("a", Map.of())).create();
        try (KubernetesSource source = start(Duration.ofMillis(100))) {
            await().until(() -> source.synced() && !deltas.isEmpty());
            client.pods()
                    .inNamespace("x")
                    .withName("a")
                    .edit(p -> new PodBuilder(p)
                            .editMetadata()
                            .addToAnnotations("note", "q")
                            .endMetadata()
                            .build());
            client.pods().inNamespace("x").resource(pod("b", Map.of())).create();
            await().until(() -> seen().pods().size() == 2);
            assertThat(deltas).as("the first list, and pod b").hasSize(2);
        }
    }
}
