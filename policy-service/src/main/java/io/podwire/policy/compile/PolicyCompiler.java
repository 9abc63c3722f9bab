package io.podwire.policy.compile;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.Cluster.Subject;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The definition of what policies mean (networking.k8s.io/v1, policy.networking.k8s.io/v1alpha2): a pure
 * function, obvious rather than fast. A direction of a pod is isolated when a policy of its namespace
 * selects it for that direction; then the union of those policies' rules passes. Cluster-wide policies
 * decide before that (tier ADMIN), and where no policy isolates the pod (tier BASELINE).
 */
public final class PolicyCompiler {
    private final UndeclaredPods undeclared;

    /** A compiler. */
    public PolicyCompiler(UndeclaredPods undeclared) {
        this.undeclared = undeclared;
    }

    /** The same for one who tells it every change: equal programs, at the cost of what has changed. */
    public IncrementalCompiler incremental() {
        return new IncrementalCompiler(undeclared);
    }

    /** What the node must enforce; equal snapshots give equal programs. */
    public NodeProgram compile(ClusterSnapshot snapshot, NodeName node) {
        Cluster cluster = new Cluster(snapshot, undeclared);
        Compilation compilation = new Compilation(snapshot, cluster);
        SortedMap<String, EndpointPolicy> endpoints = new TreeMap<>();
        snapshot.nodes()
                .getOrDefault(node, Map.of())
                .forEach((key, endpoint) -> cluster.judgedAs(endpoint)
                        .ifPresent(pod -> endpoints.put(
                                key,
                                new EndpointPolicy(
                                        key,
                                        compilation.direction(Direction.INGRESS, pod),
                                        compilation.direction(Direction.EGRESS, pod)))));
        SortedMap<PodKey, Subject> expected = new TreeMap<>();
        SortedMap<PodKey, ExpectedPod> policies = new TreeMap<>();
        cluster.expectedOn(node).forEach(pod -> expected.put(pod.key(), pod));
        expected.forEach((key, pod) -> policies.put(key, compilation.expected(pod, uid(snapshot, key))));
        // Only now every set is known that an address can belong to.
        policies.replaceAll((key, policy) -> compilation.withSets(policy, expected.get(key)));
        return new NodeProgram(endpoints, compilation.sets, policies);
    }

    /** Empty for those that no object declares. */
    private static String uid(ClusterSnapshot snapshot, PodKey key) {
        Pod object = snapshot.pods().get(key);
        return object == null ? "" : object.uid();
    }

    /** How many living pods each of these policies selects. */
    public Map<PolicyKey, Integer> selectedPods(ClusterSnapshot snapshot, Collection<NetworkPolicy> policies) {
        Cluster cluster = new Cluster(snapshot, undeclared);
        Map<PolicyKey, Integer> out = new TreeMap<>();
        policies.forEach(policy -> out.put(policy.key(), (int) cluster.subjects().stream()
                .filter(pod -> !pod.terminated() && selects(policy, pod))
                .count()));
        return out;
    }

    /** The same of cluster-wide policies, by name. */
    public Map<String, Integer> subjects(ClusterSnapshot snapshot, Collection<ClusterPolicy> policies) {
        Cluster cluster = new Cluster(snapshot, undeclared);
        Map<String, Integer> out = new TreeMap<>();
        policies.forEach(policy -> out.put(policy.name(), (int) cluster.pods(policy.subject()).stream()
                .filter(pod -> !pod.terminated())
                .count()));
        return out;
    }

    /** The nodes that have living pods which each of these policies selects, sorted. */
    public Map<PolicyKey, List<String>> selectedNodes(ClusterSnapshot snapshot, Collection<NetworkPolicy> policies) {
        Cluster cluster = new Cluster(snapshot, undeclared);
        Map<PodKey, String> nodes = nodesOfPods(snapshot);
        Map<PolicyKey, List<String>> out = new TreeMap<>();
        policies.forEach(policy ->
                out.put(policy.key(), nodesOf(cluster.subjects().stream().filter(pod -> selects(policy, pod)), nodes)));
        return out;
    }

    /** The same of cluster-wide policies, by name. */
    public Map<String, List<String>> subjectNodes(ClusterSnapshot snapshot, Collection<ClusterPolicy> policies) {
        Cluster cluster = new Cluster(snapshot, undeclared);
        Map<PodKey, String> nodes = nodesOfPods(snapshot);
        Map<String, List<String>> out = new TreeMap<>();
        policies.forEach(policy -> out.put(policy.name(), nodesOf(cluster.pods(policy.subject()).stream(), nodes)));
        return out;
    }

    private static Map<PodKey, String> nodesOfPods(ClusterSnapshot snapshot) {
        Map<PodKey, String> nodes = new HashMap<>();
        snapshot.pods().values().forEach(pod -> nodes.put(pod.key(), pod.node()));
        snapshot.nodes()
                .forEach((node, endpoints) ->
                        endpoints.values().forEach(endpoint -> nodes.put(endpoint.pod(), node.value())));
        return nodes;
    }

