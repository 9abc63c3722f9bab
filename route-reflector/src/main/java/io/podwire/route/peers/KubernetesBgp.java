package io.podwire.route.peers;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.NodeName;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * BGPPeers of a Kubernetes cluster, and its nodes that are cordoned. Both lists are short, so they are asked for every
 * few seconds, and no watch can stop without a word. Its loop owns all state.
 *
 * <p>While the API server does not answer, what it last said holds. A list of peers that lost more than half of them is
 * believed when the next one agrees.
 */
public final class KubernetesBgp implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KubernetesBgp.class);

    /** A cordon is seen, and a peer is dialled, within this time. */
    private static final Duration PERIOD = Duration.ofSeconds(5);

    private static final ResourceDefinitionContext BGP_PEER = new ResourceDefinitionContext.Builder()
            .withGroup("podwire.io")
            .withVersion("v1")
            .withKind("BGPPeer")
            .withPlural("bgppeers")
            .withNamespaced(false)
            .build();

    private final KubernetesClient client;
    private final PeerRegistry registry;
    private final EventLoop loop = new EventLoop("kubernetes-bgp");
    private SortedMap<String, PeersFile.Peer> known = new TreeMap<>();
    private boolean doubted;
    private String problem = "";
    private String unfit = "";

    /** Starts, connected as KUBECONFIG or the in-cluster service account says. */
    public static KubernetesBgp connect(PeerRegistry registry) {
        return new KubernetesBgp(new KubernetesClientBuilder().build(), registry, PERIOD);
    }

    /** Starts over a client, which it closes. */
    KubernetesBgp(KubernetesClient client, PeerRegistry registry, Duration period) {
        this.client = client;
        this.registry = registry;
        loop.execute(this::look);
        loop.every(period, this::look);
    }

    private void look() {
        try {
            Set<NodeName> cordoned = new HashSet<>();
            // The API server chooses: of thousands of nodes some are cordoned.
            List<Node> unschedulable = client.nodes()
                    .withField("spec.unschedulable", "true")
                    .list()
                    .getItems();
            unschedulable.forEach(
                    node -> cordoned.add(new NodeName(node.getMetadata().getName())));
            SortedMap<String, PeersFile.Peer> listed =
                    peers(client.genericKubernetesResources(BGP_PEER).list().getItems());
            if (listed.size() * 2 < known.size() && !doubted) {
                log.warn(
                        "a list of BGPPeers has {} in place of {}; it is believed when the next one agrees",
                        listed.size(),
                        known.size());
                doubted = true;
                listed = known;
            } else {
                doubted = false;
            }
            known = listed;
            registry.kubernetes(listed, cordoned);
            if (!problem.isEmpty()) {
                log.info("Kubernetes answers again: {} BGPPeers, {} cordoned nodes", listed.size(), cordoned.size());
            }
            problem = "";
        } catch (KubernetesClientException e) {
            String what = String.valueOf(e.getMessage());
            if (!what.equals(problem)) {
                log.warn(
                        "reading BGPPeers and cordoned nodes from Kubernetes: {}; trying on, what was known holds",
                        what);
            }
            problem = what;
        }
    }

    private SortedMap<String, PeersFile.Peer> peers(List<GenericKubernetesResource> objects) {
        SortedMap<String, PeersFile.Peer> peers = new TreeMap<>();
        List<String> wrong = new ArrayList<>();
        for (GenericKubernetesResource object : objects) {
            String name = object.getMetadata().getName();
            try {
                peers.put(name, peer(name, object.getAdditionalProperties().get("spec")));
            } catch (IllegalArgumentException e) {
                wrong.add(name + ": " + e.getMessage());
            }
        }
        String text = String.join("; ", wrong);
        if (!text.equals(unfit) && !text.isEmpty()) {
            log.warn("BGPPeers that cannot be understood, and are left out: {}", text);
        }
        unfit = text;
        return peers;
    }

    /** The object's name is the peer's. */
    static PeersFile.Peer peer(String name, Object spec) {
        if (!(spec instanceof Map<?, ?> values)) {
            throw new IllegalArgumentException("spec is missing");
        }
        Map<String, Object> all = new TreeMap<>();
        values.forEach((key, value) -> all.put(String.valueOf(key), value));
        if (all.put("name", name) != null) {
            throw new IllegalArgumentException("spec.name: the object's own name is the peer's");
        }
        return PeersFile.peer(all);
    }

    /** Stops looking. */
    @Override
    public void close() {
        loop.close();
        client.close();
    }
}
