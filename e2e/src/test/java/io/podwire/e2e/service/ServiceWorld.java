package io.podwire.e2e.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.common.net.IpAddress;
import io.podwire.e2e.bgp.Bird;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Two dual-stack nodes that translate Services, pods on both that answer, and a machine outside on the same underlay. One
 * thread makes and removes things.
 */
final class ServiceWorld implements AutoCloseable {
    static final String ZONE = "z1";
    /** Ports that every pod answers on. */
    static final List<Integer> PORTS = List.of(8080, 8081);
    /** What pods of a node's own network answer on. */
    static final List<Integer> HOST_PORTS = List.of(18080, 18081);

    private static final String OBJECTS = "service-world";
    private static final String OUTSIDE = "svc-out";
    private static final String OUTSIDE_PORT = "e-svc-out";
    private static final String OUTSIDE_FOUR = Mesh.ROUTER;
    private static final String OUTSIDE_SIX = "2001:db8:2::200";

    private final Mesh mesh;
    private final MeshNode one;
    private final MeshNode two;
    private final Map<String, TestPod> netns = new HashMap<>();
    private final Map<String, ServerPod> pods = new HashMap<>();
    private final Set<String> applied = new HashSet<>();
    private int services;
    private int nodePorts = 30_000;

    /** Starts the nodes and what is outside. */
    ServiceWorld(Mesh mesh) throws IOException {
        this.mesh = mesh;
        one = node("svc-1", 1);
        two = node("svc-2", 2);
        Shell.ipBatch(List.of(
                "netns add " + OUTSIDE,
                "link add " + OUTSIDE_PORT + " type veth peer name eth0 netns " + OUTSIDE,
                "link set " + OUTSIDE_PORT + " master " + Mesh.BRIDGE + " up"));
        for (String line : List.of(
                "link set lo up",
                "addr add " + OUTSIDE_FOUR + "/24 dev eth0",
                "addr add " + OUTSIDE_SIX + "/64 dev eth0 nodad",
                "link set eth0 up",
                "route add default via " + Mesh.ADDRESS)) {
            ip(OUTSIDE, line);
        }
        declare();
        one.start();
        two.start();
    }

    private MeshNode node(String name, int number) throws IOException {
        mesh.createPool(name, "fd00:244:5" + number + "::/116", 122, name);
        MeshNode node = mesh.node(name, "--ip-families", "ipv4,ipv6");
        ip(name, "addr add " + six(number) + "/64 dev eth0 nodad");
        // Without a way a node's own packets to a Service end before any rule sees them. It forwards nothing.
        ip(name, "-6 route add default via " + OUTSIDE_SIX);
        return node;
    }

    private static String six(int number) {
        return "2001:db8:2::" + number;
    }

    private static void ip(String in, String line) {
        var _ = Shell.output(("ip -n " + in + " " + line).split(" ", -1));
    }

    static InetSocketAddress at(String address, int port) {
        return new InetSocketAddress(InetAddress.ofLiteral(address), port);
    }

    MeshNode one() {
        return one;
    }

    MeshNode two() {
        return two;
    }

    Mesh mesh() {
        return mesh;
    }

    /** A node's address on the underlay. */
    String address(MeshNode node, boolean ofSix) {
        return ofSix ? six(node == one ? 1 : 2) : node.address();
    }

    /** Processes of a node itself. */
    Place of(MeshNode node) {
        return new Place(node.name(), node.netns());
    }

    /** The machine outside. */
    Place outside() {
        return new Place(OUTSIDE, java.nio.file.Path.of("/run/netns", OUTSIDE));
    }

    String outsideAddress(boolean ofSix) {
        return ofSix ? OUTSIDE_SIX : OUTSIDE_FOUR;
    }

    /** Has the machine outside send what is for an address to a node, as routers do that learn it by BGP. */
    void route(String address, MeshNode via) {
        boolean isSix = address.contains(":");
        ip(
                OUTSIDE,
                (isSix ? "-6 " : "") + "route replace " + address + (isSix ? "/128" : "/32") + " via "
                        + address(via, isSix));
    }

    /** The machine outside as a router that speaks BGP, and sends what it learns its kernel's way. The caller closes it. */
    Bird router(java.nio.file.Path folder) {
        return new Bird(
                        folder,
                        OUTSIDE,
                        new Bird.Place(OUTSIDE, OUTSIDE_FOUR, OUTSIDE_SIX),
                        Mesh.ROUTER_ASN,
                        "",
                        new Bird.Neighbour(Mesh.ADDRESS, Mesh.BGP_PORT),
                        List.of())
                .start();
    }

    /** Has the machine outside forget what it learned as a router. */
    void forgetLearned() {
        ip(OUTSIDE, "route flush proto bird");
        ip(OUTSIDE, "-6 route flush proto bird");
    }

