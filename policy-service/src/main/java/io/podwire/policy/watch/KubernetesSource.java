package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.podwire.common.loop.EventLoop;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pods, namespaces and policies of a cluster, by informers. Its loop owns all state; informers only
 * post to it, and {@link #synced} may be read from anywhere.
 *
 * <p>Nothing is reported before every informer has its first list. Watches are known to stop
 * without a word, and a first list after an outage is known to come back empty: so everything is
 * listed and compared every {@link #COMPARE}, a deletion that the watch did not see itself is taken
 * only from such a list, and a list that lost more than half is believed when the next one agrees.
 */
public final class KubernetesSource implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KubernetesSource.class);
    private static final Duration COMPARE = Duration.ofMinutes(5);
    private static final Duration CONFIRM = Duration.ofSeconds(2);
    private static final Duration SYNC_POLL = Duration.ofMillis(50);

    private final KubernetesClient client;
    private final Consumer<ClusterDelta> sink;
    private final Duration confirm;
    private final EventLoop loop = new EventLoop("kubernetes");
    private final SharedIndexInformer<io.fabric8.kubernetes.api.model.Pod> pods;
    private final SharedIndexInformer<io.fabric8.kubernetes.api.model.Namespace> namespaces;
    private final SharedIndexInformer<io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy> policies;
    private final Set<Object> touchedWhileListing = new HashSet<>();
    private ClusterSnapshot known = ClusterSnapshot.EMPTY;
    private boolean listing;
    private boolean listAgain;
    private boolean doubted;
    private volatile boolean synced;
    private volatile boolean closed;

    /** Connects as KUBECONFIG or the in-cluster service account says. */
    public static KubernetesSource connect(Consumer<ClusterDelta> sink) {
        return new KubernetesSource(new KubernetesClientBuilder().build(), sink, COMPARE, CONFIRM);
    }

    /** A source over a client, which it closes. */
    KubernetesSource(KubernetesClient client, Consumer<ClusterDelta> sink, Duration compare, Duration confirm) {
        this.client = client;
        this.sink = sink;
        this.confirm = confirm;
        this.pods = client.pods().inAnyNamespace().runnableInformer(0);
        this.namespaces = client.namespaces().runnableInformer(0);
        this.policies = client.network().v1().networkPolicies().inAnyNamespace().runnableInformer(0);
        start(pods, KubernetesSource::set, pod -> new Change.PodGone(KubernetesMapping.podKey(pod)));
        start(
                namespaces,
                KubernetesSource::set,
                namespace -> new Change.NamespaceGone(namespace.getMetadata().getName()));
        start(policies, KubernetesSource::set, policy -> new Change.PolicyGone(KubernetesMapping.policyKey(policy)));
        loop.schedule(SYNC_POLL, this::awaitFirstLists);
        loop.every(compare, this::compare);
    }

    /** True once everything has been listed and reported. */
    public boolean synced() {
        return synced;
    }

    private <T extends HasMetadata> void start(
            SharedIndexInformer<T> informer, Function<T, Optional<Change>> set, Function<T, Change> gone) {
        // fabric8 logs the failure itself; it must try again until we close.
        informer.exceptionHandler((_, _) -> !closed);
        informer.addEventHandler(new ResourceEventHandler<T>() {
            @Override
            public void onAdd(T object) {
                set.apply(object).ifPresent(change -> loop.execute(() -> watched(change)));
            }

            @Override
            public void onUpdate(T before, T object) {
                onAdd(object);
            }

            @Override
            public void onDelete(T object, boolean deletedFinalStateUnknown) {
                Change change = gone.apply(object);
                loop.execute(() -> {
                    if (deletedFinalStateUnknown) {
                        compare();
                    } else {
                        watched(change);
                    }
                });
            }
        });
        var _ = informer.start();
    }

    private void awaitFirstLists() {
        if (!(pods.hasSynced() && namespaces.hasSynced() && policies.hasSynced())) {
            loop.schedule(SYNC_POLL, this::awaitFirstLists);
            return;
        }
        known = snapshot(
                pods.getStore().list(),
                namespaces.getStore().list(),
                policies.getStore().list());
        synced = true;
        sink.accept(ClusterDelta.ofObjects(ClusterSnapshot.EMPTY, known));
    }

    private void watched(Change change) {
        if (listing) {
            touchedWhileListing.add(keyOf(change));
        }
        if (synced) {
            report(new ClusterDelta(List.of(change)));
        }
    }

    private void report(ClusterDelta delta) {
        ClusterSnapshot next = delta.applyTo(known);
        if (!next.equals(known)) {
            known = next;
            sink.accept(delta);
        }
    }

    /** Lists everything beside the loop, then compares on it. */
    private void compare() {
        if (!synced) {
            return;
        }
        if (listing) {
            listAgain = true;
            return;
        }
        listing = true;
        listAgain = false;
        touchedWhileListing.clear();
        Thread.ofVirtual().name("kubernetes-list").start(() -> {
            try {
                ClusterSnapshot listed = snapshot(
                        client.pods().inAnyNamespace().list().getItems(),
                        client.namespaces().list().getItems(),
                        client.network()
                                .v1()
                                .networkPolicies()
                                .inAnyNamespace()
                                .list()
                                .getItems());
                loop.execute(() -> compareWith(listed));
            } catch (RuntimeException e) {
                loop.execute(() -> {
                    listing = false;
                    log.warn("listing the cluster's objects failed, trying again in {}: {}", confirm, e.toString());
                    loop.schedule(confirm, this::compare);
                });
            }
        });
    }

    private void compareWith(ClusterSnapshot listed) {
        listing = false;
        if (isDoubtful(known, listed) && !doubted) {
            log.warn("a list of the cluster's objects lost more than half of them, asking again in {}", confirm);
            doubted = true;
            loop.schedule(confirm, this::compare);
            return;
        }
        doubted = false;
        // What the watch reported since the list began may be newer than the list.
        List<Change> missed = ClusterDelta.ofObjects(known, listed).changes().stream()
                .filter(change -> !touchedWhileListing.contains(keyOf(change)))
                .toList();
        if (!missed.isEmpty()) {
            log.info("the list of the cluster's objects is {} changes ahead of the watches", missed.size());
            report(new ClusterDelta(missed));
        }
        if (listAgain) {
            compare();
        }
    }

    /** True when a list lost so much that it may be an API server's that has not found itself yet. */
    static boolean isDoubtful(ClusterSnapshot known, ClusterSnapshot listed) {
        return lostMoreThanHalf(known.pods(), listed.pods())
                || lostMoreThanHalf(known.namespaces(), listed.namespaces())
                || lostMoreThanHalf(known.policies(), listed.policies());
    }

    private static boolean lostMoreThanHalf(SortedMap<?, ?> before, SortedMap<?, ?> after) {
        return after.size() * 2 < before.size();
    }

    private static Object keyOf(Change change) {
        return switch (change) {
            case Change.PodSet(var pod) -> pod.key();
            case Change.PodGone(var key) -> key;
            case Change.NamespaceSet(var namespace) -> namespace.name();
            case Change.NamespaceGone(var name) -> name;
            case Change.PolicySet(var policy) -> policy.key();
            case Change.PolicyGone(var key) -> key;
            case Change.NodeSet(var node, var _) -> node;
            case Change.EndpointSet(var node, var _) -> node;
            case Change.EndpointGone(var node, var _) -> node;
        };
    }

    private static ClusterSnapshot snapshot(
            Collection<io.fabric8.kubernetes.api.model.Pod> pods,
            Collection<io.fabric8.kubernetes.api.model.Namespace> namespaces,
            Collection<io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy> policies) {
        SortedMap<PodKey, Pod> byPodKey = new TreeMap<>();
        SortedMap<String, Namespace> byName = new TreeMap<>();
        SortedMap<PolicyKey, NetworkPolicy> byPolicyKey = new TreeMap<>();
        pods.forEach(object -> mapped(object, KubernetesMapping::pod).ifPresent(pod -> byPodKey.put(pod.key(), pod)));
        namespaces.forEach(object -> mapped(object, KubernetesMapping::namespace)
                .ifPresent(namespace -> byName.put(namespace.name(), namespace)));
        policies.forEach(object ->
                mapped(object, KubernetesMapping::policy).ifPresent(policy -> byPolicyKey.put(policy.key(), policy)));
        return new ClusterSnapshot(byPodKey, byName, byPolicyKey, ClusterSnapshot.EMPTY.nodes());
    }

    private static Optional<Change> set(io.fabric8.kubernetes.api.model.Pod object) {
        return mapped(object, KubernetesMapping::pod).map(Change.PodSet::new);
    }

    private static Optional<Change> set(io.fabric8.kubernetes.api.model.Namespace object) {
        return mapped(object, KubernetesMapping::namespace).map(Change.NamespaceSet::new);
    }

    private static Optional<Change> set(io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy object) {
        return mapped(object, KubernetesMapping::policy).map(Change.PolicySet::new);
    }

    /** An object that no API server should have let in is left out: its pod waits, nothing opens. */
    private static <T extends HasMetadata, R> Optional<R> mapped(T object, Function<T, R> mapping) {
        try {
            return Optional.of(mapping.apply(object));
        } catch (IllegalArgumentException e) {
            log.error(
                    "{} {}/{} cannot be understood and is left out: {}",
                    object.getKind(),
                    object.getMetadata().getNamespace(),
                    object.getMetadata().getName(),
                    e.getMessage());
            return Optional.empty();
        }
    }

    /** Stops watching; what was reported stays. */
    @Override
    public void close() {
        closed = true;
        pods.stop();
        namespaces.stop();
        policies.stop();
        loop.close();
        client.close();
    }
}
