package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.policy.model.ClusterPolicy;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says in the status of a ClusterNetworkPolicy whether it is enforced as written, and if not, why: a condition of our own
 * type, beside those of other implementations, whose field manager we are. Several replicas write the same. What could
 * not be written is tried again with the next look at the object.
 */
final class ClusterPolicyConditions implements AutoCloseable {
    /** Type of the condition. */
    static final String TYPE = "podwire.io/Accepted";

    private static final Logger log = LoggerFactory.getLogger(ClusterPolicyConditions.class);
    private static final PatchContext APPLY = new PatchContext.Builder()
            .withPatchType(PatchType.SERVER_SIDE_APPLY)
            .withFieldManager("podwire-policy-service")
            .withForce(true)
            .build();
    private static final int NOT_FOUND = 404;

    private final KubernetesClient client;
    private final TimeSource time;
    private final EventLoop writer = new EventLoop("policy-status");
    /** On the writer's loop. */
    private boolean writable = true;

    ClusterPolicyConditions(KubernetesClient client, TimeSource time) {
        this.client = client;
        this.time = time;
    }

    /** Writes the condition of an object where it has another one, beside the caller. */
    void look(GenericKubernetesResource object, ClusterPolicy policy) {
        boolean valid = policy.invalid().isEmpty();
        Map<String, Object> wanted = new LinkedHashMap<>();
        wanted.put("type", TYPE);
        wanted.put("status", valid ? "True" : "False");
        wanted.put("reason", valid ? "Valid" : "Invalid");
        wanted.put("message", valid ? "it is enforced as written" : policy.invalid());
        Long generation = object.getMetadata().getGeneration();
        if (generation != null) {
            wanted.put("observedGeneration", generation);
        }
        Map<?, ?> has = condition(object).orElse(Map.of());
        if (wanted.entrySet().stream().allMatch(field -> same(field.getValue(), has.get(field.getKey())))) {
            return;
        }
        Object since = has.get("lastTransitionTime");
        wanted.put(
                "lastTransitionTime",
                since != null && wanted.get("status").equals(has.get("status"))
                        ? since
                        : time.wall().truncatedTo(ChronoUnit.SECONDS).toString());
        writer.execute(() -> write(policy.name(), wanted));
    }

    /** Numbers of JSON are of the smallest type that holds them. */
    private static boolean same(Object wanted, Object has) {
        return (wanted instanceof Number number && has instanceof Number other)
                ? number.longValue() == other.longValue()
                : wanted.equals(has);
    }

    private static Optional<Map<?, ?>> condition(GenericKubernetesResource object) {
        return object.get("status", "conditions") instanceof List<?> conditions
                ? conditions.stream()
                        .<Map<?, ?>>mapMulti((each, next) -> {
                            if (each instanceof Map<?, ?> condition && TYPE.equals(condition.get("type"))) {
                                next.accept(condition);
                            }
                        })
                        .findFirst()
                : Optional.empty();
    }

    private void write(String name, Map<String, Object> condition) {
        GenericKubernetesResource applied = new GenericKubernetesResource();
        applied.setApiVersion(ClusterPolicyMapping.API_VERSION);
        applied.setKind(ClusterPolicyMapping.KIND);
        applied.setMetadata(new ObjectMetaBuilder().withName(name).build());
        applied.setAdditionalProperty("status", Map.of("conditions", List.of(condition)));
        try {
            var _ = client.genericKubernetesResources(ClusterPolicyMapping.CONTEXT)
                    .resource(applied)
                    .subresource("status")
                    .patch(APPLY);
            if (!writable) {
                log.info("statuses of ClusterNetworkPolicies can be written again");
            }
            writable = true;
        } catch (KubernetesClientException e) {
            if (writable && e.getCode() != NOT_FOUND) {
                log.warn(
                        "the status of ClusterNetworkPolicy {} cannot be written, trying again later: {}",
                        name,
                        e.getMessage());
                writable = false;
            }
        }
    }

    /** Writes no more; statuses stay as they are. */
    @Override
    public void close() {
        writer.close();
    }
}