    private static List<String> nodesOf(Stream<Subject> pods, Map<PodKey, String> nodes) {
        return pods.filter(pod -> !pod.terminated())
                .map(pod -> nodes.getOrDefault(pod.key(), ""))
                .filter(node -> !node.isEmpty())
                .distinct()
                .sorted()
                .toList();
    }

    private static boolean selects(NetworkPolicy policy, Subject pod) {
        return policy.key().namespace().equals(pod.key().namespace())
                && policy.podSelector().matches(pod.labels());
    }

    /** One node's program in the making; gathers the sets that its rules name. */
    private static final class Compilation implements DirectionRules.PeerSets {
        private final ClusterSnapshot snapshot;
        private final Cluster cluster;
        private final SortedMap<String, AddressSet> sets = new TreeMap<>();
        private final Map<Peer, AddressSet> setOfPeer = new HashMap<>();
        private final Map<String, PortOfPeer> setsOfPort = new HashMap<>();

        /** The peer's pods that give a named port that number. */
        private record PortOfPeer(Peer peer, PolicyPort.Named port, int number) {}

        Compilation(ClusterSnapshot snapshot, Cluster cluster) {
            this.snapshot = snapshot;
            this.cluster = cluster;
        }

        ExpectedPod expected(Subject pod, String uid) {
            return new ExpectedPod(
                    pod.key(), uid, direction(Direction.INGRESS, pod), direction(Direction.EGRESS, pod), List.of());
        }

        /** The same with the sets that hold it by its labels. Whether a block does, its address will tell. */
        ExpectedPod withSets(ExpectedPod expected, Subject pod) {
            List<String> ids = new ArrayList<>();
            setOfPeer.forEach((peer, set) -> {
                if (sets.containsKey(set.id()) && holdsByLabels(peer, pod)) {
                    ids.add(set.id());
                }
            });
            setsOfPort.forEach((id, port) -> {
                if (holdsByLabels(port.peer(), pod)
                        && DirectionRules.resolve(port.port(), pod.namedPorts())
                                .anyMatch(number -> number == port.number())) {
                    ids.add(id);
                }
            });
            ids.sort(null);
            return new ExpectedPod(expected.pod(), expected.uid(), expected.ingress(), expected.egress(), ids);
        }

        private boolean holdsByLabels(Peer peer, Subject pod) {
            return switch (peer) {
                case Peer.InNamespace _, Peer.InNamespaces _ -> cluster.holds(peer, pod);
                case Peer.Block _, Peer.Nodes _, Peer.Networks _ -> false;
            };
        }

        DirectionPolicy direction(Direction direction, Subject pod) {
            List<NetworkPolicy> isolating = snapshot.policies().values().stream()
                    .filter(policy -> policy.directions().contains(direction) && selects(policy, pod))
                    .toList();
            List<ClusterPolicy> judging =
                    TierRules.judging(snapshot.clusterPolicies().values(), cluster.namespaceOf(pod), pod.labels());
            return DirectionRules.of(direction, pod.namedPorts(), isolating, judging, this);
        }

        @Override
        public String setOf(Peer peer) {
            return named(addresses(peer));
        }

        @Override
        public SortedMap<Integer, String> setsOf(Peer peer, PolicyPort.Named port) {
            SortedMap<Integer, List<Subject>> podsByNumber = new TreeMap<>();
            cluster.pods(peer)
                    .forEach(pod -> DirectionRules.resolve(port, pod.namedPorts())
                            .forEach(number -> podsByNumber
                                    .computeIfAbsent(number, _ -> new ArrayList<>())
                                    .add(pod)));
            SortedMap<Integer, String> ids = new TreeMap<>();
            podsByNumber.forEach((number, pods) -> {
                String id =
                        named(AddressSet.of(DirectionRules.definition(peer, port, number), destinations(peer, pods)));
                setsOfPort.put(id, new PortOfPeer(peer, port, number));
                ids.put(number, id);
            });
            return ids;
        }

        /** Addresses of these pods that the peer covers: a block may hold only some of a pod's. */
        private List<IpPrefix> destinations(Peer peer, List<Subject> pods) {
            AddressSet covered = addresses(peer);
            return Cluster.addressesOf(pods).stream()
                    .filter(host -> covered.cidrs().stream().anyMatch(cidr -> cidr.contains(host)))
                    .toList();
        }

        private AddressSet addresses(Peer peer) {
            return setOfPeer.computeIfAbsent(peer, p -> AddressSet.of(p.toString(), cluster.addresses(p)));
        }

        private String named(AddressSet set) {
            sets.put(set.id(), set);
            return set.id();
        }
    }
}
