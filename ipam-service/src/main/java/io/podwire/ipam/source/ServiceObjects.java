package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.EventBuilder;
import io.fabric8.kubernetes.api.model.LoadBalancerIngress;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.podwire.common.loop.TimeSource;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads Services from the Kubernetes API, and writes their status and Events about them. For one thread at a time. */
final class ServiceObjects {
    private static final Logger log = LoggerFactory.getLogger(ServiceObjects.class);
    private static final String COMPONENT = "podwire-ipam-service";
    /** A problem that lasts is told again in the next: Kubernetes keeps an Event for an hour. */
    static final Duration REMIND = Duration.ofMinutes(30);

    /** As the API validates it. */
    private static final int LONGEST_MESSAGE = 1024;

    private final KubernetesClient client;
    private final TimeSource time;
    private boolean eventsWritable = true;

    ServiceObjects(KubernetesClient client, TimeSource time) {
        this.client = client;
        this.time = time;
    }

    /**
     * The Service of this name as it is now, not as a watch knew it.
     *
     * @throws KubernetesClientException when Kubernetes does not tell
     */
    Optional<Service> read(String namespace, String name) {
        return Optional.ofNullable(
                client.services().inNamespace(namespace).withName(name).get());
    }

    /**
     * Writes the entries of a Service's status, unless somebody has written to the Service since it was read.
     *
     * @param ingress all that its status tells of then
     * @throws KubernetesClientException 409 where somebody has
     */
    void write(Service seen, List<LoadBalancerIngress> ingress) {
        ObjectMeta meta = seen.getMetadata();
        // A version that is written is compared; a "test" that fails would be a bad request, and no conflict.
        String patch = client.getKubernetesSerialization()
                .asJson(List.of(
                        Map.of(
                                "op",
                                "replace",
                                "path",
                                "/metadata/resourceVersion",
                                "value",
                                meta.getResourceVersion()),
                        Map.of("op", "add", "path", "/status/loadBalancer", "value", Map.of("ingress", ingress))));
        var _ = client.services()
                .inNamespace(meta.getNamespace())
                .withName(meta.getName())
                .subresource("status")
                .patch(PatchContext.of(PatchType.JSON), patch);
    }

    /**
     * Tells of a problem in an Event of type Warning. Its name follows from the problem and the {@link #REMIND part of
     * the day}, so that replicas write one together. One that cannot be written is logged: whatever it tells of, the log has.
     */
    void warn(Service of, ServiceProblem problem) {
        try {
            write(of, problem);
            if (!eventsWritable) {
                log.info("Events of Services can be written again");
            }
            eventsWritable = true;
        } catch (KubernetesClientException e) {
            if (eventsWritable) {
                log.warn(
                        "an Event of Service {}/{} cannot be written: {}",
                        of.getMetadata().getNamespace(),
                        of.getMetadata().getName(),
                        e.getMessage());
            }
            eventsWritable = false;
        }
    }

    private void write(Service of, ServiceProblem problem) {
        ObjectMeta meta = of.getMetadata();
        String now = time.wall().truncatedTo(ChronoUnit.SECONDS).toString();
        long part = time.wall().getEpochSecond() / REMIND.toSeconds();
        String hash = String.format(
                "%08x%08x", meta.getUid().hashCode(), (problem.reason() + problem.message() + part).hashCode());
        Event event = new EventBuilder()
                .withNewMetadata()
                .withNamespace(meta.getNamespace())
                .withName(meta.getName() + "." + hash)
                .endMetadata()
                .withNewInvolvedObject()
                .withApiVersion("v1")
                .withKind("Service")
                .withNamespace(meta.getNamespace())
                .withName(meta.getName())
                .withUid(meta.getUid())
                .endInvolvedObject()
                .withType("Warning")
                .withReason(problem.reason())
                .withMessage(problem.message()
                        .substring(
                                0, Math.min(LONGEST_MESSAGE, problem.message().length())))
                .withNewSource()
                .withComponent(COMPONENT)
                .endSource()
                .withReportingComponent(COMPONENT)
                .withReportingInstance(COMPONENT)
                .withFirstTimestamp(now)
                .withLastTimestamp(now)
                .withCount(1)
                .build();
        try {
            var _ = client.v1()
                    .events()
                    .inNamespace(meta.getNamespace())
                    .resource(event)
                    .create();
        } catch (KubernetesClientException e) {
            // Another replica told the same.
            if (e.getCode() != HttpURLConnection.HTTP_CONFLICT) {
                throw e;
            }
        }
    }
}
