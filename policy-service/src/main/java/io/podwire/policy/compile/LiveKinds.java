package io.podwire.policy.compile;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.compile.Kind.Placed;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyPort;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * Kinds of pods, the peers that rules name, and which holds which. A change touches the kinds and the sets that it
 * concerns, and marks the programs that have them. Owned by its compiler.
 */
final class LiveKinds {
    private final UndeclaredPods undeclared;
    private final Map<Kind.Key, Kind> kinds = new HashMap<>();
    private final Map<String, Set<Kind>> kindsByNamespace = new HashMap<>();
    private final Map<String, SortedMap<PolicyKey, NetworkPolicy>> policies = new HashMap<>();
    private final SortedMap<String, ClusterPolicy> clusterPolicies = new TreeMap<>();
    private final Map<String, ClusterNode> clusterNodes = new HashMap<>();
    private final Map<String, Namespace> namespaces = new HashMap<>();
    private final Map<Peer, LivePeer> peers = new HashMap<>();
    private final Map<String, Set<LivePeer>> peersInNamespace = new HashMap<>();
    private final Set<LivePeer> peersInNamespaces = new HashSet<>();
    private final Set<LivePeer> peersOfNodes = new HashSet<>();
    /** Blocks of which some rule wants a named port: who is in them, addresses tell. */
    private final Set<LivePeer> blocksWithPorts = new HashSet<>();

    LiveKinds(UndeclaredPods undeclared) {
        this.undeclared = undeclared;
    }

    int kinds() {
        return kinds.size();
    }

    int peers() {
        return peers.size();
    }

    /** The kind of pods that are so; it stays while it has pods or a program has it. */
    Kind kind(Kind.Key key) {
        Kind known = kinds.get(key);
        if (known != null) {
            return known;
        }
        Kind kind = new Kind(key);
        kinds.put(key, kind);
        kindsByNamespace.computeIfAbsent(key.namespace(), _ -> new HashSet<>()).add(kind);
        peersInNamespace.getOrDefault(key.namespace(), Set.of()).forEach(peer -> joinIfHeld(peer, kind));
        peersInNamespaces.forEach(peer -> joinIfHeld(peer, kind));
        return kind;
    }

    /** A pod of that kind comes. */
    Placed place(Kind kind, Set<IpAddress> addresses) {
        Placed pod = new Placed(kind, addresses);
        kind.pods.add(pod);
        for (LivePeer peer : kind.heldBy) {
            enter(peer, pod);
        }
        for (LivePeer block : blocksWithPorts) {
            List<IpAddress> covered = block.covered(addresses);
            if (!covered.isEmpty()) {
                block.ports.values().forEach(ports -> ports.add(kind, covered, this::outdate));
            }
        }
        return pod;
    }

    /** A pod goes. */
    void displace(Placed pod) {
        pod.kind.pods.remove(pod);
        for (LivePeer peer : pod.kind.heldBy) {
            leave(peer, pod);
        }
        for (LivePeer block : blocksWithPorts) {
            List<IpAddress> covered = block.covered(pod.addresses);
            if (!covered.isEmpty()) {
                block.ports.values().forEach(ports -> ports.remove(pod.kind, covered, this::outdate));
            }
        }
        forgetIfIdle(pod.kind);
    }

    private void enter(LivePeer peer, Placed pod) {
        peer.set().add(pod.addresses);
        peer.ports.values().forEach(ports -> ports.add(pod.kind, pod.addresses, this::outdate));
    }

    private void leave(LivePeer peer, Placed pod) {
        peer.set().remove(pod.addresses);
        peer.ports.values().forEach(ports -> ports.remove(pod.kind, pod.addresses, this::outdate));
    }

    /** A program has an endpoint of that kind, or expects a pod of it. */
    void depend(LiveProgram program, Kind kind) {
        kind.programs.add(program);
    }

    /** It has not any more. */
    void release(LiveProgram program, Kind kind) {
        kind.programs.remove(program);
        if (kind.programs.isEmpty()) {
            kind.compiled = Optional.empty();
            use(kind, Kind.Uses.NOTHING);
        }
        forgetIfIdle(kind);
    }

    private void forgetIfIdle(Kind kind) {
        if (kind.pods.isEmpty() && kind.programs.isEmpty()) {
            kinds.remove(kind.key());
            removeFrom(kindsByNamespace, kind.key().namespace(), kind);
            kind.heldBy.forEach(peer -> peer.kinds.remove(kind));
        }
    }

    boolean has(NetworkPolicy policy) {
        return policy.equals(
                policies.getOrDefault(policy.key().namespace(), new TreeMap<>()).get(policy.key()));
    }

