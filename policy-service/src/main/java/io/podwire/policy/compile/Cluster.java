package io.podwire.policy.compile;

import com.google.common.collect.ImmutableListMultimap;
import com.google.common.collect.Sets;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.NamedPort;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** A snapshot with its open questions answered: which pods there are, and which addresses they have. */
final class Cluster {
    private final ClusterSnapshot snapshot;
    private final UndeclaredPods undeclared;
    private final List<Subject> subjects = new ArrayList<>();
    private final Map<String, Namespace> namespaces;

    /**
     * A pod that policies can see.
     *
     * @param addresses its addresses; none once it has terminated
     */
    record Subject(
            PodKey key,
            Map<String, String> labels,
            List<NamedPort> namedPorts,
            Set<IpAddress> addresses,
            boolean terminated) {
        /** Copies the addresses. */
        Subject {
            addresses = Set.copyOf(addresses);
        }
    }

    Cluster(ClusterSnapshot snapshot, UndeclaredPods undeclared) {
        this.snapshot = snapshot;
        this.undeclared = undeclared;
        this.namespaces = new HashMap<>(snapshot.namespaces());
        List<Endpoint> endpoints = snapshot.nodes().values().stream()
                .flatMap(ofNode -> ofNode.values().stream())
                .toList();
        var endpointsByPod = endpoints.stream()
                .collect(ImmutableListMultimap.toImmutableListMultimap(Endpoint::pod, endpoint -> endpoint));
        Set<IpAddress> attached = new HashSet<>();
        endpoints.forEach(endpoint -> attached.addAll(endpoint.addresses()));
        for (Pod pod : snapshot.pods().values()) {
            if (!pod.hostNetwork()) {
                subjects.add(subject(pod, endpointsByPod.get(pod.key()), attached));
            }
        }
        if (undeclared == UndeclaredPods.DEFAULT) {
            endpoints.stream()
                    .filter(endpoint -> declarationOf(endpoint).isEmpty())
                    .map(Cluster::unlabelled)
                    .forEach(subjects::add);
            subjects.forEach(pod -> namespaces.computeIfAbsent(pod.key().namespace(), Namespace::unlabelled));
            snapshot.policies()
                    .keySet()
                    .forEach(policy -> namespaces.computeIfAbsent(policy.namespace(), Namespace::unlabelled));
        }
    }

    List<Subject> subjects() {
        return subjects;
    }

    /** What an endpoint is judged as; empty while it must wait for its object. */
    Optional<Subject> judgedAs(Endpoint endpoint) {
        Optional<Pod> declaration = declarationOf(endpoint);
        if (declaration.isPresent()) {
            return declaration.filter(pod -> !pod.hostNetwork()).map(pod -> subject(pod, List.of(endpoint), Set.of()));
        }
        return switch (undeclared) {
            case WAIT -> Optional.empty();
            case DEFAULT -> Optional.of(unlabelled(endpoint));
        };
    }

    /**
     * What the node may be asked to attach at any moment: the pods whose objects name it; and where a pod
     * needs no object, those whose objects name no node, and for each namespace a pod without labels
     * and without name, which stands for any that no object declares.
     */
    List<Subject> expectedOn(NodeName node) {
        boolean anyNode = undeclared == UndeclaredPods.DEFAULT;
        List<Subject> expected = new ArrayList<>();
        for (Pod pod : snapshot.pods().values()) {
            boolean here =
                    pod.node().equals(node.value()) || (anyNode && pod.node().isEmpty());
            if (here && !pod.hostNetwork() && !pod.terminated()) {
                expected.add(subject(pod, List.of(), Set.of()));
            }
        }
        if (undeclared == UndeclaredPods.DEFAULT) {
            namespaces.keySet().forEach(name -> expected.add(unlabelled(new PodKey(name, ""), Set.of())));
        }
        return expected;
    }

    /** A pod's namespace; empty while nobody has told of it. */
    Optional<Namespace> namespaceOf(Subject pod) {
        return Optional.ofNullable(namespaces.get(pod.key().namespace()));
    }

    /** The peer's pods; for a block, the pods with an address in it. */
    List<Subject> pods(Peer peer) {
        return subjects.stream().filter(pod -> holds(peer, pod)).toList();
    }

    /** The peer's addresses: disjoint, sorted, those of IPv4 first. */
    List<IpPrefix> addresses(Peer peer) {
        return switch (peer) {
            case Peer.Block(IpPrefix cidr, Set<IpPrefix> except) -> Cidrs.difference(cidr, except);
            case Peer.Networks networks -> networks.disjoint();
            case Peer.Nodes(LabelSelector nodes) ->
                snapshot.clusterNodes().values().stream()
                        .filter(node -> nodes.matches(node.labels()))
                        .flatMap(node -> node.addresses().stream())
                        .distinct()
                        .sorted()
                        .map(IpPrefix::ofHost)
                        .toList();
            case Peer.InNamespace _, Peer.InNamespaces _ -> addressesOf(pods(peer));
        };
    }

    /** The pods' addresses, sorted. */
    static List<IpPrefix> addressesOf(Collection<Subject> pods) {
        return pods.stream()
                .flatMap(pod -> pod.addresses().stream())
                .distinct()
                .sorted()
                .map(IpPrefix::ofHost)
                .toList();
    }

    /** True when the peer's addresses are to hold that pod's. */
    boolean holds(Peer peer, Subject pod) {
        return switch (peer) {
            case Peer.InNamespace(String namespace, LabelSelector pods) ->
                pod.key().namespace().equals(namespace) && pods.matches(pod.labels());
            case Peer.InNamespaces(LabelSelector selected, LabelSelector pods) -> {
                // A namespace not seen yet is in no selection: NotIn would open it to a late label.
                Namespace namespace = namespaces.get(pod.key().namespace());
                yield namespace != null && selected.matches(namespace.labels()) && pods.matches(pod.labels());
            }
            case Peer.Block block ->
                pod.addresses().stream()
                        .anyMatch(address -> addresses(block).stream().anyMatch(cidr -> cidr.contains(address)));
            case Peer.Nodes _, Peer.Networks _ -> false; // no pods
        };
    }

    /**
     * A declared pod. Its endpoints know its addresses first and best; without any, its status
     * counts only while its node is silent (a node that speaks would have named it), and never for
     * an address that some endpoint has.
     */
    private Subject subject(Pod pod, List<Endpoint> endpoints, Set<IpAddress> attached) {
        Set<IpAddress> addresses = new TreeSet<>();
        if (!pod.terminated()) {
            endpoints.stream()
                    .filter(endpoint -> endpoint.belongsTo(pod))
                    .forEach(endpoint -> addresses.addAll(endpoint.addresses()));
            if (addresses.isEmpty() && !nodeSpeaks(pod)) {
                addresses.addAll(Sets.difference(pod.addresses(), attached));
            }
        }
        return new Subject(pod.key(), pod.labels(), pod.namedPorts(), addresses, pod.terminated());
    }

    private boolean nodeSpeaks(Pod pod) {
        return !pod.node().isEmpty() && snapshot.nodes().containsKey(new NodeName(pod.node()));
    }

    private Optional<Pod> declarationOf(Endpoint endpoint) {
        return Optional.ofNullable(snapshot.pods().get(endpoint.pod())).filter(endpoint::belongsTo);
    }

    private static Subject unlabelled(Endpoint endpoint) {
        return unlabelled(endpoint.pod(), endpoint.addresses());
    }

    private static Subject unlabelled(PodKey key, Set<IpAddress> addresses) {
        return new Subject(key, Map.of(), List.of(), addresses, false);
    }
}
