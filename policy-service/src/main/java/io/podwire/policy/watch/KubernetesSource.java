package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.APIResourceList;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.KubernetesResourceList;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.dsl.Listable;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pods, namespaces, nodes, policies, Services and EndpointSlices of a cluster, by informers; cluster-wide policies where the
 * cluster has that kind. Its loop owns all state; informers only post to it, and {@link #synced} may be read from anywhere.
 *
 * <p>Nothing is reported before every informer has its first list, and a first list without any object of
 * a kind is asked for twice. Watches are known to stop without a word, and a list after an outage is known
 * to come back empty: so a watch that stands still is begun anew, everything is listed and compared every
 * {@link Pace#compare}, a deletion that the watch did not see itself is taken only from such a list, and a
 * list that lost more than half is believed when the next one agrees.
 */
public final class KubernetesSource implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(KubernetesSource.class);
    /** Objects of a page; more are not in memory at once beside our own records. */
    private static final long PAGE = 500;

    private final KubernetesClient client;
    private final Consumer<ClusterDelta> sink;
    private final Pace pace;
    private final EventLoop loop = new EventLoop("kubernetes");
    private final List<KindWatch<?>> watches;
    private final OptionalKind<GenericKubernetesResource> clusterPolicies;
    private final ClusterPolicyConditions conditions;
    private final Set<Object> touchedWhileListing = new HashSet<>();
    /** What the informers told before the last of them had its first list. */
    private final List<Change> first = new ArrayList<>();

    private ClusterSnapshot known = ClusterSnapshot.EMPTY;
    private boolean complete;
    private boolean listing;
    private boolean listAgain;
    private boolean doubted;
    private volatile boolean synced;

    /**
     * How often it looks.
     *
     * @param compare between two comparisons with a full list
     * @param confirm before a list that is doubted is asked for again
     * @param progress after so long without an event or a bookmark a watch is begun anew
     */
    record Pace(Duration compare, Duration confirm, Duration progress) {
        /** Of a real cluster, whose bookmarks come each minute. */
        static final Pace CLUSTER = new Pace(Duration.ofMinutes(5), Duration.ofSeconds(2), Duration.ofMinutes(3));
    }

    /** Connects as KUBECONFIG or the in-cluster service account says. */
    public static KubernetesSource connect(Consumer<ClusterDelta> sink) {
        return new KubernetesSource(new KubernetesClientBuilder().build(), sink, Pace.CLUSTER);
    }

    /** A source over a client, which it closes. */
    KubernetesSource(KubernetesClient client, Consumer<ClusterDelta> sink, Pace pace) {
        this.client = client;
        this.sink = sink;
        this.pace = pace;
        this.watches = List.of(
                watch(
                        "pods",
                        () -> client.pods().inAnyNamespace().runnableInformer(0),
                        io.fabric8.kubernetes.api.model.Pod::new,
                        KubernetesSource::set,
                        pod -> new Change.PodGone(KubernetesMapping.podKey(pod))),
                watch(
                        "namespaces",
                        () -> client.namespaces().runnableInformer(0),
                        io.fabric8.kubernetes.api.model.Namespace::new,
                        KubernetesSource::set,
                        namespace ->
                                new Change.NamespaceGone(namespace.getMetadata().getName())),
                watch(
                        "networkpolicies",
                        () -> client.network()
                                .v1()
                                .networkPolicies()
                                .inAnyNamespace()
                                .runnableInformer(0),
                        io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy::new,
                        KubernetesSource::set,
                        policy -> new Change.PolicyGone(KubernetesMapping.policyKey(policy))),
                watch(
                        "nodes",
                        () -> client.nodes().runnableInformer(0),
                        io.fabric8.kubernetes.api.model.Node::new,
                        KubernetesSource::set,
                        node -> new Change.ClusterNodeGone(node.getMetadata().getName())),
                watch(
                        "services",
                        () -> client.services().inAnyNamespace().runnableInformer(0),
                        io.fabric8.kubernetes.api.model.Service::new,
                        KubernetesSource::set,
                        service -> new Change.ServiceGone(ServiceMapping.serviceKey(service))),
                watch(
                        "endpointslices",
                        () -> client.discovery()
                                .v1()
                                .endpointSlices()
                                .inAnyNamespace()
                                .runnableInformer(0),
                        io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice::new,
                        KubernetesSource::set,
                        slice -> new Change.SliceGone(ServiceMapping.sliceKey(slice))));
        this.conditions = new ClusterPolicyConditions(client, TimeSource.SYSTEM);
        this.clusterPolicies = new OptionalKind<>(
                loop,
                ClusterPolicyMapping.PLURAL,
                this::hasClusterPolicies,
                pace.confirm,
                watch(
                        ClusterPolicyMapping.PLURAL,
                        () -> client.genericKubernetesResources(ClusterPolicyMapping.CONTEXT)
                                .runnableInformer(0),
                        GenericKubernetesResource::new,
                        object -> clusterPolicy(object).map(Change.ClusterPolicySet::new),
                        policy -> new Change.ClusterPolicyGone(ClusterPolicyMapping.name(policy))),
                this::listed);
        loop.execute(() -> {
            watches.forEach(KindWatch::begin);
            clusterPolicies.begin();
        });
        loop.every(pace.compare, this::compare);
        loop.every(pace.progress.dividedBy(4), () -> {
            watches.forEach(watch -> watch.look(pace.progress));
            clusterPolicies.look(pace.progress);
        });
    }

    /** True once everything has been listed and reported. */
    public boolean synced() {
        return synced;
    }

    private <T extends HasMetadata> KindWatch<T> watch(
            String kind,
            Supplier<SharedIndexInformer<T>> make,
            Supplier<T> bare,
            Function<T, Optional<Change>> set,
            Function<T, Change> gone) {
        return new KindWatch<>(
                loop, TimeSource.SYSTEM, kind, make, bare, set, gone, this::watched, this::listed, this::compare);
    }

    /** A kind has its first list. */
    private void listed() {
        // Of a kind that comes to the cluster later, the watch has reported every object already.
        if (complete || !clusterPolicies.complete() || !watches.stream().allMatch(KindWatch::complete)) {
            return;
        }
        complete = true;
        known = new ClusterDelta(first).applyTo(ClusterSnapshot.EMPTY);
        first.clear();
        if (known.pods().isEmpty()
                || known.namespaces().isEmpty()
                || known.policies().isEmpty()
                || known.clusterNodes().isEmpty()
                || known.services().isEmpty()
                || known.slices().isEmpty()
                || (clusterPolicies.present() && known.clusterPolicies().isEmpty())) {
            // Believed when another list agrees: without policies everything would be open.
            doubted = true;
            loop.schedule(pace.confirm, this::compare);
        } else {
            reportFirst();
        }
    }

    /** Asks the API server; not on the loop. */
    private boolean hasClusterPolicies() {
        APIResourceList resources = client.getApiResources(ClusterPolicyMapping.API_VERSION);
        return resources != null
                && resources.getResources().stream()
                        .anyMatch(resource -> ClusterPolicyMapping.PLURAL.equals(resource.getName()));
    }

    private void reportFirst() {
        synced = true;
        sink.accept(ClusterDelta.ofObjects(ClusterSnapshot.EMPTY, known));
    }

    private void watched(Change change) {
        if (listing) {
            touchedWhileListing.add(keyOf(change));
        }
        if (complete) {
            report(new ClusterDelta(List.of(change)));
        } else {
            first.add(change);
        }
    }

    private void report(ClusterDelta delta) {
        ClusterSnapshot next = delta.applyTo(known);
        if (!next.equals(known)) {
            known = next;
            if (synced) {
                sink.accept(delta);
            }
        }
    }

    /** Lists everything beside the loop, then compares on it. */
    private void compare() {
        if (!complete) {
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
                ClusterSnapshot listed = list();
                loop.execute(() -> compareWith(listed));
            } catch (RuntimeException e) {
                loop.execute(() -> {
                    listing = false;
                    log.warn(
                            "listing the cluster's objects failed, trying again in {}: {}", pace.confirm, e.toString());
                    loop.schedule(pace.confirm, this::compare);
                });
            }
        });
    }

    private void compareWith(ClusterSnapshot listed) {
        listing = false;
        if (isDoubtful(known, listed) && !doubted) {
            log.warn("a list of the cluster's objects lost more than half of them, asking again in {}", pace.confirm);
            doubted = true;
            loop.schedule(pace.confirm, this::compare);
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
        if (!synced) {
            reportFirst();
        }
        if (listAgain) {
            compare();
        }
    }

    /** True when a list lost so much that it may be an API server's that has not found itself yet. */
    static boolean isDoubtful(ClusterSnapshot known, ClusterSnapshot listed) {
        return lostMoreThanHalf(known.pods(), listed.pods())
                || lostMoreThanHalf(known.namespaces(), listed.namespaces())
                || lostMoreThanHalf(known.policies(), listed.policies())
                || lostMoreThanHalf(known.clusterPolicies(), listed.clusterPolicies())
                || lostMoreThanHalf(known.clusterNodes(), listed.clusterNodes())
                || lostMoreThanHalf(known.services(), listed.services())
                || lostMoreThanHalf(known.slices(), listed.slices());
    }

    private static boolean lostMoreThanHalf(SortedMap<?, ?> before, SortedMap<?, ?> after) {
        return after.size() * 2 < before.size();
    }

    /** Tells objects of one name apart that are of several kinds. */
    private record OfCluster(String kind, String name) {}

    private static Object keyOf(Change change) {
        return switch (change) {
            case Change.PodSet(var pod) -> pod.key();
            case Change.PodGone(var key) -> key;
            case Change.NamespaceSet(var namespace) -> namespace.name();
            case Change.NamespaceGone(var name) -> name;
            case Change.PolicySet(var policy) -> policy.key();
            case Change.PolicyGone(var key) -> key;
            case Change.ClusterPolicySet(var policy) -> new OfCluster("policy", policy.name());
            case Change.ClusterPolicyGone(var name) -> new OfCluster("policy", name);
            case Change.ClusterNodeSet(var node) -> new OfCluster("node", node.name());
            case Change.ClusterNodeGone(var name) -> new OfCluster("node", name);
            case Change.ServiceSet(var service) -> service.key();
            case Change.ServiceGone(var key) -> key;
            case Change.SliceSet(var slice) -> slice.key();
            case Change.SliceGone(var key) -> key;
            case Change.NodeSet(var node, var _) -> node;
            case Change.EndpointSet(var node, var _) -> node;
            case Change.EndpointGone(var node, var _) -> node;
        };
    }

    private ClusterSnapshot list() {
        SortedMap<PodKey, Pod> pods = new TreeMap<>();
        SortedMap<String, Namespace> namespaces = new TreeMap<>();
        SortedMap<PolicyKey, NetworkPolicy> policies = new TreeMap<>();
        pages(
                client.pods().inAnyNamespace(),
                object -> mapped(object, KubernetesMapping::pod).ifPresent(pod -> pods.put(pod.key(), pod)));
        pages(
                client.namespaces(),
                object -> mapped(object, KubernetesMapping::namespace)
                        .ifPresent(namespace -> namespaces.put(namespace.name(), namespace)));
        pages(
                client.network().v1().networkPolicies().inAnyNamespace(),
                object -> mapped(object, KubernetesMapping::policy)
                        .ifPresent(policy -> policies.put(policy.key(), policy)));
        SortedMap<String, ClusterNode> nodes = new TreeMap<>();
        pages(
                client.nodes(),
                object -> mapped(object, KubernetesMapping::node).ifPresent(node -> nodes.put(node.name(), node)));
        SortedMap<ServiceKey, Service> services = new TreeMap<>();
        pages(
                client.services().inAnyNamespace(),
                object -> mapped(object, ServiceMapping::service)
                        .ifPresent(service -> services.put(service.key(), service)));
        SortedMap<SliceKey, EndpointSlice> slices = new TreeMap<>();
        pages(
                client.discovery().v1().endpointSlices().inAnyNamespace(),
                object -> mapped(object, ServiceMapping::slice)
                        .flatMap(slice -> slice)
                        .ifPresent(slice -> slices.put(slice.key(), slice)));
        SortedMap<String, ClusterPolicy> ofCluster = new TreeMap<>();
        if (hasClusterPolicies()) {
            pages(
                    client.genericKubernetesResources(ClusterPolicyMapping.CONTEXT),
                    object -> clusterPolicy(object).ifPresent(policy -> ofCluster.put(policy.name(), policy)));
        }
        return new ClusterSnapshot(
                pods, namespaces, policies, ofCluster, nodes, services, slices, ClusterSnapshot.EMPTY.nodes());
    }

    private static <T extends HasMetadata, L extends KubernetesResourceList<T>> void pages(
            Listable<L> kind, Consumer<T> each) {
        String next = "";
        do {
            L page = kind.list(new ListOptionsBuilder()
                    .withLimit(PAGE)
                    .withContinue(next.isEmpty() ? null : next)
                    .build());
            page.getItems().forEach(each);
            String more = page.getMetadata() == null ? null : page.getMetadata().getContinue();
            next = more == null ? "" : more;
        } while (!next.isEmpty());
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

    private static Optional<Change> set(io.fabric8.kubernetes.api.model.Node object) {
        return mapped(object, KubernetesMapping::node).map(Change.ClusterNodeSet::new);
    }

    private static Optional<Change> set(io.fabric8.kubernetes.api.model.Service object) {
        return mapped(object, ServiceMapping::service).map(Change.ServiceSet::new);
    }

    /** One that is no Service's any more is gone. */
    private static Optional<Change> set(io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice object) {
        return mapped(object, ServiceMapping::slice)
                .map(slice -> slice.<Change>map(Change.SliceSet::new)
                        .orElseGet(() -> new Change.SliceGone(ServiceMapping.sliceKey(object))));
    }

    /** Its status is looked at as well. */
    private Optional<ClusterPolicy> clusterPolicy(GenericKubernetesResource object) {
        Optional<ClusterPolicy> policy = mapped(object, ClusterPolicyMapping::policy);
        policy.ifPresent(found -> conditions.look(object, found));
        return policy;
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
        var _ = loop.submit(() -> {
                    watches.forEach(KindWatch::close);
                    clusterPolicies.close();
                    return true;
                })
                .completeOnTimeout(false, 5, TimeUnit.SECONDS)
                .join();
        loop.close();
        conditions.close();
        client.close();
    }
}
