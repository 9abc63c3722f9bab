package io.podwire.policy.compile;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.Cluster.Subject;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.NamedPort;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.model.PolicyRule;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The definition of what policies mean (networking.k8s.io/v1): a pure function, obvious rather than
 * fast. A direction of a pod is isolated when a policy of its namespace selects it for that
 * direction; then the union of those policies' rules passes.
 */
public final class PolicyCompiler {
    /** Who a named port of an egress rule without peers can mean: only pods name their ports. */
    private static final Peer EVERY_POD = new Peer.InNamespaces(LabelSelector.EVERYTHING, LabelSelector.EVERYTHING);

    private final UndeclaredPods undeclared;

    /** A compiler. */
    public PolicyCompiler(UndeclaredPods undeclared) {
        this.undeclared = undeclared;
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

    private static boolean selects(NetworkPolicy policy, Subject pod) {
        return policy.key().namespace().equals(pod.key().namespace())
                && policy.podSelector().matches(pod.labels());
    }

    /** One node's program in the making; gathers the sets that its rules name. */
    private static final class Compilation {
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
                        && resolve(port.port(), pod).anyMatch(number -> number == port.number())) {
                    ids.add(id);
                }
            });
            ids.sort(null);
            return new ExpectedPod(expected.pod(), expected.uid(), expected.ingress(), expected.egress(), ids);
        }

        private boolean holdsByLabels(Peer peer, Subject pod) {
            return !(peer instanceof Peer.Block) && cluster.holds(peer, pod);
        }

        DirectionPolicy direction(Direction direction, Subject pod) {
            List<NetworkPolicy> isolating = snapshot.policies().values().stream()
                    .filter(policy -> policy.directions().contains(direction) && selects(policy, pod))
                    .toList();
            List<Rule> rules = isolating.stream()
                    .flatMap(
                            policy -> IntStream.range(0, policy.rules(direction).size())
                                    .boxed()
                                    .flatMap(index -> rules(direction, pod, policy, index)))
                    .toList();
            return new DirectionPolicy(
                    !isolating.isEmpty(),
                    rules,
                    isolating.stream().map(policy -> policy.key().toString()).toList());
        }

        private Stream<Rule> rules(Direction direction, Subject pod, NetworkPolicy policy, int index) {
            PolicyRule rule = policy.rules(direction).get(index);
            String name = policy.key().toString();
            boolean anyPeer = rule.peers().isEmpty();
            List<PortRange> ports = numberedPorts(direction, pod, rule);
            List<Rule> out = new ArrayList<>();
            if (rule.ports().isEmpty() || !ports.isEmpty()) {
                List<String> peers = rule.peers().stream()
                        .map(this::setOf)
                        .map(this::named)
                        .distinct()
                        .sorted()
                        .toList();
                out.add(new Rule(name, index, anyPeer, peers, rule.ports().isEmpty(), ports));
            }
            if (direction == Direction.EGRESS) {
                rule.ports().stream()
                        .filter(PolicyPort.Named.class::isInstance)
                        .map(PolicyPort.Named.class::cast)
                        .distinct()
                        .flatMap(port -> byResolvedPort(name, index, rule, port))
                        .forEach(out::add);
            }
            return out.stream();
        }

        /** Ports that are numbers for every peer: to this pod, its own named ports are. */
        private static List<PortRange> numberedPorts(Direction direction, Subject pod, PolicyRule rule) {
            return rule.ports().stream()
                    .flatMap(port -> switch (port) {
                        case PolicyPort.Range(Protocol protocol, int first, int last) ->
                            Stream.of(new PortRange(protocol, first, last));
                        case PolicyPort.Named named ->
                            switch (direction) {
                                case INGRESS ->
                                    resolve(named, pod)
                                            .mapToObj(number -> new PortRange(named.protocol(), number, number));
                                case EGRESS -> Stream.empty();
                            };
                    })
                    .distinct()
                    .toList();
        }

        /** A named port in egress: one rule for each number, to the peers that give it that number. */
        private Stream<Rule> byResolvedPort(String policy, int index, PolicyRule rule, PolicyPort.Named port) {
            SortedMap<Integer, List<String>> setsByNumber = new TreeMap<>();
            for (Peer peer : rule.peers().isEmpty() ? List.of(EVERY_POD) : rule.peers()) {
                SortedMap<Integer, List<Subject>> podsByNumber = new TreeMap<>();
                cluster.pods(peer)
                        .forEach(pod -> resolve(port, pod)
                                .forEach(number -> podsByNumber
                                        .computeIfAbsent(number, _ -> new ArrayList<>())
                                        .add(pod)));
                podsByNumber.forEach((number, pods) -> {
                    String id = named(AddressSet.of(
                            peer + " with port " + port.name() + "=" + port.protocol() + " " + number,
                            destinations(peer, pods)));
                    setsOfPort.put(id, new PortOfPeer(peer, port, number));
                    setsByNumber.computeIfAbsent(number, _ -> new ArrayList<>()).add(id);
                });
            }
            return setsByNumber.entrySet().stream()
                    .map(e -> new Rule(
                            policy,
                            index,
                            false,
                            e.getValue().stream().distinct().sorted().toList(),
                            false,
                            List.of(new PortRange(port.protocol(), e.getKey(), e.getKey()))));
        }

        /** Addresses of these pods that the peer covers: a block may hold only some of a pod's. */
        private List<IpPrefix> destinations(Peer peer, List<Subject> pods) {
            AddressSet covered = setOf(peer);
            return Cluster.addressesOf(pods).stream()
                    .filter(host -> covered.cidrs().stream().anyMatch(cidr -> cidr.contains(host)))
                    .toList();
        }

        private static IntStream resolve(PolicyPort.Named port, Subject pod) {
            return pod.namedPorts().stream()
                    .filter(named -> named.name().equals(port.name()) && named.protocol() == port.protocol())
                    .mapToInt(NamedPort::port)
                    .sorted()
                    .distinct();
        }

        private AddressSet setOf(Peer peer) {
            return setOfPeer.computeIfAbsent(peer, p -> AddressSet.of(p.toString(), cluster.addresses(p)));
        }

        private String named(AddressSet set) {
            sets.put(set.id(), set);
            return set.id();
        }
    }
}