    /** A pod that answers on {@link #PORTS}. */
    ServerPod pod(String name, MeshNode node) throws IOException {
        TestPod test = TestPod.make("svc-" + name);
        netns.put(name, test);
        CniRuntime.Outcome added = node.runtime().add(attachment(name));
        assertThat(added.ok()).as("ADD of %s: %s", name, added.text()).isTrue();
        String four = "";
        String six = "";
        for (var ip : added.json().path("ips")) {
            String address = IpAddress.parse(ip.path("address").asText().replaceFirst("/.*", ""))
                    .toString();
            if (address.contains(":")) {
                six = address;
            } else {
                four = address;
            }
        }
        var _ = Shell.output("ip", "-n", test.name(), "link", "set", "lo", "up");
        ServerPod pod = new ServerPod(
                name,
                node.name(),
                four,
                six,
                new Place(name, test.netns()),
                EchoServer.start(name, test.netns(), PORTS));
        pods.put(name, pod);
        declare();
        return pod;
    }

    /** A pod of a node's own network that answers on {@link #HOST_PORTS}. */
    ServerPod hostPod(String name, MeshNode node) throws IOException {
        return new ServerPod(
                name,
                node.name(),
                address(node, false),
                address(node, true),
                of(node),
                EchoServer.start(name, node.netns(), HOST_PORTS, List.of(address(node, false), address(node, true))));
    }

    private CniAttachment attachment(String name) {
        TestPod test = netns.get(name);
        return CniAttachment.pod(
                TestService.NAMESPACE,
                name,
                "uid-" + name,
                test.containerId(),
                test.netns().toString());
    }

    /** Ends a pod, with its namespace. */
    void delete(ServerPod pod) throws IOException {
        pod.server().close();
        MeshNode node = pod.node().equals(one.name()) ? one : two;
        CniRuntime.Outcome deleted = node.runtime().del(attachment(pod.name()));
        assertThat(deleted.ok()).as("DEL of %s: %s", pod.name(), deleted.text()).isTrue();
        pods.remove(pod.name());
        netns.remove(pod.name()).close();
        declare();
    }

    private void declare() throws IOException {
        StringBuilder out = new StringBuilder("""
                apiVersion: v1
                kind: Namespace
                metadata: {name: %s}
                """.formatted(TestService.NAMESPACE));
        for (MeshNode node : List.of(one, two)) {
            out.append("""
                    ---
                    apiVersion: v1
                    kind: Node
                    metadata: {name: %s, labels: {kubernetes.io/hostname: %s, topology.kubernetes.io/zone: %s}}
                    status: {addresses: [{type: InternalIP, address: '%s'}, {type: InternalIP, address: '%s'}]}
                    """.formatted(node.name(), node.name(), ZONE, address(node, false), address(node, true)));
        }
        for (ServerPod pod : pods.values()) {
            out.append("""
                    ---
                    apiVersion: v1
                    kind: Pod
                    metadata: {namespace: %s, name: %s, labels: {pod: %s}}
                    spec: {nodeName: %s}
                    status: {podIP: '%s', podIPs: [{ip: '%s'}, {ip: '%s'}]}
                    """.formatted(
                    TestService.NAMESPACE, pod.name(), pod.name(), pod.node(), pod.four(), pod.four(), pod.six()));
        }
        mesh.apply(OBJECTS, out.toString());
    }

    /** Cluster IPs that no other service has or had, of IPv4 and then of IPv6. */
    List<String> nextIps() {
        services++;
        return List.of("10.96.0." + services, "fd00:96::" + Integer.toHexString(services));
    }

    /** A node port that no other service has or had. */
    int nextNodePort() {
        return nodePorts++;
    }

    /** Makes a service so. Returns at once: the nodes have it some time later. */
    void apply(TestService service) throws IOException {
        applied.add(service.name());
        mesh.apply("service-" + service.name(), service.yaml());
    }

    /** Takes a service away. */
    void remove(String service) throws IOException {
        applied.remove(service);
        mesh.remove("service-" + service);
    }

    /** Takes all services away that are still there. */
    void removeAll() throws IOException {
        for (String service : new ArrayList<>(applied)) {
            remove(service);
        }
    }

    @Override
    public void close() throws IOException {
        removeAll();
        pods.values().forEach(pod -> pod.server().close());
        mesh.remove(OBJECTS);
        one.close();
        two.close();
        netns.values().forEach(TestPod::close);
        var _ = Shell.attempt("ip", "link", "delete", OUTSIDE_PORT);
        var _ = Shell.attempt("ip", "netns", "delete", OUTSIDE);
    }
}
