package io.podwire.ipam.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.NodeListBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient
class KubernetesNodesTest {
    // Filled in by the extension.
    private KubernetesMockServer server;
    private KubernetesClient client;

    private static NodeListBuilder page(String node, String next) {
        return new NodeListBuilder()
                .withNewMetadata()
                .withContinue(next)
                .endMetadata()
                .withItems(new NodeBuilder()
                        .withNewMetadata()
                        .withName(node)
                        .endMetadata()
                        .build());
    }

    @Test
    void everyPageIsRead() {
        server.expect()
                .get()
                .withPath("/api/v1/nodes?limit=500")
                .andReturn(200, page("n1", "more").build())
                .once();
        server.expect()
                .get()
                .withPath("/api/v1/nodes?continue=more&limit=500")
                .andReturn(200, page("n2.example", null).build())
                .once();
        assertThat(new KubernetesNodes(client).list())
                .containsExactlyInAnyOrder(new NodeName("n1"), new NodeName("n2.example"));
    }

    @Test
    void aListOfWhichAPageIsMissingIsNone() {
        server.expect()
                .get()
                .withPath("/api/v1/nodes?limit=500")
                .andReturn(200, page("n1", "more").build())
                .once();
        server.expect()
                .get()
                .withPath("/api/v1/nodes?continue=more&limit=500")
                .andReturn(410, "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}")
                .always();
        KubernetesNodes nodes = new KubernetesNodes(client);
        assertThatThrownBy(nodes::list)
                .isInstanceOfSatisfying(
                        ServiceException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.UNAVAILABLE))
                .hasMessageStartingWith("listing the nodes of Kubernetes failed: ");
    }
}
