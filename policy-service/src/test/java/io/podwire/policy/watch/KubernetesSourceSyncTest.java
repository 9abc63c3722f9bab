package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.NamespaceListBuilder;
import io.fabric8.kubernetes.api.model.PodListBuilder;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.podwire.policy.snapshot.ClusterDelta;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient
class KubernetesSourceSyncTest {
    // Filled in by the extension.
    private KubernetesMockServer server;

    @Test
    void nothingIsReportedBeforeEveryKindIsListed() {
        var pods = new PodListBuilder()
                .withNewMetadata()
                .withResourceVersion("1")
                .endMetadata()
                .addNewItem()
                .withNewMetadata()
                .withName("a")
                .withNamespace("x")
                .endMetadata()
                .endItem()
                .build();
        server.expect()
                .get()
                .withPath("/api/v1/pods?resourceVersion=0")
                .andReturn(200, pods)
                .always();
        server.expect()
                .get()
                .withPath("/api/v1/namespaces?resourceVersion=0")
                .andReturn(
                        200,
                        new NamespaceListBuilder()
                                .withNewMetadata()
                                .withResourceVersion("1")
                                .endMetadata()
                                .build())
                .always();
        List<ClusterDelta> deltas = new CopyOnWriteArrayList<>();
        try (var source = new KubernetesSource(
                server.createClient(),
                deltas::add,
                new KubernetesSource.Pace(Duration.ofMillis(50), Duration.ofMillis(50), Duration.ofMinutes(3)))) {
            int[] policyRequests = {0};
            await().atMost(Duration.ofSeconds(20)).until(() -> {
                var request = server.takeRequest(100, TimeUnit.MILLISECONDS);
                policyRequests[0] += request != null && request.getPath().contains("networkpolicies") ? 1 : 0;
                return policyRequests[0] >= 3;
            });
            assertThat(deltas)
                    .as("policies are not known: pods without them would be open")
                    .isEmpty();
            assertThat(source.synced()).isFalse();
        }
    }
}