    boolean hasPolicy(PolicyKey key) {
        return policies.getOrDefault(key.namespace(), new TreeMap<>()).containsKey(key);
    }

    boolean has(Namespace namespace) {
        return namespace.equals(namespaces.get(namespace.name()));
    }

    boolean hasNamespace(String name) {
        return namespaces.containsKey(name);
    }

    boolean has(ClusterPolicy policy) {
        return policy.equals(clusterPolicies.get(policy.name()));
    }

    boolean hasClusterPolicy(String name) {
        return clusterPolicies.containsKey(name);
    }

    boolean has(ClusterNode node) {
        return node.equals(clusterNodes.get(node.name()));
    }

    boolean hasClusterNode(String name) {
        return clusterNodes.containsKey(name);
    }

    /** A policy is there; true when none of its name was. */
    boolean policySet(NetworkPolicy policy) {
        NetworkPolicy before = policies.computeIfAbsent(policy.key().namespace(), _ -> new TreeMap<>())
                .put(policy.key(), policy);
        if (!policy.equals(before)) {
            outdateSelected(policy);
            if (before != null) {
                outdateSelected(before);
            }
        }
        return before == null;
    }

    /** A policy is gone; true when it was there. */
    boolean policyGone(PolicyKey key) {
        SortedMap<PolicyKey, NetworkPolicy> ofNamespace = policies.get(key.namespace());
        NetworkPolicy before = ofNamespace == null ? null : ofNamespace.remove(key);
        if (before == null) {
            return false;
        }
        if (ofNamespace.isEmpty()) {
            policies.remove(key.namespace());
        }
        outdateSelected(before);
        return true;
    }

    private void outdateSelected(NetworkPolicy policy) {
        for (Kind kind : kindsByNamespace.getOrDefault(policy.key().namespace(), Set.of())) {
            if (kind.compiled.isPresent()
                    && policy.podSelector().matches(kind.key().labels())) {
                outdate(kind);
            }
        }
    }

    /** A cluster-wide policy is there. */
    void clusterPolicySet(ClusterPolicy policy) {
        ClusterPolicy before = clusterPolicies.put(policy.name(), policy);
        if (!policy.equals(before)) {
            outdateJudged(policy);
            if (before != null) {
                outdateJudged(before);
            }
        }
    }

    /** A cluster-wide policy is gone. */
    void clusterPolicyGone(String name) {
        ClusterPolicy before = clusterPolicies.remove(name);
        if (before != null) {
            outdateJudged(before);
        }
    }

    private void outdateJudged(ClusterPolicy policy) {
        for (Kind kind : kinds.values()) {
            if (kind.compiled.isPresent() && !judging(List.of(policy), kind).isEmpty()) {
                outdate(kind);
            }
        }
    }

    private List<ClusterPolicy> judging(Collection<ClusterPolicy> policies, Kind kind) {
        return TierRules.judging(
                policies, namespace(kind.key().namespace()), kind.key().labels());
    }

    /** A node's object is there. */
    void clusterNodeSet(ClusterNode node) {
        ClusterNode before = clusterNodes.put(node.name(), node);
        if (!node.equals(before)) {
            peersOfNodes.forEach(peer -> addNode(peer, node));
            if (before != null) {
                peersOfNodes.forEach(peer -> removeNode(peer, before));
            }
        }
    }

    /** A node's object is gone. */
    void clusterNodeGone(String name) {
        ClusterNode before = clusterNodes.remove(name);
        if (before != null) {
            peersOfNodes.forEach(peer -> removeNode(peer, before));
        }
    }

    private static void addNode(LivePeer peer, ClusterNode node) {
        if (peer.peer() instanceof Peer.Nodes(LabelSelector nodes) && nodes.matches(node.labels())) {
            peer.set().add(node.addresses());
        }
    }

    private static void removeNode(LivePeer peer, ClusterNode node) {
        if (peer.peer() instanceof Peer.Nodes(LabelSelector nodes) && nodes.matches(node.labels())) {
            peer.set().remove(node.addresses());
        }
    }

    private void outdate(Kind kind) {
        kind.compiled = Optional.empty();
        kind.programs.forEach(program -> program.kindChanged(kind));
    }

    /** A namespace is there with these labels; true when it was not. */
    boolean namespaceSet(Namespace namespace) {
        Namespace before = namespaces.put(namespace.name(), namespace);
        if (!namespace.equals(before)) {
            namespaceChanged(namespace.name());
        }
        return before == null;
    }

