package io.podwire.ipam.source;

import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.podwire.common.loop.EventLoop;
import io.podwire.ipam.service.NamespaceCatalog;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The namespaces of a Kubernetes cluster and their labels, told to a catalog: nothing before the first list, then after
 * each change that the watch sees. Watches are known to stop without a word: so all is listed now and then, too. Its loop
 * owns all state.
 */
public final class KubernetesNamespaces implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KubernetesNamespaces.class);
    private static final Duration SYNC_POLL = Duration.ofMillis(50);
    private static final int POLLS_BEFORE_WARNING = 200;
    private static final Duration COMPARE = Duration.ofMinutes(1);

    private final KubernetesClient client;
    private final NamespaceCatalog catalog;
    private final EventLoop loop = new EventLoop("kubernetes-namespaces");
    private final SharedIndexInformer<Namespace> informer;
    private int polls;
    private boolean synced;
    private boolean listing;
    private boolean touchedWhileListing;
    private volatile boolean closed;

    /** Starts, connected as KUBECONFIG or the in-cluster service account says. */
    public static KubernetesNamespaces connect(NamespaceCatalog catalog) {
        return new KubernetesNamespaces(new KubernetesClientBuilder().build(), catalog, COMPARE);
    }

    /**
     * Starts over a client, which it closes.
     *
     * @param compare between two full lists
     */
    KubernetesNamespaces(KubernetesClient client, NamespaceCatalog catalog, Duration compare) {
        this.client = client;
        this.catalog = catalog;
        this.informer = client.namespaces().runnableInformer(0);
        // fabric8 logs the failure itself; it must try again until we close.
        informer.exceptionHandler((_, _) -> !closed);
        informer.addEventHandler(new ResourceEventHandler<>() {
            @Override
            public void onAdd(Namespace namespace) {
                loop.execute(KubernetesNamespaces.this::watched);
            }

            @Override
            public void onUpdate(Namespace before, Namespace namespace) {
                onAdd(namespace);
            }

            @Override
            public void onDelete(Namespace namespace, boolean deletedFinalStateUnknown) {
                onAdd(namespace);
            }
        });
        var _ = informer.start();
        loop.schedule(SYNC_POLL, this::awaitFirstList);
        loop.every(compare, this::compare);
    }

    private void awaitFirstList() {
        if (informer.hasSynced()) {
            synced = true;
            watched();
            return;
        }
        polls++;
        if (polls == POLLS_BEFORE_WARNING) {
            log.warn(
                    "Kubernetes has not listed its namespaces yet: may this service account list them? Trying on; until"
                            + " then nodes give addresses of pools with a namespace selector as they knew last");
        }
        loop.schedule(SYNC_POLL, this::awaitFirstList);
    }

    private void watched() {
        touchedWhileListing = true;
        if (synced) {
            offer(informer.getStore().list());
        }
    }

    private void offer(List<Namespace> namespaces) {
        Map<String, Map<String, String>> labels = new TreeMap<>();
        namespaces.forEach(namespace -> labels.put(
                namespace.getMetadata().getName(),
                namespace.getMetadata().getLabels() == null
                        ? Map.of()
                        : Map.copyOf(namespace.getMetadata().getLabels())));
        catalog.offer(labels, true);
    }

    /** Lists everything beside the loop. What the watch reported meanwhile may be newer than the list. */
    private void compare() {
        if (!synced || listing) {
            return;
        }
        listing = true;
        touchedWhileListing = false;
        Thread.ofVirtual().name("namespace-list").start(() -> {
            try {
                List<Namespace> listed = client.namespaces().list().getItems();
                loop.execute(() -> {
                    listing = false;
                    if (!touchedWhileListing) {
                        offer(listed);
                    }
                });
            } catch (RuntimeException e) {
                loop.execute(() -> {
                    listing = false;
                    log.warn("listing namespaces failed, trying again: {}", e.toString());
                });
            }
        });
    }

    /** Stops watching; the catalog keeps what it was told. */
    @Override
    public void close() {
        closed = true;
        informer.stop();
        loop.close();
        client.close();
    }
}
