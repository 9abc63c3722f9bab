package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.NamespaceSelector;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolEdit;
import io.podwire.ipam.core.SelectedNamespaces;
import io.podwire.ipam.service.NamespaceCatalog;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true)
class KubernetesNamespacesTest {
    private static final Pool RED = new Pool("red", IpPrefix.parse("10.2.0.0/16"), 26)
            .with(List.of(new PoolEdit.Namespaces(NamespaceSelector.of(Map.of("team", "red")))));

    // Filled in by the extension.
    private KubernetesMockServer server;
    private KubernetesClient client;

    private final NamespaceCatalog catalog = new NamespaceCatalog(TimeSource.SYSTEM, true);

    private void namespace(String name, String team) {
        client.resource(new NamespaceBuilder()
                        .withNewMetadata()
                        .withName(name)
                        .addToLabels("team", team)
                        .endMetadata()
                        .build())
                .createOr(io.fabric8.kubernetes.client.dsl.NonDeletingOperation::update);
    }

    private Set<String> red() {
        SelectedNamespaces selected = catalog.select(List.of(RED)).pools().getFirst();
        return selected.namespaces().isPresent() ? selected.namespaces().get() : Set.of("unread");
    }

    @Test
    void theCatalogFollowsTheWatch() {
        namespace("a", "red");
        namespace("b", "blue");
        namespace("c", "red");
        assertThat(red()).containsExactly("unread");
        try (KubernetesNamespaces _ = new KubernetesNamespaces(server.createClient(), catalog, Duration.ofHours(1))) {
            await().until(() -> red().equals(Set.of("a", "c")));
            namespace("b", "red");
            await().until(() -> red().equals(Set.of("a", "b", "c")));
            client.namespaces().withName("a").delete();
            await().until(() -> red().equals(Set.of("b", "c")));
        }
    }

    @Test
    void fullListsAreComparedToo() {
        namespace("a", "red");
        try (KubernetesNamespaces _ =
                new KubernetesNamespaces(server.createClient(), catalog, Duration.ofMillis(100))) {
            await().until(() -> red().equals(Set.of("a")));
            // As if the watch had stopped, and the catalog had been told this last.
            catalog.offer(Map.of("a", Map.of(), "z", Map.of()), true);
            await().until(() -> red().equals(Set.of("a")));
        }
    }
}