    /** A namespace is gone; true when it was there. */
    boolean namespaceGone(String name) {
        boolean was = namespaces.remove(name) != null;
        if (was) {
            namespaceChanged(name);
        }
        return was;
    }

    private void namespaceChanged(String name) {
        Set<Kind> inIt = kindsByNamespace.getOrDefault(name, Set.of());
        if (!clusterPolicies.isEmpty()) {
            inIt.forEach(this::outdate);
        }
        for (LivePeer peer : peersInNamespaces) {
            peer.namespaces.remove(name);
            for (Kind kind : inIt) {
                boolean held = peer.kinds.contains(kind);
                if (held != holds(peer, kind)) {
                    if (held) {
                        part(peer, kind);
                    } else {
                        join(peer, kind);
                    }
                    // The sets that a pod of it is expected in.
                    kind.programs.forEach(program -> program.kindChanged(kind));
                }
            }
        }
    }

    private void joinIfHeld(LivePeer peer, Kind kind) {
        if (holds(peer, kind)) {
            join(peer, kind);
        }
    }

    private void join(LivePeer peer, Kind kind) {
        peer.kinds.add(kind);
        kind.heldBy.add(peer);
        kind.pods.forEach(pod -> enter(peer, pod));
    }

    private void part(LivePeer peer, Kind kind) {
        peer.kinds.remove(kind);
        kind.heldBy.remove(peer);
        kind.pods.forEach(pod -> leave(peer, pod));
    }

    private boolean holds(LivePeer peer, Kind kind) {
        return switch (peer.peer()) {
            case Peer.InNamespace(String namespace, LabelSelector pods) ->
                kind.key().namespace().equals(namespace)
                        && pods.matches(kind.key().labels());
            case Peer.InNamespaces(LabelSelector selected, LabelSelector pods) ->
                peer.namespaces.computeIfAbsent(kind.key().namespace(), name -> selects(selected, name))
                        && pods.matches(kind.key().labels());
            case Peer.Block _, Peer.Nodes _, Peer.Networks _ -> false;
        };
    }

    /** One that is not known yet is in no selection, unless pods need no declaration. */
    private boolean selects(LabelSelector selector, String name) {
        return namespace(name).filter(known -> selector.matches(known.labels())).isPresent();
    }

    private Optional<Namespace> namespace(String name) {
        Namespace namespace = namespaces.get(name);
        if (namespace != null) {
            return Optional.of(namespace);
        }
        return switch (undeclared) {
            case WAIT -> Optional.empty();
            case DEFAULT -> Optional.of(Namespace.unlabelled(name));
        };
    }

    /** The kind's policy; of a kind that some program has. */
    Kind.Compiled compiled(Kind kind) {
        if (kind.compiled.isEmpty()) {
            Recorder recorder = new Recorder();
            DirectionPolicy ingress = direction(Direction.INGRESS, kind, recorder);
            DirectionPolicy egress = direction(Direction.EGRESS, kind, recorder);
            use(kind, new Kind.Uses(Set.copyOf(recorder.peers), Set.copyOf(recorder.ports)));
            kind.compiled = Optional.of(new Kind.Compiled(ingress, egress, Set.copyOf(recorder.named)));
        }
        return kind.compiled.get();
    }

    private DirectionPolicy direction(Direction direction, Kind kind, Recorder recorder) {
        Collection<NetworkPolicy> ofNamespace =
                policies.getOrDefault(kind.key().namespace(), new TreeMap<>()).values();
        List<NetworkPolicy> isolating = ofNamespace.stream()
                .filter(policy -> policy.directions().contains(direction)
                        && policy.podSelector().matches(kind.key().labels()))
                .toList();
        List<ClusterPolicy> judging = judging(clusterPolicies.values(), kind);
        return DirectionRules.of(direction, kind.key().namedPorts(), isolating, judging, recorder);
    }

    /** Makes what rules name, and remembers it. */
    private final class Recorder implements DirectionRules.PeerSets {
        private final Set<LivePeer> peers = new HashSet<>();
        private final Set<LivePorts> ports = new HashSet<>();
        private final Set<LiveSet> named = new HashSet<>();

        @Override
        public String setOf(Peer peer) {
            LivePeer live = livePeer(peer);
            peers.add(live);
            named.add(live.set());
            return live.set().id();
        }

        @Override
        public SortedMap<Integer, String> setsOf(Peer peer, PolicyPort.Named port) {
            LivePeer live = livePeer(peer);
            LivePorts of = live.ports.computeIfAbsent(port, _ -> livePorts(live, port));
            peers.add(live);
            ports.add(of);
            SortedMap<Integer, String> ids = new TreeMap<>();
            of.sets().forEach((number, set) -> {
                named.add(set);
                ids.put(number, set.id());
            });
            return ids;
        }
    }

