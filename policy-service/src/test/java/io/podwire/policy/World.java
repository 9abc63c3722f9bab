package io.podwire.policy;

import com.google.common.collect.ImmutableSortedMap;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.NamedPort;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The world of the Kubernetes end-to-end tests: namespaces x, y, z with pods a, b, c each, labelled
 * pod=NAME and ns=NAME, serving every protocol on 80 and 81 with named ports. Pods a live on node-a
 * and so on; addresses are 10.0.NAMESPACE.POD from 10.0.1.1.
 */
final class World {
    static final List<String> PODS = Stream.of("x", "y", "z")
            .flatMap(ns -> Stream.of("a", "b", "c").map(pod -> ns + "/" + pod))
            .toList();
    private static final List<NamedPort> PORTS = Stream.of(Protocol.values())
            .flatMap(protocol -> Stream.of(80, 81)
                    .map(port -> new NamedPort(
                            "serve-" + port + "-" + protocol.name().toLowerCase(Locale.ROOT), protocol, port)))
            .toList();

    private ClusterSnapshot snapshot;

    World() {
        List<Change> changes = new ArrayList<>();
        for (String ns : List.of("x", "y", "z")) {
            changes.add(new Change.NamespaceSet(new Namespace(ns, Map.of("ns", ns))));
        }
        PODS.forEach(pod -> changes.add(new Change.PodSet(pod(pod, Map.of()))));
        PODS.stream()
                .collect(Collectors.groupingBy(World::node))
                .forEach((node, pods) -> changes.add(new Change.NodeSet(
                        node,
                        pods.stream()
                                .collect(ImmutableSortedMap.toImmutableSortedMap(
                                        String::compareTo, pod -> "cid-" + pod + "/eth0", World::endpoint)))));
        snapshot = new ClusterDelta(changes).applyTo(ClusterSnapshot.EMPTY);
    }

    static PodKey key(String pod) {
        return new PodKey(pod.substring(0, 1), pod.substring(2));
    }

    static NodeName node(String pod) {
        return new NodeName("node-" + pod.substring(2));
    }

    static IpAddress address(String pod) {
        return IpAddress.parse("10.0." + (pod.charAt(0) - 'x' + 1) + "." + (pod.charAt(2) - 'a' + 1));
    }

    static Endpoint endpoint(String pod) {
        return new Endpoint("cid-" + pod + "/eth0", key(pod), "", Set.of(address(pod)));
    }

    static Pod pod(String pod, Map<String, String> more) {
        Map<String, String> labels = new HashMap<>(Map.of("pod", pod.substring(2), "ns", pod.substring(0, 1)));
        labels.putAll(more);
        return new Pod(key(pod), "", labels, node(pod).value(), Set.of(), false, false, PORTS);
    }

    World with(Change... changes) {
        snapshot = ClusterDelta.of(changes).applyTo(snapshot);
        return this;
    }

    World policy(String key, String spec) {
        NetworkPolicy policy = Yaml.policy(key, spec);
        return with(new Change.PolicySet(policy));
    }

    World clusterPolicy(String name, String spec) {
        return with(new Change.ClusterPolicySet(Yaml.clusterPolicy(name, spec)));
    }

    ClusterSnapshot snapshot() {
        return snapshot;
    }

    Tracer tracer() {
        return new Tracer(snapshot, new PolicyCompiler(UndeclaredPods.WAIT));
    }

    /** Every pair that connects, "x/a>y/b", without the pods' way to themselves. */
    Set<String> connected(Protocol protocol, int port) {
        Tracer tracer = tracer();
        return pairs((from, to) -> tracer.allowed(address(from), address(to), protocol, port));
    }

    /** The pairs for which it holds. */
    static Set<String> pairs(BiPredicate<String, String> holds) {
        return PODS.stream()
                .flatMap(from -> PODS.stream()
                        .filter(to -> !to.equals(from) && holds.test(from, to))
                        .map(to -> from + ">" + to))
                .collect(Collectors.toCollection(TreeSet::new));
    }
}
