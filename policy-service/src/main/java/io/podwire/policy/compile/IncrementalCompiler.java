package io.podwire.policy.compile;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.Kind.Placed;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The programs that {@link PolicyCompiler#compile} defines, kept up to date change by change: after any sequence of
 * changes they are equal to those of the snapshot that it leads to. What a change costs depends on what it touches, not
 * on the size of the cluster. One thread uses it.
 */
public final class IncrementalCompiler {
    private final UndeclaredPods undeclared;
    private final LiveKinds live;
    private final Map<PodKey, Pod> pods = new HashMap<>();
    private final Map<NodeName, SortedMap<String, Endpoint>> nodes = new HashMap<>();
    private final Map<PodKey, Map<Attached, Endpoint>> endpointsOfPod = new HashMap<>();
    /** How many endpoints have an address. */
    private final Map<IpAddress, Integer> attached = new HashMap<>();
    /** Pods whose status has an address. */
    private final Map<IpAddress, Set<PodKey>> claims = new HashMap<>();
    /** By the name of their nodes; "" has those that have none. */
    private final Map<String, Set<PodKey>> podsByNode = new HashMap<>();

    private final Map<PodKey, List<Placed>> placed = new HashMap<>();
    /** Namespaces that pods may come to without being declared: how many objects speak of each. */
    private final SortedMap<String, Integer> spokenOf = new TreeMap<>();

    private final Map<NodeName, LiveProgram> programs = new HashMap<>();
    /** Those of {@link #programs} that something has happened to. */
    private final Set<NodeName> concerned = new HashSet<>();
    /** Pods that are to be looked at when all changes are in. */
    private final Set<PodKey> touched = new HashSet<>();

    /** Where an endpoint is. */
    private record Attached(NodeName node, String key) {}

    IncrementalCompiler(UndeclaredPods undeclared) {
        this.undeclared = undeclared;
        this.live = new LiveKinds(undeclared);
    }

    /** Takes these changes in; true when one of them was news. */
    public boolean apply(ClusterDelta delta) {
        boolean news = false;
        for (Change change : delta.changes()) {
            if (!isNews(change)) {
                continue;
            }
            news = true;
            switch (change) {
                case Change.PodSet(var pod) -> podSet(pod);
                case Change.PodGone(var key) -> podGone(key);
                case Change.NamespaceSet(var namespace) ->
                    speak(namespace.name(), live.namespaceSet(namespace) ? 1 : 0);
                case Change.NamespaceGone(var name) -> speak(name, live.namespaceGone(name) ? -1 : 0);
                case Change.PolicySet(var policy) -> speak(policy.key().namespace(), live.policySet(policy) ? 1 : 0);
                case Change.PolicyGone(var key) -> speak(key.namespace(), live.policyGone(key) ? -1 : 0);
                case Change.ClusterPolicySet(var policy) -> live.clusterPolicySet(policy);
                case Change.ClusterPolicyGone(var name) -> live.clusterPolicyGone(name);
                case Change.ClusterNodeSet(var node) -> live.clusterNodeSet(node);
                case Change.ClusterNodeGone(var name) -> live.clusterNodeGone(name);
                case Change.NodeSet(NodeName node, Map<String, Endpoint> endpoints) -> nodeSet(node, endpoints);
                case Change.EndpointSet(NodeName node, Endpoint endpoint) -> endpointSet(node, endpoint);
                case Change.EndpointGone(NodeName node, String key) -> {
                    introduce(node);
                    endpointGone(node, key);
                }
                case Change.OfServices _ -> {}
            }
        }
        touched.forEach(this::look);
        touched.clear();
        return news;
    }

    private boolean isNews(Change change) {
        return switch (change) {
            case Change.OfServices _ -> false;
            case Change.PodSet(var pod) -> !pod.equals(pods.get(pod.key()));
            case Change.PodGone(var key) -> pods.containsKey(key);
            case Change.NamespaceSet(var namespace) -> !live.has(namespace);
            case Change.NamespaceGone(var name) -> live.hasNamespace(name);
            case Change.PolicySet(var policy) -> !live.has(policy);
            case Change.PolicyGone(var key) -> live.hasPolicy(key);
            case Change.ClusterPolicySet(var policy) -> !live.has(policy);
            case Change.ClusterPolicyGone(var name) -> live.hasClusterPolicy(name);
            case Change.ClusterNodeSet(var node) -> !live.has(node);
            case Change.ClusterNodeGone(var name) -> live.hasClusterNode(name);
            case Change.NodeSet(NodeName node, Map<String, Endpoint> endpoints) -> !endpoints.equals(nodes.get(node));
            case Change.EndpointSet(NodeName node, Endpoint endpoint) ->
                !nodes.containsKey(node) || !endpoint.equals(nodes.get(node).get(endpoint.key()));
            case Change.EndpointGone(NodeName node, String key) ->
                !nodes.containsKey(node) || nodes.get(node).containsKey(key);
        };
    }

    /** What the node must enforce now; the same object while that is the same. */
    public NodeProgram program(NodeName node) {
        return settled(node).program();
    }

    /**
     * What has changed in the node's program since the last call, or since nothing was in it. It costs as much as has
     * changed: what no change concerns is not looked at.
     */
    public ProgramChange changes(NodeName node) {
        ProgramChange changes = settled(node).take();
        concerned.remove(node);
        return changes;
    }

    /** Nodes whose {@link #changes} may be some, in no order; nodes that nobody has asked about are not among them. */
    public Set<NodeName> concerned() {
        return Set.copyOf(concerned);
    }

    private LiveProgram settled(NodeName node) {
        LiveProgram program = programs.computeIfAbsent(node, name -> new LiveProgram(() -> concerned.add(name)));
        if (!program.settle(live)) {
            program.make(content(node), live);
        }
        return program;
    }

    /** Names of nodes that pods are on, or are to come to. */
    public Set<String> nodesOfPods() {
        Set<String> names = new HashSet<>(podsByNode.keySet());
        names.remove("");
        return names;
    }

    /** A node's endpoints by their keys, a view; empty for one that has not come. */
    public Map<String, Endpoint> endpoints(NodeName node) {
        return Collections.unmodifiableMap(nodes.getOrDefault(node, Collections.emptySortedMap()));
    }

    /** How many kinds of pods it tells apart. */
    public int kinds() {
        return live.kinds();
    }

    /** How many peers the rules of its programs name. */
    public int peers() {
        return live.peers();
    }

    private void podSet(Pod pod) {
        Pod before = pods.put(pod.key(), pod);
        if (!pod.equals(before)) {
            if (before != null) {
                unindex(before);
            }
            pod.addresses()
                    .forEach(address -> claims.computeIfAbsent(address, _ -> new HashSet<>())
                            .add(pod.key()));
            podsByNode.computeIfAbsent(pod.node(), _ -> new TreeSet<>()).add(pod.key());
            podChanged(pod);
        }
    }

    private void podGone(PodKey key) {
        Pod before = pods.remove(key);
        if (before != null) {
            unindex(before);
            podChanged(before);
        }
    }

    private void unindex(Pod pod) {
        pod.addresses().forEach(address -> removeFrom(claims, address, pod.key()));
        removeFrom(podsByNode, pod.node(), pod.key());
        outdateNodeOf(pod);
    }

    private void podChanged(Pod pod) {
        touched.add(pod.key());
        outdateNodeOf(pod);
        endpointsOfPod.getOrDefault(pod.key(), Map.of()).keySet().forEach(at -> outdate(at.node()));
    }

    /** Where the pod is expected. */
    private void outdateNodeOf(Pod pod) {
        if (!pod.node().isEmpty()) {
            outdate(new NodeName(pod.node()));
        } else if (undeclared == UndeclaredPods.DEFAULT) {
            programs.values().forEach(LiveProgram::policiesChanged);
        }
    }

    private void outdate(NodeName node) {
        LiveProgram program = programs.get(node);
        if (program != null) {
            program.policiesChanged();
        }
    }

    private void nodeSet(NodeName node, Map<String, Endpoint> endpoints) {
        introduce(node);
        List.copyOf(nodes.get(node).keySet()).stream()
                .filter(key -> !endpoints.containsKey(key))
                .forEach(key -> endpointGone(node, key));
        endpoints.values().forEach(endpoint -> endpointSet(node, endpoint));
    }

    /** A node that speaks names its pods: those that it does not name have no addresses from then on. */
    private void introduce(NodeName node) {
        if (nodes.putIfAbsent(node, new TreeMap<>()) == null) {
            touched.addAll(podsByNode.getOrDefault(node.value(), Set.of()));
        }
    }

    private void endpointSet(NodeName node, Endpoint endpoint) {
        introduce(node);
        if (endpoint.equals(nodes.get(node).get(endpoint.key()))) {
            return;
        }
        endpointGone(node, endpoint.key());
        nodes.get(node).put(endpoint.key(), endpoint);
        endpointsOfPod
                .computeIfAbsent(endpoint.pod(), _ -> new HashMap<>())
                .put(new Attached(node, endpoint.key()), endpoint);
        endpoint.addresses().forEach(address -> {
            if (attached.merge(address, 1, Integer::sum) == 1) {
                touched.addAll(claims.getOrDefault(address, Set.of()));
            }
        });
        touched.add(endpoint.pod());
        outdate(node);
    }

    private void endpointGone(NodeName node, String key) {
        Endpoint before = nodes.get(node).remove(key);
        if (before == null) {
            return;
        }
        Map<Attached, Endpoint> ofPod = endpointsOfPod.get(before.pod());
        ofPod.remove(new Attached(node, key));
        if (ofPod.isEmpty()) {
            endpointsOfPod.remove(before.pod());
        }
        before.addresses().forEach(address -> {
            if (attached.merge(address, -1, Integer::sum) == 0) {
                attached.remove(address);
                touched.addAll(claims.getOrDefault(address, Set.of()));
            }
        });
        touched.add(before.pod());
        outdate(node);
    }

    private void speak(String namespace, int more) {
        if (undeclared == UndeclaredPods.DEFAULT && more != 0) {
            int before = spokenOf.getOrDefault(namespace, 0);
            int now = before + more;
            if (now == 0) {
                spokenOf.remove(namespace);
            } else {
                spokenOf.put(namespace, now);
            }
            if (before == 0 || now == 0) {
                programs.values().forEach(LiveProgram::policiesChanged);
            }
        }
    }

    /** What policies can see of the pods of that name: as {@link Cluster} has it. */
    private void look(PodKey key) {
        Pod pod = pods.get(key);
        Collection<Endpoint> endpoints =
                endpointsOfPod.getOrDefault(key, Map.of()).values();
        List<Placed> before = placed.getOrDefault(key, List.of());
        List<Placed> now = new ArrayList<>();
        // Those that come are in before those that go are out, so that nothing is dropped and made again.
        if (pod != null && !pod.hostNetwork()) {
            now.add(place(kindOf(pod), addresses(pod, endpoints)));
        }
        if (undeclared == UndeclaredPods.DEFAULT) {
            endpoints.stream()
                    .filter(endpoint -> pod == null || !endpoint.belongsTo(pod))
                    .forEach(endpoint -> now.add(place(unlabelled(key.namespace()), endpoint.addresses())));
        }
        before.forEach(old -> {
            live.displace(old);
            speak(key.namespace(), -1);
        });
        if (now.isEmpty()) {
            placed.remove(key);
        } else {
            placed.put(key, now);
        }
    }

    private Placed place(Kind.Key kind, Set<IpAddress> addresses) {
        speak(kind.namespace(), 1);
        return live.place(live.kind(kind), addresses);
    }

    private Set<IpAddress> addresses(Pod pod, Collection<Endpoint> endpoints) {
        Set<IpAddress> addresses = new HashSet<>();
        if (!pod.terminated()) {
            endpoints.stream()
                    .filter(endpoint -> endpoint.belongsTo(pod))
                    .forEach(endpoint -> addresses.addAll(endpoint.addresses()));
            if (addresses.isEmpty() && !nodeSpeaks(pod)) {
                addresses.addAll(pod.addresses());
                addresses.removeIf(attached::containsKey);
            }
        }
        return addresses;
    }

    private boolean nodeSpeaks(Pod pod) {
        return !pod.node().isEmpty() && nodes.containsKey(new NodeName(pod.node()));
    }

    private LiveProgram.Content content(NodeName node) {
        SortedMap<String, Kind> endpoints = new TreeMap<>();
        nodes.getOrDefault(node, new TreeMap<>())
                .forEach((key, endpoint) -> judgedAs(endpoint).ifPresent(kind -> endpoints.put(key, live.kind(kind))));
        SortedMap<PodKey, LiveProgram.Expected> expected = new TreeMap<>();
        podsByNode.getOrDefault(node.value(), Set.of()).forEach(key -> expect(expected, pods.get(key)));
        if (undeclared == UndeclaredPods.DEFAULT) {
            podsByNode.getOrDefault("", Set.of()).forEach(key -> expect(expected, pods.get(key)));
            spokenOf.keySet()
                    .forEach(name -> expected.put(
                            new PodKey(name, ""), new LiveProgram.Expected("", live.kind(unlabelled(name)))));
        }
        return new LiveProgram.Content(endpoints, expected);
    }

    private void expect(SortedMap<PodKey, LiveProgram.Expected> expected, Pod pod) {
        if (!pod.hostNetwork() && !pod.terminated()) {
            expected.put(pod.key(), new LiveProgram.Expected(pod.uid(), live.kind(kindOf(pod))));
        }
    }

    private Optional<Kind.Key> judgedAs(Endpoint endpoint) {
        Pod pod = pods.get(endpoint.pod());
        if (pod != null && endpoint.belongsTo(pod)) {
            return pod.hostNetwork() ? Optional.empty() : Optional.of(kindOf(pod));
        }
        return switch (undeclared) {
            case WAIT -> Optional.empty();
            case DEFAULT -> Optional.of(unlabelled(endpoint.pod().namespace()));
        };
    }

    private static Kind.Key kindOf(Pod pod) {
        return new Kind.Key(pod.key().namespace(), pod.labels(), pod.namedPorts());
    }

    private static Kind.Key unlabelled(String namespace) {
        return new Kind.Key(namespace, Map.of(), List.of());
    }

    private static <K, V> void removeFrom(Map<K, Set<V>> map, K key, V value) {
        Set<V> values = Objects.requireNonNull(map.get(key));
        values.remove(value);
        if (values.isEmpty()) {
            map.remove(key);
        }
    }
}
