package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.micrometer.core.instrument.MeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.core.BalancedService;
import io.podwire.ipam.service.NamespaceCatalog;
import io.podwire.ipam.service.ServiceAddressFlow;
import java.time.Duration;

/**
 * The Services of a Kubernetes cluster: those of type LoadBalancer and of our class get addresses of the pools for load
 * balancers. Its loop takes what {@link WatchedKind} tells to a {@link ServiceReconciler}, which does all else on its
 * own.
 */
public final class KubernetesServices implements AutoCloseable {
    private final KubernetesClient client;
    private final EventLoop loop = new EventLoop("kubernetes-services");
    private final ServiceReconciler reconciler;
    private final WatchedKind<Service, BalancedService> services;

    /**
     * How often and how soon.
     *
     * @param watch full lists
     * @param look at the store, retries, and how long a Service must be gone
     */
    record Timing(WatchedKind.Pace watch, ServiceReconciler.Timing look) {
        static final Timing USUAL = new Timing(
                new WatchedKind.Pace(Duration.ofMinutes(5), Duration.ofSeconds(2)),
                new ServiceReconciler.Timing(Duration.ofSeconds(1), Duration.ofSeconds(10), Duration.ofSeconds(1)));
    }

    /**
     * Starts, connected as KUBECONFIG or the in-cluster service account says.
     *
     * @param classes which Services it serves
     * @param namespaces whose labels pools select by; it is told of them by others
     */
    public static KubernetesServices connect(
            ServiceClasses classes,
            ServiceAddressFlow flow,
            NamespaceCatalog namespaces,
            TimeSource time,
            MeterRegistry meters) {
        return new KubernetesServices(
                new KubernetesClientBuilder().build(), classes, flow, namespaces, time, meters, Timing.USUAL);
    }

    /** Starts over a client, which it closes. */
    KubernetesServices(
            KubernetesClient client,
            ServiceClasses classes,
            ServiceAddressFlow flow,
            NamespaceCatalog namespaces,
            TimeSource time,
            MeterRegistry meters,
            Timing timing) {
        this.client = client;
        this.reconciler = new ServiceReconciler(
                new ServiceObjects(client, time),
                classes,
                flow,
                namespaces,
                time,
                meters,
                timing.look(),
                () -> loop.execute(this::compare));
        this.services = new WatchedKind<>(
                new WatchedKind.Words(
                        "Services",
                        "may this service account list them? Trying on; Services keep the addresses that they have"),
                client.services().inAnyNamespace(),
                object -> ServiceMapping.service(object, classes),
                loop,
                timing.watch(),
                reconciler::offer);
    }

    private void compare() {
        services.compare();
    }

    /** Stops watching; addresses and statuses stay as they are. */
    @Override
    public void close() {
        services.close();
        reconciler.close();
        loop.close();
        client.close();
    }
}
