package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeList;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.NodeName;
import java.util.HashSet;
import java.util.Set;

/**
 * The nodes of a Kubernetes cluster, listed anew each time: no watch that stops without a word, and no cache, decides
 * who is gone. For one thread at a time.
 *
 * <p>Names alone are told. The uid of a Node is that of the object, which an operator may delete and the kubelet make
 * anew while the machine runs on: it says nothing of the installation that owns blocks.
 */
public final class KubernetesNodes implements AutoCloseable {
    private static final long PAGE = 500;

    private final KubernetesClient client;

    /** Connected as KUBECONFIG or the in-cluster service account says. */
    public static KubernetesNodes connect() {
        return new KubernetesNodes(new KubernetesClientBuilder().build());
    }

    /** Over a client, which it closes. */
    KubernetesNodes(KubernetesClient client) {
        this.client = client;
    }

    /**
     * Every node that is there now.
     *
     * @throws ServiceException UNAVAILABLE when Kubernetes does not tell
     */
    public Set<NodeName> list() {
        Set<NodeName> names = new HashSet<>();
        try {
            String next = "";
            do {
                NodeList page = client.nodes()
                        .list(new ListOptionsBuilder()
                                .withLimit(PAGE)
                                .withContinue(next.isEmpty() ? null : next)
                                .build());
                for (Node node : page.getItems()) {
                    names.add(new NodeName(node.getMetadata().getName()));
                }
                String more =
                        page.getMetadata() == null ? null : page.getMetadata().getContinue();
                next = more == null ? "" : more;
            } while (!next.isEmpty());
        } catch (KubernetesClientException | IllegalArgumentException e) {
            throw new ServiceException(
                    ErrorReason.UNAVAILABLE, "listing the nodes of Kubernetes failed: " + e.getMessage(), e);
        }
        return names;
    }

    @Override
    public void close() {
        client.close();
    }
}
