package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.DeleteOptionsBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.policy.v1.Eviction;
import io.fabric8.kubernetes.api.model.policy.v1.EvictionBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.podwire.ipam.core.HoldingPod;
import io.podwire.ipam.service.Evictor;
import java.net.HttpURLConnection;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Evicts pods through the Kubernetes Eviction API, policy/v1: PodDisruptionBudgets hold. A pod of that name that is
 * another one, leaves already, or is its node's own (a static pod, which the kubelet would start again with the same
 * address) is left alone.
 */
public final class KubernetesEvictions implements Evictor, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KubernetesEvictions.class);
    private static final String MIRROR = "kubernetes.io/config.mirror";

    private final KubernetesClient client;
    private boolean working = true;

    /** Connected as KUBECONFIG or the in-cluster service account says. */
    public static KubernetesEvictions connect() {
        KubernetesClientBuilder builder = new KubernetesClientBuilder().withConfig(Config.autoConfigure(null));
        tryOnce(builder);
        return new KubernetesEvictions(builder.build());
    }

    /** A budget that is used up is so for longer than a client tries again: that is for the caller to do. */
    static void tryOnce(KubernetesClientBuilder builder) {
        builder.editOrNewConfig().withRequestRetryBackoffLimit(0).endConfig();
    }

    /** Over a client that tries once, which it closes. */
    KubernetesEvictions(KubernetesClient client) {
        this.client = client;
    }

    @Override
    public Outcome evict(HoldingPod pod) {
        try {
            Outcome outcome = attempt(pod);
            if (!working) {
                log.info("pods can be evicted again");
            }
            working = true;
            return outcome;
        } catch (KubernetesClientException e) {
            if (e.getCode() == HttpURLConnection.HTTP_NOT_FOUND || e.getCode() == HttpURLConnection.HTTP_CONFLICT) {
                return Outcome.NOT_THERE;
            }
            if (working) {
                log.warn("pod {} cannot be evicted, trying again: {}", pod, e.getMessage());
            }
            working = false;
            return Outcome.LATER;
        }
    }

    private Outcome attempt(HoldingPod pod) {
        Pod found =
                client.pods().inNamespace(pod.namespace()).withName(pod.name()).get();
        if (found == null || leaves(found) || !isSame(found, pod) || isMirror(found)) {
            return Outcome.NOT_THERE;
        }
        Eviction eviction = new EvictionBuilder()
                .withNewMetadata()
                .withName(pod.name())
                .withNamespace(pod.namespace())
                .endMetadata()
                .withDeleteOptions(new DeleteOptionsBuilder()
                        .withNewPreconditions()
                        .withUid(found.getMetadata().getUid())
                        .endPreconditions()
                        .build())
                .build();
        // False is 429: a budget, or an API server that is busy.
        return client.pods().inNamespace(pod.namespace()).withName(pod.name()).evict(eviction)
                ? Outcome.EVICTED
                : Outcome.LATER;
    }

    private static boolean leaves(Pod found) {
        return found.getMetadata().getDeletionTimestamp() != null;
    }

    private static boolean isSame(Pod found, HoldingPod pod) {
        return pod.uid().isEmpty() || pod.uid().equals(found.getMetadata().getUid());
    }

    private static boolean isMirror(Pod found) {
        return Optional.ofNullable(found.getMetadata().getAnnotations())
                .orElse(Map.of())
                .containsKey(MIRROR);
    }

    @Override
    public void close() {
        client.close();
    }
}
