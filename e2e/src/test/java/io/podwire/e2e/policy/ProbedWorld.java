package io.podwire.e2e.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.PingRun;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import io.podwire.proto.policy.v1.NodeRollout;
import io.podwire.proto.policy.v1.Rollout;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * The world of the Kubernetes end-to-end tests on two real nodes: namespaces x, y, z with dual-stack pods a, b, c each,
 * which answer TCP and UDP on 80 and 81. One thread uses it, but for {@link #probe}.
 */
final class ProbedWorld implements AutoCloseable {
    static final List<String> PODS = Stream.of("x", "y", "z")
            .flatMap(ns -> Stream.of("a", "b", "c").map(pod -> ns + "/" + pod))
            .toList();
    static final List<Integer> PORTS = List.of(80, 81);

    private static final String OBJECTS = "netpol-cases";
    private static final Duration QUIET = Duration.ofMillis(500);
    private static final Duration ENFORCED = Duration.ofSeconds(15);
    /** What is allowed came in some milliseconds before it: what is forbidden would have come as well. */
    private static final Duration FORBIDDEN_HAS = Duration.ofMillis(150);

    private static final Duration ALLOWED_HAS = Duration.ofSeconds(5);

    private final Mesh mesh;
    private final List<MeshNode> nodes;
    private final Map<String, TestPod> pods = new TreeMap<>();
    private final Map<String, List<InetAddress>> addresses = new HashMap<>();
    private final Map<String, ProbedPod> probes = new HashMap<>();

    /** What of one pair, "x/a>y/b", and one protocol and port should pass. */
    @FunctionalInterface
    interface Expected {
        boolean passes(String from, String to, String protocol, int port, boolean six);
    }

    /** Starts the nodes and the pods. */
    ProbedWorld(Mesh mesh) throws IOException {
        this.mesh = mesh;
        this.nodes = List.of(node("netpol-1", 1), node("netpol-2", 2));
        nodes.forEach(MeshNode::start);
        for (String pod : PODS) {
            pods.put(pod, TestPod.make("netpol-" + pod.replace('/', '-')));
        }
        apply(new Objects());
        for (String pod : PODS) {
            attach(pod);
        }
        awaitAnnounced();
    }

    /** A pod is announced after its ADD has answered, and that is a revision that no manifest brings. */
    private void awaitAnnounced() {
        AtomicLong last = new AtomicLong(-1);
        await("the pods are announced")
                .during(QUIET)
                .atMost(ENFORCED)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> {
                    long now = mesh.rollout().getRevision();
                    return last.getAndSet(now) == now;
                });
    }

    private MeshNode node(String name, int number) throws IOException {
        mesh.createPool(name, "fd00:244:" + number + "::/116", 122, name);
        return mesh.node(name, "--ip-families", "ipv4,ipv6");
    }

    private MeshNode nodeOf(String pod) {
        return nodes.get(PODS.indexOf(pod) % nodes.size());
    }

    private void attach(String pod) throws IOException {
        TestPod netns = pods.get(pod);
        CniRuntime.Outcome added = nodeOf(pod).runtime().add(attachment(pod));
        assertThat(added.exitCode()).as("ADD of %s: %s", pod, added.text()).isZero();
        List<InetAddress> own = new ArrayList<>();
        for (var ip : added.json().path("ips")) {
            String text = ip.path("address").asText();
            own.add(InetAddress.ofLiteral(text.substring(0, text.indexOf('/'))));
        }
        assertThat(own).as("addresses of %s", pod).hasSize(2);
        addresses.put(pod, own);
        var _ = Shell.output("ip", "-n", netns.name(), "link", "set", "lo", "up");
        probes.put(pod, ProbedPod.start(netns.netns(), PORTS));
    }

    private CniAttachment attachment(String pod) {
        TestPod netns = pods.get(pod);
        return CniAttachment.pod(
                pod.substring(0, 1),
                pod.substring(2),
                "",
                netns.containerId(),
                netns.netns().toString());
    }

    /** A pod's address of one family. */
    String address(String pod, boolean six) {
        return addresses.get(pod).stream()
                .filter(address -> (address.getAddress().length > 4) == six)
                .findFirst()
                .orElseThrow()
                .getHostAddress();
    }

    /** A pod's addresses as prefixes: of IPv4, then of IPv6. */
    List<String> cidrs(String pod) {
        return addresses.get(pod).stream()
                .map(address -> address.getHostAddress() + "/" + address.getAddress().length * 8)
                .toList();
    }

    /** Objects of the world as they are now: labels besides the usual ones, and policies by "namespace/name". */
    record Objects(Map<String, String> podLabels, Map<String, String> namespaceLabels, Map<String, String> policies) {
        Objects {
            podLabels = Map.copyOf(podLabels);
            namespaceLabels = Map.copyOf(namespaceLabels);
            policies = Map.copyOf(policies);
        }

        Objects() {
            this(Map.of(), Map.of(), Map.of());
        }

        /** With one label more, "key: value". */
        Objects podLabel(String pod, String label) {
            Map<String, String> labels = new HashMap<>(podLabels);
            labels.put(pod, label);
            return new Objects(labels, namespaceLabels, policies);
        }

        /** With one label more, "key: value". */
        Objects namespaceLabel(String namespace, String label) {
            Map<String, String> labels = new HashMap<>(namespaceLabels);
            labels.put(namespace, label);
            return new Objects(podLabels, labels, policies);
        }

        /** With a policy more, or another one in its place; its spec in YAML's flow style. */
        Objects policy(String key, String spec) {
            Map<String, String> all = new HashMap<>(policies);
            all.put(key, spec);
            return new Objects(podLabels, namespaceLabels, all);
        }

        /** Without a policy. */
        Objects without(String key) {
            Map<String, String> all = new HashMap<>(policies);
            all.remove(key);
            return new Objects(podLabels, namespaceLabels, all);
        }
    }

    /** Makes the objects so, in one change, and waits until both nodes enforce it. */
    void apply(Objects objects) throws IOException {
        apply(objects, "");
    }

    /** The same with further manifests. */
    void apply(Objects objects, String further) throws IOException {
        // Each write brings another revision, also where it changes no program.
        long before = mesh.rollout().getRevision();
        mesh.apply(OBJECTS, yaml(objects, before) + further);
        awaitEnforced(before);
    }

    /** Waits until both nodes enforce the newest revision, which is newer than that. */
    void awaitEnforced(long before) {
        await("both nodes enforce what is newer than revision " + before)
                .atMost(ENFORCED)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> enforced(before));
    }

    /** Pings a pod's IPv4 address from another pod. */
    PingRun ping(String from, String to, Duration interval) throws IOException {
        return PingRun.start(pods.get(from), address(to, false), interval);
    }

    /** True when an address answers one of three pings from a pod. */
    boolean pings(String from, String address) {
        return Shell.attempt(
                                "nsenter",
                                "--net=" + pods.get(from).netns(),
                                "--",
                                "ping",
                                "-n",
                                "-c",
                                "3",
                                "-i",
                                "0.05",
                                "-W",
                                "1",
                                address)
                        .exitCode()
                == 0;
    }

    private boolean enforced(long before) {
        Rollout rollout = mesh.rollout();
        Set<String> here = new HashSet<>();
        rollout.getNodesList().stream()
                .filter(node -> node.getAckedRevision() >= node.getTargetRevision())
                .map(NodeRollout::getNode)
                .forEach(here::add);
        return rollout.getRevision() > before
                && nodes.stream().map(MeshNode::name).allMatch(here::contains);
    }

    private String yaml(Objects objects, long tick) {
        StringBuilder out = new StringBuilder();
        for (String ns : List.of("x", "y", "z")) {
            String more = objects.namespaceLabels().containsKey(ns)
                    ? ", " + objects.namespaceLabels().get(ns)
                    : "";
            out.append("""
                    ---
                    apiVersion: v1
                    kind: Namespace
                    metadata: {name: %s, labels: {ns: %s, tick: t%d%s}}
                    """.formatted(ns, ns, tick, more));
        }
        for (String pod : PODS) {
            String more = objects.podLabels().containsKey(pod)
                    ? ", " + objects.podLabels().get(pod)
                    : "";
            out.append("""
                    ---
                    apiVersion: v1
                    kind: Pod
                    metadata: {namespace: %s, name: %s, labels: {pod: %s, ns: %s%s}}
                    spec:
                      nodeName: %s
                      containers:
                      - name: serve
                        ports:
                        - {name: serve-80-tcp, containerPort: 80}
                        - {name: serve-81-tcp, containerPort: 81}
                        - {name: serve-80-udp, containerPort: 80, protocol: UDP}
                        - {name: serve-81-udp, containerPort: 81, protocol: UDP}
                        - {name: web, containerPort: 80}
                        - {name: dns, containerPort: 81, protocol: UDP}
                    """.formatted(
                            pod.substring(0, 1),
                            pod.substring(2),
                            pod.substring(2),
                            pod.substring(0, 1),
                            more,
                            nodeOf(pod).name()));
        }
        objects.policies()
                .forEach((key, spec) -> out.append("""
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: %s, name: %s}
                spec: %s
                """.formatted(key.substring(0, 1), key.substring(2), spec)));
        return out.toString();
    }

    /** Probes all pairs by TCP and UDP on both ports and in both families: exactly what is expected passes. */
    void probe(Expected expected) {
        probe(PODS, PODS, expected);
    }

    /** The same from some pods to some. */
    void probe(List<String> from, List<String> to, Expected expected) {
        Map<String, Map<ProbedPod.Target, String>> targets = new TreeMap<>();
        Map<String, CompletableFuture<Set<ProbedPod.Target>>> running = new TreeMap<>();
        Set<String> want = new TreeSet<>();
        for (String source : from) {
            Map<ProbedPod.Target, String> named = new HashMap<>();
            Set<ProbedPod.Target> wanted = new HashSet<>();
            for (String destination : to) {
                for (InetAddress address : addresses.get(destination)) {
                    for (int port : PORTS) {
                        for (String protocol : List.of("TCP", "UDP")) {
                            var target =
                                    new ProbedPod.Target(protocol.equals("TCP"), new InetSocketAddress(address, port));
                            String name = source + ">" + destination + " " + protocol + " " + port
                                    + (address.getAddress().length == 4 ? " by IPv4" : " by IPv6");
                            named.put(target, name);
                            // A pod always reaches itself.
                            if (source.equals(destination)
                                    || expected.passes(
                                            source, destination, protocol, port, address.getAddress().length > 4)) {
                                wanted.add(target);
                                want.add(name);
                            }
                        }
                    }
                }
            }
            targets.put(source, named);
            running.put(source, probes.get(source).probe(named.keySet(), wanted, FORBIDDEN_HAS, ALLOWED_HAS));
        }
        Set<String> passed = new TreeSet<>();
        running.forEach((source, round) ->
                round.join().forEach(target -> passed.add(targets.get(source).get(target))));
        assertThat(passed).as("what passes").isEqualTo(want);
    }

    @Override
    public void close() throws IOException {
        probes.values().forEach(ProbedPod::close);
        mesh.remove(OBJECTS);
        nodes.forEach(MeshNode::close);
        pods.values().forEach(TestPod::close);
    }
}
