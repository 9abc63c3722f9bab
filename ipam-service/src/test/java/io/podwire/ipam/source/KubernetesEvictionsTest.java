package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.podwire.ipam.core.HoldingPod;
import io.podwire.ipam.service.Evictor.Outcome;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true)
class KubernetesEvictionsTest {
    // Filled in by the extension.
    private KubernetesMockServer server;
    private KubernetesClient client;

    private KubernetesEvictions evictions;

    @BeforeEach
    void connect() {
        evictions = new KubernetesEvictions(server.createClient(KubernetesEvictions::tryOnce));
    }

    @AfterEach
    void close() {
        evictions.close();
    }

    private HoldingPod pod(String name, String annotation) {
        String uid = client.resource(new PodBuilder()
                        .withNewMetadata()
                        .withNamespace("shop")
                        .withName(name)
                        .addToAnnotations(annotation, "x")
                        .endMetadata()
                        .build())
                .create()
                .getMetadata()
                .getUid();
        return new HoldingPod("shop", name, uid);
    }

    private void answer(String name, int code) {
        server.expect()
                .post()
                .withPath("/api/v1/namespaces/shop/pods/" + name + "/eviction")
                .andReturn(code, new StatusBuilder().withCode(code).build())
                .once();
    }

    private String lastRequest() throws InterruptedException {
        return server.getLastRequest().getMethod() + " "
                + server.getLastRequest().getPath();
    }

    @Test
    void aPodIsEvictedAndABudgetHolds() throws InterruptedException {
        HoldingPod web = pod("web", "note");
        answer("web", 429);
        assertThat(evictions.evict(web)).as("its budget is used up").isEqualTo(Outcome.LATER);
        answer("web", 201);
        assertThat(evictions.evict(web)).isEqualTo(Outcome.EVICTED);
        assertThat(lastRequest()).isEqualTo("POST /api/v1/namespaces/shop/pods/web/eviction");
        assertThat(server.getLastRequest().getBody().readUtf8())
                .contains("\"policy/v1\"")
                .contains("\"preconditions\":{\"uid\":\"" + web.uid() + "\"}");
        answer("web", 500);
        assertThat(evictions.evict(web)).as("nobody knows").isEqualTo(Outcome.LATER);
        answer("web", 404);
        assertThat(evictions.evict(web)).as("gone meanwhile").isEqualTo(Outcome.NOT_THERE);
    }

    @Test
    void whatIsNotThatPodIsLeftAlone() throws InterruptedException {
        HoldingPod web = pod("web", "note");
        HoldingPod mirror = pod("mirror", "kubernetes.io/config.mirror");
        assertThat(evictions.evict(new HoldingPod("shop", "web", "another"))).isEqualTo(Outcome.NOT_THERE);
        assertThat(lastRequest()).as("it was not asked for").isEqualTo("GET /api/v1/namespaces/shop/pods/web");
        assertThat(evictions.evict(new HoldingPod("shop", "none", "u"))).isEqualTo(Outcome.NOT_THERE);
        assertThat(evictions.evict(mirror)).isEqualTo(Outcome.NOT_THERE);
        assertThat(lastRequest()).as("none was asked for").startsWith("GET");
        answer("web", 201);
        assertThat(evictions.evict(new HoldingPod("shop", "web", "")))
                .as("a node that does not know the uid")
                .isEqualTo(Outcome.EVICTED);
        assertThat(web.uid()).isNotEmpty();
    }
}