    private LivePeer livePeer(Peer peer) {
        LivePeer known = peers.get(peer);
        if (known != null) {
            return known;
        }
        LivePeer live = new LivePeer(peer);
        peers.put(peer, live);
        switch (peer) {
            case Peer.InNamespace(String namespace, var _) -> {
                peersInNamespace
                        .computeIfAbsent(namespace, _ -> new HashSet<>())
                        .add(live);
                kindsByNamespace.getOrDefault(namespace, Set.of()).forEach(kind -> joinIfHeld(live, kind));
            }
            case Peer.InNamespaces _ -> {
                peersInNamespaces.add(live);
                kinds.values().forEach(kind -> joinIfHeld(live, kind));
            }
            case Peer.Nodes _ -> {
                peersOfNodes.add(live);
                clusterNodes.values().forEach(node -> addNode(live, node));
            }
            case Peer.Block _, Peer.Networks _ -> {}
        }
        return live;
    }

    private LivePorts livePorts(LivePeer peer, PolicyPort.Named port) {
        LivePorts ports = new LivePorts(peer.peer(), port);
        Consumer<Kind> nobody = _ -> {};
        switch (peer.peer()) {
            case Peer.InNamespace _, Peer.InNamespaces _ ->
                peer.kinds.forEach(kind -> kind.pods.forEach(pod -> ports.add(kind, pod.addresses, nobody)));
            case Peer.Block _ -> {
                blocksWithPorts.add(peer);
                kinds.values()
                        .forEach(kind -> kind.pods.forEach(pod -> {
                            List<IpAddress> covered = peer.covered(pod.addresses);
                            if (!covered.isEmpty()) {
                                ports.add(kind, covered, nobody);
                            }
                        }));
            }
            case Peer.Nodes _, Peer.Networks _ -> {} // no pods
        }
        return ports;
    }

    /** What the kind used before and does not now is kept while others use it. */
    private void use(Kind kind, Kind.Uses now) {
        Kind.Uses before = kind.uses;
        kind.uses = now;
        now.peers().forEach(peer -> peer.users.add(kind));
        now.ports().forEach(ports -> ports.users.add(kind));
        Set<LivePeer> doubtful = new HashSet<>(before.peers());
        doubtful.removeAll(now.peers());
        doubtful.forEach(peer -> peer.users.remove(kind));
        before.ports().stream()
                .filter(ports -> !now.ports().contains(ports))
                .forEach(ports -> ports.users.remove(kind));
        for (LivePeer peer : before.peers()) {
            peer.ports.values().removeIf(ports -> ports.users.isEmpty());
            if (peer.ports.isEmpty()) {
                blocksWithPorts.remove(peer);
            }
            if (peer.users.isEmpty()) {
                drop(peer);
            }
        }
    }

    private void drop(LivePeer peer) {
        peers.remove(peer.peer());
        peersInNamespaces.remove(peer);
        peersOfNodes.remove(peer);
        if (peer.peer() instanceof Peer.InNamespace(String namespace, var _)) {
            removeFrom(peersInNamespace, namespace, peer);
        }
        peer.kinds.forEach(kind -> kind.heldBy.remove(peer));
    }

    /** Ids of the sets, among those of a program, that a pod of this kind belongs to by its labels; sorted. */
    static List<String> setsHolding(Kind kind, Map<String, LiveSet> ofProgram) {
        List<String> ids = new ArrayList<>();
        for (LivePeer peer : kind.heldBy) {
            addIfThere(ids, peer.set(), ofProgram);
            for (LivePorts ports : peer.ports.values()) {
                SortedMap<Integer, LiveSet> sets = ports.sets();
                // Its pods may all have gone: then nobody gives the port that number.
                DirectionRules.resolve(ports.port(), kind.key().namedPorts())
                        .filter(number -> sets.containsKey(number))
                        .forEach(number -> addIfThere(ids, sets.get(number), ofProgram));
            }
        }
        ids.sort(null);
        return ids;
    }

    private static void addIfThere(List<String> ids, LiveSet set, Map<String, LiveSet> ofProgram) {
        if (ofProgram.containsKey(set.id())) {
            ids.add(set.id());
        }
    }

    private static <K, V> void removeFrom(Map<K, Set<V>> map, K key, V value) {
        Set<V> values = map.get(key);
        values.remove(value);
        if (values.isEmpty()) {
            map.remove(key);
        }
    }
}
