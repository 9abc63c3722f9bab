package io.podwire.e2e.service;

import static io.podwire.e2e.service.ServiceWorld.at;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.nio.sctp.SctpServerChannel;
import io.podwire.e2e.bgp.Bird;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.service.TestService.State;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * The cases of the Kubernetes end-to-end tests of Services, by their names: real packets on two nodes, from pods, from the
 * nodes and from outside.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class ServiceCasesLabTest {
    private static final Duration SOON = Duration.ofSeconds(15);
    private static final Duration AGAIN = Duration.ofMillis(20);
    /** So many that of four endpoints, each as likely, one is left out once in 40,000 times. */
    private static final int LOOKS = 48;

    private static final List<Integer> WEB = List.of(8080);
    private static final String INTERNAL_LOCAL = "internalTrafficPolicy: Local";
    private static final String EXTERNAL_LOCAL = "externalTrafficPolicy: Local";

    private final Mesh mesh;
    private ServiceWorld world;
    /** Two on each node. */
    private ServerPod a1;

    private ServerPod b1;
    private ServerPod a2;
    private ServerPod b2;
    /** One on each node that is behind no service. */
    private ServerPod client1;

    private ServerPod client2;

    ServiceCasesLabTest(Mesh mesh) {
        this.mesh = mesh;
    }

    @BeforeAll
    void start() throws IOException {
        world = new ServiceWorld(mesh);
        a1 = world.pod("a1", world.one());
        b1 = world.pod("b1", world.one());
        a2 = world.pod("a2", world.two());
        b2 = world.pod("b2", world.two());
        client1 = world.pod("client1", world.one());
        client2 = world.pod("client2", world.two());
    }

    @AfterAll
    void close() throws IOException {
        world.close();
    }

    @AfterEach
    void remove() throws IOException {
        world.removeAll();
    }

    /** A service of both families with one TCP port 80. */
    private TestService web(String name) {
        return service(name).port("", "TCP", 80);
    }

    private TestService service(String name) {
        return TestService.of(name, world.nextIps().toArray(String[]::new));
    }

    private static InetSocketAddress ip(TestService service, boolean six, int port) {
        return at(
                service.ips().stream()
                        .filter(ip -> ip.contains(":") == six)
                        .findFirst()
                        .orElseThrow(),
                port);
    }

    private static InetSocketAddress ip(TestService service) {
        return ip(service, false, 80);
    }

    private InetSocketAddress nodePort(MeshNode node, TestService service) {
        return at(node.address(), service.ports().getFirst().nodePort());
    }

    private static Set<String> names(ServerPod... pods) {
        return Stream.of(pods).map(ServerPod::name).collect(Collectors.toCollection(TreeSet::new));
    }

    private static Set<Object> seen(Place from, boolean tcp, InetSocketAddress to, int times) {
        Set<Object> seen = new TreeSet<>(java.util.Comparator.comparing(Object::toString));
        for (int i = 0; i < times; i++) {
            switch (from.ask(tcp, to)) {
                case Answer.From answer -> seen.add(answer.server());
                case Answer.Refused refused -> seen.add(refused);
                case Answer.Nothing nothing -> seen.add(nothing);
            }
        }
        return seen;
    }

    /** Waits until exactly these answer. */
    private static void reaches(Place from, boolean tcp, InetSocketAddress to, ServerPod... pods) {
        int times = pods.length == 1 ? 8 : LOOKS;
        await("from " + from.name() + " to " + to + " over " + (tcp ? "TCP" : "UDP"))
                .atMost(SOON)
                .pollInterval(AGAIN)
                .untilAsserted(() -> {
                    // What is not there yet is not asked so many times.
                    assertThat(from.ask(tcp, to)).isInstanceOf(Answer.From.class);
                    assertThat(seen(from, tcp, to, times)).isEqualTo(names(pods));
                });
    }

    private static void reaches(Place from, InetSocketAddress to, ServerPod... pods) {
        reaches(from, true, to, pods);
    }

    /** Waits until it answers so. */
    private static void answers(Place from, boolean tcp, InetSocketAddress to, Class<? extends Answer> answer) {
        await("from " + from.name() + " to " + to + " over " + (tcp ? "TCP" : "UDP"))
                .atMost(SOON)
                .pollInterval(AGAIN)
                .untilAsserted(() -> assertThat(from.ask(tcp, to)).isInstanceOf(answer));
    }

    private static void refused(Place from, InetSocketAddress to) {
        answers(from, true, to, Answer.Refused.class);
    }

    private static void dropped(Place from, InetSocketAddress to) {
        answers(from, true, to, Answer.Nothing.class);
    }

    /** Waits until no server answers. */
    private static void notServed(Place from, InetSocketAddress to) {
        await("nobody answers " + from.name() + " at " + to)
                .atMost(SOON)
                .pollInterval(AGAIN)
                .untilAsserted(() -> assertThat(from.ask(true, to)).isNotInstanceOf(Answer.From.class));
    }

    /** Waits until an answer comes from that server, and gives it. */
    private static Answer.From answer(Place from, boolean tcp, InetSocketAddress to, ServerPod pod) {
        reaches(from, tcp, to, pod);
        return (Answer.From) from.ask(tcp, to);
    }

    private Place node1() {
        return world.of(world.one());
    }

    private Place node2() {
        return world.of(world.two());
    }

    private static void sticks(Place from, boolean tcp, InetSocketAddress to) {
        await("all go to one endpoint")
                .atMost(SOON)
                .pollInterval(AGAIN)
                .untilAsserted(() -> assertThat(seen(from, tcp, to, LOOKS))
                        .hasSize(1)
                        .allSatisfy(one -> assertThat(one).isInstanceOf(String.class)));
    }

    private static void affinityEnds(Place from, InetSocketAddress to, Duration timeout) {
        sticks(from, true, to);
        Object first = seen(from, true, to, 1);
        // Each look renews it, so looks are farther apart than it lasts. The same endpoint again: every second time.
        await("another endpoint than " + first)
                .atMost(timeout.multipliedBy(20))
                .pollInterval(timeout.plusMillis(700))
                .until(() -> !seen(from, true, to, 1).equals(first));
    }

    private static String affinity(int seconds) {
        return "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: " + seconds + "}}";
    }

    @Nested
    @DisplayName("Services")
    final class Services {
        @Test
        @DisplayName("should serve a basic endpoint from pods")
        void basicEndpoint() throws IOException {
            TestService service = web("basic");
            world.apply(service);
            refused(client1.place(), ip(service));
            world.apply(service.to(WEB, a1));
            reaches(client1.place(), ip(service), a1);
            reaches(client2.place(), ip(service), a1);
            world.apply(service.to(WEB, a1, a2));
            reaches(client1.place(), ip(service), a1, a2);
            world.apply(service.to(WEB, a2));
            reaches(client1.place(), ip(service), a2);
            world.apply(service);
            refused(client1.place(), ip(service));
        }

        @Test
        @DisplayName("should serve multiport endpoints from pods")
        void multiport() throws IOException {
            TestService service = service("multi").port("web", "TCP", 80).port("other", "TCP", 81);
            world.apply(service.to(List.of(8080, 8081), a1).to(List.of(8081, 8080), a2));
            reaches(client1.place(), ip(service), a1, a2);
            reaches(client1.place(), ip(service, false, 81), a1, a2);
            for (int i = 0; i < LOOKS; i++) {
                var web = (Answer.From) client1.place().ask(true, ip(service));
                assertThat(web.port()).isEqualTo(web.server().equals("a1") ? 8080 : 8081);
                var other = (Answer.From) client1.place().ask(true, ip(service, false, 81));
                assertThat(other.port()).isEqualTo(other.server().equals("a1") ? 8081 : 8080);
            }
        }

        @Test
        @DisplayName("should be updated after adding or deleting ports")
        void ports() throws IOException {
            TestService service = service("ports");
            world.apply(service.port("p1", "TCP", 80).to(WEB, a1));
            reaches(client1.place(), ip(service), a1);
            world.apply(service.port("p1", "TCP", 80).port("p2", "TCP", 81).to(List.of(8080, 8081), a1));
            assertThat(answer(client1.place(), true, ip(service, false, 81), a1).port())
                    .isEqualTo(8081);
            reaches(client1.place(), ip(service), a1);
            world.apply(service.port("p2", "TCP", 81).to(List.of(8081), a1));
            notServed(client1.place(), ip(service));
            reaches(client1.place(), ip(service, false, 81), a1);
        }

        @Test
        @DisplayName("should preserve source pod IP for traffic thru service cluster IP [LinuxOnly]")
        void sourcePodIp() throws IOException {
            TestService service = web("source").to(WEB, a2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                for (ServerPod client : List.of(client1, client2)) {
                    assertThat(answer(client.place(), true, ip(service, six, 80), a2)
                                    .client())
                            .as("whom the server sees")
                            .isEqualTo(client.address(six));
                }
            }
        }

        @Test
        @DisplayName("should allow pods to hairpin back to themselves through services")
        void hairpin() throws IOException {
            TestService service = service("hairpin")
                    .port("web", "TCP", 80)
                    .port("dns", "UDP", 53)
                    .to(List.of(8080, 8081), a1);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                reaches(a1.place(), true, ip(service, six, 80), a1);
                reaches(a1.place(), false, ip(service, six, 53), a1);
            }
        }

        @Test
        @DisplayName("should be able to up and down services")
        void upAndDown() throws IOException {
            TestService first = web("first").to(WEB, a1, a2);
            TestService second = web("second").to(WEB, b1, b2);
            world.apply(first);
            world.apply(second);
            reaches(client1.place(), ip(first), a1, a2);
            reaches(client1.place(), ip(second), b1, b2);
            world.remove("first");
            notServed(client1.place(), ip(first));
            reaches(client1.place(), ip(second), b1, b2);
            TestService third = web("third").to(WEB, a1, a2);
            world.apply(third);
            reaches(client1.place(), ip(third), a1, a2);
            reaches(client2.place(), ip(second), b1, b2);
        }

        @Test
        @DisplayName("should work after the service has been recreated")
        void recreated() throws IOException {
            TestService service = web("again").to(WEB, a1);
            for (int i = 0; i < 3; i++) {
                world.apply(service);
                reaches(client1.place(), ip(service), a1);
                world.remove("again");
                notServed(client1.place(), ip(service));
            }
        }

        @Test
        @DisplayName("should work after restarting kube-proxy")
        void restartedNodeShim() throws IOException {
            TestService service = web("restart").to(WEB, a1, a2);
            TestService gone = web("gone").to(WEB, b1);
            world.apply(service);
            world.apply(gone);
            reaches(client1.place(), ip(service), a1, a2);
            reaches(client1.place(), ip(gone), b1);
            try (Place.Held held = client1.place().hold(ip(service))) {
                world.one().shim().kill();
                reaches(client1.place(), ip(service), a1, a2);
                world.remove("gone");
                TestService meanwhile = web("meanwhile").to(WEB, b2);
                world.apply(meanwhile);
                world.one().start();
                assertThat(held.echoes(1000)).as("the connection from before").isTrue();
                reaches(client1.place(), ip(service), a1, a2);
                reaches(client1.place(), ip(meanwhile), b2);
                notServed(client1.place(), ip(gone));
            }
        }

        @Test
        @DisplayName("should work after restarting apiserver")
        void restartedPolicyService() throws IOException {
            TestService service = web("policy-away").to(WEB, a1, a2);
            world.apply(service);
            reaches(client1.place(), ip(service), a1, a2);
            mesh.policy().stop();
            try {
                reaches(client1.place(), ip(service), a1, a2);
            } finally {
                mesh.startAgain(mesh.policy());
            }
            world.apply(service.noBackends().to(WEB, b1));
            reaches(client1.place(), ip(service), b1);
        }

        @Test
        @DisplayName("should be able to create a functioning NodePort service")
        void functioningNodePort() throws IOException {
            int port = world.nextNodePort();
            TestService service = service("node-port")
                    .type("NodePort")
                    .port("", "TCP", 80, port)
                    .to(WEB, a2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                for (MeshNode node : List.of(world.one(), world.two())) {
                    InetSocketAddress to = at(world.address(node, six), port);
                    for (Place from : List.of(world.outside(), client1.place(), client2.place(), node1(), node2())) {
                        reaches(from, to, a2);
                    }
                }
                reaches(client1.place(), ip(service, six, 80), a2);
            }
        }

        @Test
        @DisplayName(
                "should be possible to connect to a service via ExternalIP when the external IP is not assigned to a node")
        void externalIp() throws IOException {
            String four = "203.0.113.50";
            String six = "2001:db8:3::50";
            TestService service = web("external")
                    .with("externalIPs: ['" + four + "', '" + six + "']")
                    .to(WEB, a2);
            world.apply(service);
            for (String address : List.of(four, six)) {
                reaches(client1.place(), at(address, 80), a2);
                world.route(address, world.one());
                reaches(world.outside(), at(address, 80), a2);
            }
        }

        @Test
        @DisplayName(
                "should be able to update service type to NodePort listening on same port number but different protocols")
        void samePortNumberOtherProtocols() throws IOException {
            int port = world.nextNodePort();
            TestService service = service("protocols");
            world.apply(service.port("tcp", "TCP", 80).to(WEB, a1));
            reaches(client1.place(), ip(service), a1);
            world.apply(service.type("NodePort")
                    .port("tcp", "TCP", 80, port)
                    .port("udp", "UDP", 80, port)
                    .to(List.of(8080, 8080), a1));
            for (boolean tcp : List.of(true, false)) {
                reaches(client1.place(), tcp, ip(service), a1);
                reaches(world.outside(), tcp, at(world.two().address(), port), a1);
            }
        }

        @Test
        @DisplayName("should be able to change the type from ExternalName to ClusterIP")
        void externalNameToClusterIp() throws IOException {
            TestService service = web("name-to-ip").to(WEB, a1);
            world.apply(service.type("ExternalName"));
            notServed(client1.place(), ip(service));
            world.apply(service);
            reaches(client1.place(), ip(service), a1);
        }

        @Test
        @DisplayName("should be able to change the type from ExternalName to NodePort")
        void externalNameToNodePort() throws IOException {
            TestService service = service("name-to-port")
                    .type("NodePort")
                    .port("", "TCP", 80, world.nextNodePort())
                    .to(WEB, a1);
            world.apply(service.type("ExternalName"));
            notServed(client1.place(), ip(service));
            world.apply(service);
            reaches(client1.place(), ip(service), a1);
            reaches(world.outside(), nodePort(world.one(), service), a1);
        }

        @Test
        @DisplayName("should be able to change the type from ClusterIP to ExternalName")
        void clusterIpToExternalName() throws IOException {
            TestService service = web("ip-to-name").to(WEB, a1);
            world.apply(service);
            reaches(client1.place(), ip(service), a1);
            world.apply(service.type("ExternalName"));
            notServed(client1.place(), ip(service));
        }

        @Test
        @DisplayName("should be able to change the type from NodePort to ExternalName")
        void nodePortToExternalName() throws IOException {
            TestService service = service("port-to-name")
                    .type("NodePort")
                    .port("", "TCP", 80, world.nextNodePort())
                    .to(WEB, a1);
            world.apply(service);
            reaches(world.outside(), nodePort(world.two(), service), a1);
            world.apply(service.type("ExternalName"));
            notServed(world.outside(), nodePort(world.two(), service));
            notServed(client1.place(), ip(service));
        }

        @Test
        @DisplayName("should create endpoints for unready pods")
        void unreadyPods() throws IOException {
            // The controller of slices calls them ready where publishNotReadyAddresses is true.
            TestService service = web("unready").with("publishNotReadyAddresses: true");
            world.apply(service.to(WEB, State.UNREADY, a1));
            refused(client1.place(), ip(service));
            world.apply(service.to(WEB, State.READY, a1));
            reaches(client1.place(), ip(service), a1);
            world.apply(service.to(WEB, State.PUBLISHED_TERMINATING, a1));
            reaches(client1.place(), ip(service), a1);
        }

        @Test
        @DisplayName(
                "should be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true")
        void publishedTerminating() throws IOException {
            TestService service = service("published")
                    .type("NodePort")
                    .port("", "TCP", 80, world.nextNodePort())
                    .with("publishNotReadyAddresses: true")
                    .to(WEB, State.PUBLISHED_TERMINATING, a1, a2);
            world.apply(service);
            reaches(client1.place(), ip(service), a1, a2);
            reaches(world.outside(), nodePort(world.two(), service), a1, a2);
        }

        @Test
        @DisplayName(
                "should not be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is false")
        void terminatingAndUnready() throws IOException {
            TestService service = service("ended").type("NodePort").port("", "TCP", 80, world.nextNodePort());
            world.apply(service.to(WEB, a1));
            reaches(client1.place(), ip(service), a1);
            world.apply(service.to(WEB, State.ENDED, a1));
            refused(client1.place(), ip(service));
            refused(world.outside(), nodePort(world.one(), service));
        }

        @Test
        @DisplayName("should have session affinity work for service with type clusterIP [LinuxOnly]")
        void affinityOfClusterIp() throws IOException {
            TestService service = web("sticky").with(affinity(10_800)).to(WEB, a1, b1, a2, b2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                sticks(client1.place(), true, ip(service, six, 80));
            }
        }

        @Test
        @DisplayName("should have session affinity timeout work for service with type clusterIP [LinuxOnly]")
        void affinityTimeoutOfClusterIp() throws IOException {
            TestService service = web("short").with(affinity(1)).to(WEB, a1, b1, a2, b2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                affinityEnds(client1.place(), ip(service, six, 80), Duration.ofSeconds(1));
            }
        }

        @Test
        @DisplayName("should be able to switch session affinity for service with type clusterIP [LinuxOnly]")
        void affinitySwitchOfClusterIp() throws IOException {
            TestService service = web("switch").to(WEB, a1, b1, a2, b2);
            world.apply(service);
            reaches(client1.place(), ip(service), a1, b1, a2, b2);
            world.apply(service.with(affinity(10_800)));
            sticks(client1.place(), true, ip(service));
            world.apply(service);
            reaches(client1.place(), ip(service), a1, b1, a2, b2);
        }

        private TestService stickyNodePort(String name, int seconds) {
            return service(name)
                    .type("NodePort")
                    .port("", "TCP", 80, world.nextNodePort())
                    .with(affinity(seconds))
                    .to(WEB, a1, b1, a2, b2);
        }

        @Test
        @DisplayName("should have session affinity work for NodePort service [LinuxOnly]")
        void affinityOfNodePort() throws IOException {
            TestService service = stickyNodePort("sticky-port", 10_800);
            world.apply(service);
            sticks(client1.place(), true, nodePort(world.one(), service));
            sticks(world.outside(), true, nodePort(world.two(), service));
        }

        @Test
        @DisplayName("should have session affinity timeout work for NodePort service [LinuxOnly]")
        void affinityTimeoutOfNodePort() throws IOException {
            TestService service = stickyNodePort("short-port", 1);
            world.apply(service);
            affinityEnds(world.outside(), nodePort(world.one(), service), Duration.ofSeconds(1));
        }

        @Test
        @DisplayName("should be able to switch session affinity for NodePort service [LinuxOnly]")
        void affinitySwitchOfNodePort() throws IOException {
            TestService service = stickyNodePort("switch-port", 10_800);
            InetSocketAddress to = nodePort(world.one(), service);
            world.apply(service.with(""));
            reaches(world.outside(), to, a1, b1, a2, b2);
            world.apply(service);
            sticks(world.outside(), true, to);
            world.apply(service.with(""));
            reaches(world.outside(), to, a1, b1, a2, b2);
        }

        private void implementsLabel(String name, String label) throws IOException {
            TestService service = web(name).to(WEB, a1);
            TestService witness = web(name + "-witness").to(WEB, b1);
            world.apply(service.labels(label));
            world.apply(witness);
            reaches(client1.place(), ip(witness), b1);
            notServed(client1.place(), ip(service));
            world.apply(service);
            reaches(client1.place(), ip(service), a1);
            world.apply(service.labels(label));
            notServed(client1.place(), ip(service));
        }

        @Test
        @DisplayName("should implement service.kubernetes.io/service-proxy-name")
        void serviceProxyName() throws IOException {
            implementsLabel("other-proxy", "service.kubernetes.io/service-proxy-name: other");
        }

        @Test
        @DisplayName("should implement service.kubernetes.io/headless")
        void headless() throws IOException {
            implementsLabel("headless", "service.kubernetes.io/headless: ''");
        }

        @Test
        @DisplayName("should be rejected when no endpoints exist")
        void noEndpoints() throws IOException {
            int port = world.nextNodePort();
            TestService service = service("nobody")
                    .type("NodePort")
                    .port("tcp", "TCP", 80, port)
                    .port("udp", "UDP", 80, port);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                for (boolean tcp : List.of(true, false)) {
                    for (Place from : List.of(client1.place(), node1())) {
                        answers(from, tcp, ip(service, six, 80), Answer.Refused.class);
                    }
                    for (Place from : List.of(world.outside(), client1.place())) {
                        answers(from, tcp, at(world.address(world.two(), six), port), Answer.Refused.class);
                    }
                }
            }
        }

        @Test
        @DisplayName("should respect internalTrafficPolicy=Local Pod to Pod")
        void internalLocal() throws IOException {
            TestService service = web("internal-local").with(INTERNAL_LOCAL);
            world.apply(service.to(WEB, a1, a2));
            reaches(client1.place(), ip(service), a1);
            reaches(client2.place(), ip(service), a2);
            world.apply(service.to(WEB, a1));
            reaches(client1.place(), ip(service), a1);
            dropped(client2.place(), ip(service));
        }

        @Test
        @DisplayName("podwire service says who is chosen, and why others are not")
        void explained() throws IOException {
            TestService service = web("explained").with(INTERNAL_LOCAL).to(WEB, a1, a2);
            world.apply(service);
            reaches(client1.place(), ip(service), a1);
            String vip = service.ips().getFirst();
            Shell.Ended explain = mesh.podwireService("explain", vip + ":80", "--node", a1.node());
            assertThat(explain.exitCode()).as("%s", explain).isZero();
            assertThat(explain.stdout())
                    .contains(vip + ":80 (cluster IP) is service", "/explained, port 80/TCP, as node " + a1.node())
                    .containsPattern(a1.four() + ":8080 +" + a1.node() + " .*no +yes +.*it is on this node")
                    .containsPattern(a2.four() + ":8080 +" + a2.node() + " .*no +no +.*it is on node " + a2.node());
            Shell.Ended nobody = mesh.podwireService("explain", vip + ":81");
            assertThat(nobody.exitCode()).as("%s", nobody).isNotZero();
            assertThat(nobody.stderr()).contains(vip + ":81");
            assertThat(mesh.podwireService("list").stdout()).contains("explained", vip);
        }

        @Test
        @DisplayName("should respect internalTrafficPolicy=Local Pod (hostNetwork: true) to Pod")
        void internalLocalFromNode() throws IOException {
            TestService service = web("internal-node").with(INTERNAL_LOCAL).to(WEB, a1);
            world.apply(service);
            reaches(node1(), ip(service), a1);
            dropped(node2(), ip(service));
        }

        @Test
        @DisplayName("should respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)")
        void internalLocalToNode() throws IOException {
            ServerPod host = world.hostPod("host1", world.one());
            try (EchoServer _ = host.server()) {
                TestService service =
                        web("internal-host").with(INTERNAL_LOCAL).to(List.of(ServiceWorld.HOST_PORTS.getFirst()), host);
                world.apply(service);
                reaches(client1.place(), ip(service), host);
                reaches(node1(), ip(service), host);
                dropped(client2.place(), ip(service));
                dropped(node2(), ip(service));
            }
        }

        @Test
        @DisplayName("should support externalTrafficPolicy=Local for type=NodePort")
        void externalLocal() throws IOException {
            int port = world.nextNodePort();
            TestService service = service("external-local")
                    .type("NodePort")
                    .port("", "TCP", 80, port)
                    .with(EXTERNAL_LOCAL)
                    .to(WEB, a2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                assertThat(answer(world.outside(), true, at(world.address(world.two(), six), port), a2)
                                .client())
                        .as("whom the server sees")
                        .isEqualTo(world.outsideAddress(six));
                dropped(world.outside(), at(world.address(world.one(), six), port));
                // From inside the cluster all endpoints serve, at whatever node.
                reaches(client1.place(), at(world.address(world.one(), six), port), a2);
                reaches(node1(), at(world.address(world.one(), six), port), a2);
            }
        }

        private int health(MeshNode node, int port) {
            return world.outside().http(at(node.address(), port), "/healthz");
        }

        private void healthBecomes(MeshNode node, int port, int code) {
            await("health of " + node.name() + " at " + port)
                    .atMost(SOON)
                    .pollInterval(AGAIN)
                    .untilAsserted(() -> assertThat(health(node, port)).isEqualTo(code));
        }

        private TestService balanced(String name, int health) {
            return service(name)
                    .type("LoadBalancer")
                    .port("", "TCP", 80, world.nextNodePort())
                    .with(EXTERNAL_LOCAL + ", healthCheckNodePort: " + health);
        }

        @Test
        @DisplayName("should fail health check node port if there are only terminating endpoints")
        void healthOfTerminating() throws IOException {
            int health = world.nextNodePort();
            TestService service = balanced("health", health);
            world.apply(service.to(WEB, a1));
            healthBecomes(world.one(), health, 200);
            healthBecomes(world.two(), health, 503);
            world.apply(service.to(WEB, State.TERMINATING, a1));
            healthBecomes(world.one(), health, 503);
        }

        @Test
        @DisplayName(
                "should fallback to terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Cluster")
        void terminatingInternalCluster() throws IOException {
            TestService service = web("term-ic");
            world.apply(service.to(WEB, a1).to(WEB, State.TERMINATING, a2));
            reaches(client1.place(), ip(service), a1);
            world.apply(service.to(WEB, State.TERMINATING, a1, a2));
            reaches(client1.place(), ip(service), a1, a2);
            reaches(node2(), ip(service), a1, a2);
        }

        @Test
        @DisplayName(
                "should fallback to local terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Local")
        void terminatingInternalLocal() throws IOException {
            TestService service = web("term-il").with(INTERNAL_LOCAL);
            world.apply(service.to(WEB, State.TERMINATING, a1).to(WEB, a2));
            reaches(client1.place(), ip(service), a1);
            reaches(client2.place(), ip(service), a2);
            world.apply(service.to(WEB, State.TERMINATING, a1));
            reaches(client1.place(), ip(service), a1);
            dropped(client2.place(), ip(service));
        }

        @Test
        @DisplayName(
                "should fallback to terminating endpoints when there are no ready endpoints with externallTrafficPolicy=Cluster")
        void terminatingExternalCluster() throws IOException {
            TestService service = service("term-ec").type("NodePort").port("", "TCP", 80, world.nextNodePort());
            world.apply(service.to(WEB, a1).to(WEB, State.TERMINATING, a2));
            reaches(world.outside(), nodePort(world.two(), service), a1);
            world.apply(service.to(WEB, State.TERMINATING, a1, a2));
            reaches(world.outside(), nodePort(world.one(), service), a1, a2);
            reaches(world.outside(), nodePort(world.two(), service), a1, a2);
        }

        @Test
        @DisplayName(
                "should fallback to local terminating endpoints when there are no ready endpoints with externalTrafficPolicy=Local")
        void terminatingExternalLocal() throws IOException {
            TestService service = service("term-el")
                    .type("NodePort")
                    .port("", "TCP", 80, world.nextNodePort())
                    .with(EXTERNAL_LOCAL);
            world.apply(service.to(WEB, State.TERMINATING, a1).to(WEB, a2));
            reaches(world.outside(), nodePort(world.one(), service), a1);
            reaches(world.outside(), nodePort(world.two(), service), a2);
            world.apply(service.to(WEB, State.TERMINATING, a1));
            reaches(world.outside(), nodePort(world.one(), service), a1);
            dropped(world.outside(), nodePort(world.two(), service));
        }

        @Test
        @DisplayName("should serve endpoints on same port and different protocols")
        void samePortOtherProtocols() throws IOException {
            TestService service = service("both");
            TestService ports = service.port("tcp", "TCP", 80).port("udp", "UDP", 80);
            world.apply(ports.to(List.of(8080, 8080), a1));
            reaches(client1.place(), true, ip(service), a1);
            reaches(client1.place(), false, ip(service), a1);
            world.apply(service.port("tcp", "TCP", 80).to(WEB, a1));
            await("UDP is not served")
                    .atMost(SOON)
                    .untilAsserted(() ->
                            assertThat(client1.place().ask(false, ip(service))).isNotInstanceOf(Answer.From.class));
            reaches(client1.place(), true, ip(service), a1);
        }

        @Test
        @DisplayName(
                "should serve endpoints on same port and different protocol for internal traffic on Type LoadBalancer")
        void loadBalancerFromInside() throws IOException {
            String four = "203.0.113.60";
            TestService service = service("balanced")
                    .type("LoadBalancer")
                    .port("tcp", "TCP", 80, world.nextNodePort())
                    .port("udp", "UDP", 80, world.nextNodePort())
                    .ingress(four)
                    .to(List.of(8080, 8081), a2);
            world.apply(service);
            for (Place from : List.of(client1.place(), client2.place(), node1())) {
                assertThat(answer(from, true, at(four, 80), a2).port()).isEqualTo(8080);
                assertThat(answer(from, false, at(four, 80), a2).port()).isEqualTo(8081);
            }
            world.route(four, world.one());
            reaches(world.outside(), at(four, 80), a2);
        }

        @Test
        @DisplayName("should allow creating a basic SCTP service with pod and endpoints [LinuxOnly]")
        void sctp() throws IOException {
            sctpOrSkip();
            TestService service = service("sctp").port("", "SCTP", 5060).to(WEB, a1);
            world.apply(service);
        }

        @Test
        @DisplayName("should implement NodePort and HealthCheckNodePort correctly when ExternalTrafficPolicy changes")
        void externalPolicyChanges() throws IOException {
            int health = world.nextNodePort();
            TestService local = balanced("policy-changes", health).to(WEB, a2);
            InetSocketAddress first = nodePort(world.one(), local);
            InetSocketAddress second = nodePort(world.two(), local);
            world.apply(local);
            healthBecomes(world.two(), health, 200);
            healthBecomes(world.one(), health, 503);
            dropped(world.outside(), first);
            assertThat(answer(world.outside(), true, second, a2).client()).isEqualTo(world.outsideAddress(false));
            world.apply(local.with(""));
            reaches(world.outside(), first, a2);
            reaches(world.outside(), second, a2);
            healthBecomes(world.two(), health, 0);
            world.apply(local);
            dropped(world.outside(), first);
            reaches(world.outside(), second, a2);
            healthBecomes(world.two(), health, 200);
        }

        @Test
        @DisplayName("should support named targetPorts that resolve to different ports on different endpoints")
        void namedTargetPorts() throws IOException {
            TestService service = service("named").port("web", "TCP", 80);
            world.apply(service.to(List.of(8080), a1).to(List.of(8081), a2));
            reaches(client1.place(), ip(service), a1, a2);
            for (int i = 0; i < LOOKS; i++) {
                var answer = (Answer.From) client1.place().ask(true, ip(service));
                assertThat(answer.port()).isEqualTo(answer.server().equals("a1") ? 8080 : 8081);
            }
        }

        @Test
        @DisplayName("loadBalancerSourceRanges say who reaches load balancer addresses")
        void sourceRanges() throws IOException {
            String four = "203.0.113.61";
            TestService service = service("ranges")
                    .type("LoadBalancer")
                    .port("", "TCP", 80, world.nextNodePort())
                    .ingress(four)
                    .to(WEB, a2);
            world.route(four, world.one());
            world.apply(service.with("loadBalancerSourceRanges: ['" + world.outsideAddress(false) + "/32']"));
            reaches(world.outside(), at(four, 80), a2);
            dropped(client1.place(), at(four, 80));
            world.apply(service.with("loadBalancerSourceRanges: ['198.51.100.0/24']"));
            dropped(world.outside(), at(four, 80));
            reaches(client1.place(), ip(service), a2);
            reaches(world.outside(), nodePort(world.one(), service), a2);
        }
    }

    /** Java needs sockets of SCTP of the kernel and the library libsctp. */
    private static void sctpOrSkip() {
        boolean there;
        try (SctpServerChannel _ = SctpServerChannel.open()) {
            there = true;
        } catch (IOException | UnsupportedOperationException | UnsatisfiedLinkError _) {
            there = false;
        }
        assumeTrue(there, "no sockets of SCTP on this machine: there is nothing to send");
    }

    @Nested
    @DisplayName("Addresses over BGP")
    final class OverBgp {
        private static final String ALL = "203.0.113.0/24";
        private static final String FOUR = "203.0.113.70";
        private static final String SIX = "2001:db8:113::70";
        private static final String POOLED = "198.51.100.70";

        private Bird router;

        @BeforeEach
        void begin(@TempDir Path folder) {
            router = world.router(folder);
        }

        @AfterEach
        void end() throws IOException {
            router.close();
            world.forgetLearned();
            mesh.removePools("balancers");
        }

        @Test
        @DisplayName(
                "of externalTrafficPolicy Local lead to nodes with endpoints, and packets keep their client's address")
        void localLeadsToItsEndpoints() throws Exception {
            TestService service = service("bgp-local")
                    .type("LoadBalancer")
                    .port("", "TCP", 80, world.nextNodePort())
                    .ingress(FOUR, SIX)
                    .with(EXTERNAL_LOCAL + ", externalIPs: ['" + POOLED + "', '10.77.0.1']");
            world.apply(service.to(WEB, a1).to(WEB, State.UNREADY, a2));
            leads(FOUR, false, world.one());
            leads(SIX, true, world.one());
            leadsToAll();
            served(a1);
            assertThat(mesh.bgp("explain", FOUR))
                    .containsPattern(FOUR + "/32 +" + world.one().address() + " +node svc-1 +service address");
            assertThat(router.route(POOLED + "/32")).as("in no pool").doesNotContain("BGP");
            assertThat(world.one().api().status().orElseThrow().getWarningsList())
                    .anySatisfy(warning -> assertThat(warning).contains("10.77.0.1", "--bgp-services"));

            mesh.applyPools("balancers", """
                    apiVersion: podwire.io/v1
                    kind: IPPool
                    metadata: {name: balancers}
                    spec: {cidr: 198.51.100.64/28, blockLength: 28, purpose: LoadBalancer}
                    """);
            leads(POOLED, false, world.one());
            world.apply(service.to(WEB, a2));
            leads(FOUR, false, world.two());
            leads(SIX, true, world.two());
            served(a2);
            world.apply(service.to(WEB, a1, a2));
            leads(FOUR, false, world.one(), world.two());
            world.apply(service.to(WEB, State.TERMINATING, a1));
            leads(FOUR, false, world.one());
            served(a1);

            long withdrawn = withdrawals();
            long starts = world.one().shim().logged("ports of Services are served");
            world.one().shim().kill();
            served(a1);
            world.one().start();
            await("it knows its Services again")
                    .atMost(SOON)
                    .pollInterval(AGAIN)
                    .until(() -> world.one().shim().logged("ports of Services are served") > starts);
            served(a1);
            assertThat(withdrawals())
                    .as("a node-shim that starts again serves on")
                    .isEqualTo(withdrawn);

            world.apply(service);
            gone();
            leadsToAll();
            world.apply(service.with("").to(WEB, a1));
            reaches(world.outside(), at(FOUR, 80), a1);
            gone();
        }

        private void served(ServerPod pod) {
            for (boolean six : List.of(false, true)) {
                assertThat(answer(world.outside(), true, at(six ? SIX : FOUR, 80), pod)
                                .client())
                        .as("whom the server sees")
                        .isEqualTo(world.outsideAddress(six));
            }
        }

        private void leads(String address, boolean six, MeshNode... nodes) {
            assertNextHops(address + (six ? "/128" : "/32"), six, nodes);
        }

        private void leadsToAll() {
            assertNextHops(ALL, false, world.one(), world.two());
        }

        private void assertNextHops(String prefix, boolean six, MeshNode... nodes) {
            Set<String> wanted =
                    Stream.of(nodes).map(node -> world.address(node, six)).collect(Collectors.toSet());
            await("next hops of " + prefix)
                    .atMost(SOON)
                    .pollInterval(AGAIN)
                    .untilAsserted(() -> assertThat(router.route(prefix)
                                    .lines()
                                    .filter(line -> line.contains("BGP.next_hop:"))
                                    // A global address may have a link-local one behind it.
                                    .map(line -> line.replaceFirst(".*next_hop: *", "")
                                            .replaceFirst(" .*", ""))
                                    .collect(Collectors.toSet()))
                            .isEqualTo(wanted));
        }

        private void gone() {
            for (String prefix : List.of(FOUR + "/32", SIX + "/128", POOLED + "/32")) {
                await(prefix + " is withdrawn")
                        .atMost(SOON)
                        .pollInterval(AGAIN)
                        .untilAsserted(() -> assertThat(router.route(prefix)).doesNotContain("BGP"));
            }
        }

        /** Received, of both families. */
        private long withdrawals() {
            return router.ask("show", "protocols", "all", "up")
                    .lines()
                    .filter(line -> line.contains("Import withdraws:"))
                    .mapToLong(line -> Long.parseLong(
                            line.replaceFirst(".*withdraws: *", "").replaceFirst(" .*", "")))
                    .sum();
        }
    }

    @Nested
    @DisplayName("Connection tracking")
    final class ConnectionTracking {
        /** One socket asks until a server answers it. */
        private static void talksTo(Place.Talk talk, ServerPod pod) {
            await("the flow is answered by " + pod.name())
                    .atMost(SOON)
                    .pollInterval(AGAIN)
                    .untilAsserted(() -> assertThat(talk.ask())
                            .isInstanceOfSatisfying(
                                    Answer.From.class,
                                    answer -> assertThat(answer.server()).isEqualTo(pod.name())));
        }

        private TestService dns(String name, String fields) {
            return service(name)
                    .type("NodePort")
                    .port("udp", "UDP", 80, world.nextNodePort())
                    .with(fields);
        }

        private void cycles(TestService service, Place from, InetSocketAddress to) throws IOException {
            ServerPod first = world.pod("udp-1", world.one());
            ServerPod second = world.pod("udp-2", world.one());
            ServerPod left = second;
            try (Place.Talk talk = from.talk(to)) {
                world.apply(service.to(WEB, first));
                talksTo(talk, first);
                // The flow goes on while its server ends.
                world.apply(service.to(WEB, second));
                world.delete(first);
                talksTo(talk, second);
                // And once more with nobody between.
                world.apply(service);
                world.delete(second);
                answers(from, false, to, Answer.Refused.class);
                assertThat(talk.ask()).isNotInstanceOf(Answer.From.class);
                left = world.pod("udp-3", world.one());
                world.apply(service.to(WEB, left));
                talksTo(talk, left);
            } finally {
                world.delete(left);
            }
        }

        @Test
        @DisplayName("should be able to preserve UDP traffic when server pod cycles for a NodePort service")
        void nodePort() throws IOException {
            TestService service = dns("udp-node-port", "");
            cycles(service, world.outside(), ServiceCasesLabTest.this.nodePort(world.two(), service));
        }

        @Test
        @DisplayName("should be able to preserve UDP traffic when server pod cycles for a ClusterIP service")
        void clusterIp() throws IOException {
            TestService service = dns("udp-cluster-ip", "");
            cycles(service, client2.place(), ip(service));
        }

        @Test
        @DisplayName(
                "should be able to preserve UDP traffic when server pod cycles for a ClusterIP service with InternalTrafficPolicy set to Local")
        void clusterIpLocal() throws IOException {
            TestService service = dns("udp-local", INTERNAL_LOCAL);
            cycles(service, client1.place(), ip(service));
        }

        @Test
        @DisplayName(
                "should be able to preserve UDP traffic when server pod cycles for a ClusterIP service and client is hostNetwork")
        void clusterIpFromNode() throws IOException {
            TestService service = dns("udp-from-node", "");
            cycles(service, node2(), ip(service));
        }

        @Test
        @DisplayName("should be able to preserve UDP traffic when initial unready endpoints get ready")
        void unreadyGetReady() throws IOException {
            TestService service = dns("udp-ready", "");
            for (Place from : List.of(client1.place(), world.outside())) {
                InetSocketAddress to = from.equals(world.outside())
                        ? ServiceCasesLabTest.this.nodePort(world.two(), service)
                        : ip(service);
                // Before there is a service, when it has nobody, and when somebody is ready: always the same flow.
                try (Place.Talk talk = from.talk(to)) {
                    assertThat(talk.ask()).isNotInstanceOf(Answer.From.class);
                    world.apply(service.to(WEB, State.UNREADY, a1));
                    answers(from, false, to, Answer.Refused.class);
                    assertThat(talk.ask()).isNotInstanceOf(Answer.From.class);
                    world.apply(service.to(WEB, a1));
                    talksTo(talk, a1);
                }
                world.remove(service.name());
                await("the service is gone")
                        .atMost(SOON)
                        .untilAsserted(() -> assertThat(from.ask(false, to)).isNotInstanceOf(Answer.From.class));
            }
        }

        /** A packet of an open connection with a sequence number far outside of its window, which conntrack calls invalid. */
        private static final String OUT_OF_WINDOW = """
                import socket, struct, sys
                source, sport, destination, dport = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
                tcp = struct.pack('!HHIIBBHHH', sport, dport, 0x7fff0000, 0x7fff0000, 5 << 4, 0x10, 512, 0, 0)
                pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack('!BBH', 0, 6, len(tcp))
                total = sum(struct.unpack('!%dH' % (len(pseudo + tcp) // 2), pseudo + tcp))
                total = (total & 0xffff) + (total >> 16)
                total = ~(total + (total >> 16)) & 0xffff
                raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
                for _ in range(20):
                    raw.sendto(tcp[:16] + struct.pack('!H', total) + tcp[18:], (destination, 0))
                """;

        @Test
        @DisplayName("proxy implementation should not be vulnerable to the invalid conntrack state bug [Privileged]")
        void invalidState() throws IOException {
            assumeTrue(Shell.installed("python3"), "python3 is not installed: nothing else here sends such packets");
            TestService service = web("invalid").to(WEB, a2);
            world.apply(service);
            reaches(client1.place(), ip(service), a2);
            try (Place.Held held = client1.place().hold(ip(service))) {
                // It must not reach the client with the pod's own address as its source: the client would reset what it
                // does not know, and with that the connection.
                var _ = Shell.output(
                        "nsenter",
                        "--net=" + a2.place().netns(),
                        "--",
                        "python3",
                        "-c",
                        OUT_OF_WINDOW,
                        a2.four(),
                        "8080",
                        held.server().client(),
                        Integer.toString(held.server().clientPort()));
                assertThat(held.echoes(1000)).as("the connection still lives").isTrue();
            }
        }

        @Test
        @DisplayName(
                "should be able to cleanup conntrack entries when UDP service target port changes for a NodePort service")
        void targetPortChanges() throws IOException {
            TestService service = dns("udp-target", "");
            world.apply(service.to(List.of(8080), a1));
            InetSocketAddress to = ServiceCasesLabTest.this.nodePort(world.two(), service);
            try (Place.Talk talk = world.outside().talk(to)) {
                for (int port : List.of(8080, 8081, 8080)) {
                    world.apply(service.to(List.of(port), a1));
                    await("the flow goes to port " + port)
                            .atMost(SOON)
                            .pollInterval(AGAIN)
                            .untilAsserted(() -> assertThat(talk.ask())
                                    .isInstanceOfSatisfying(
                                            Answer.From.class,
                                            answer -> assertThat(answer.port()).isEqualTo(port)));
                }
            }
        }
    }

    @Nested
    @DisplayName("Dual stack")
    final class DualStack {
        @Test
        @DisplayName("should create pod, add ipv6 and ipv4 ip to pod ips")
        void podIps() {
            for (ServerPod pod : List.of(a1, a2)) {
                assertThat(pod.four()).as("IPv4").startsWith("10.244.");
                assertThat(pod.six()).as("IPv6").startsWith("fd00:244:");
            }
        }

        @Test
        @DisplayName("should be able to reach pod on ipv4 and ipv6 ip")
        void reachPod() {
            for (boolean six : List.of(false, true)) {
                for (boolean tcp : List.of(true, false)) {
                    for (ServerPod pod : List.of(a1, a2)) {
                        reaches(client1.place(), tcp, pod.at(six, 8080), pod);
                        assertThat(answer(client1.place(), tcp, pod.at(six, 8081), pod)
                                        .client())
                                .isEqualTo(client1.address(six));
                    }
                }
            }
        }

        /** Served in these families and in no other. */
        private void servedAt(String name, boolean... families) throws IOException {
            List<String> both = world.nextIps();
            List<String> ips = new ArrayList<>();
            for (boolean six : families) {
                ips.add(both.get(six ? 1 : 0));
            }
            TestService service = TestService.of(name, ips.toArray(String[]::new))
                    .port("", "TCP", 80)
                    .to(WEB, a1, a2);
            world.apply(service);
            for (String ip : ips) {
                reaches(client1.place(), at(ip, 80), a1, a2);
            }
            for (String ip : both) {
                if (!ips.contains(ip)) {
                    notServed(client1.place(), at(ip, 80));
                }
            }
        }

        @Test
        @DisplayName("should create a single stack service with cluster ip from primary service range")
        void singleStack() throws IOException {
            servedAt("single", false);
        }

        @Test
        @DisplayName("should create service with ipv4 cluster ip")
        void four() throws IOException {
            servedAt("four", false);
        }

        @Test
        @DisplayName("should create service with ipv6 cluster ip")
        void six() throws IOException {
            servedAt("six", true);
        }

        @Test
        @DisplayName("should create service with ipv4,v6 cluster ip")
        void fourAndSix() throws IOException {
            servedAt("four-six", false, true);
        }

        @Test
        @DisplayName("should create service with ipv6,v4 cluster ip")
        void sixAndFour() throws IOException {
            servedAt("six-four", true, false);
        }

        /** From some places to cluster IPs and node ports of both families. */
        private void functions(String name, boolean tcp, List<Place> from) throws IOException {
            int port = world.nextNodePort();
            TestService service = service(name)
                    .type("NodePort")
                    .port("", tcp ? "TCP" : "UDP", 80, port)
                    .to(WEB, a1, a2);
            world.apply(service);
            for (Place place : from) {
                for (boolean six : List.of(false, true)) {
                    reaches(place, tcp, ip(service, six, 80), a1, a2);
                    reaches(place, tcp, at(world.address(world.one(), six), port), a1, a2);
                    reaches(place, tcp, at(world.address(world.two(), six), port), a1, a2);
                }
            }
        }

        @Test
        @DisplayName("should function for pod-Service: http")
        void podTcp() throws IOException {
            functions("pod-tcp", true, List.of(client1.place(), client2.place()));
        }

        @Test
        @DisplayName("should function for pod-Service: udp")
        void podUdp() throws IOException {
            functions("pod-udp", false, List.of(client1.place(), client2.place()));
        }

        @Test
        @DisplayName("should function for pod-Service: sctp")
        void podSctp() {
            sctpOrSkip();
        }

        @Test
        @DisplayName("should function for node-Service: http")
        void nodeTcp() throws IOException {
            functions("node-tcp", true, List.of(node1(), node2()));
        }

        @Test
        @DisplayName("should function for node-Service: udp")
        void nodeUdp() throws IOException {
            functions("node-udp", false, List.of(node1(), node2()));
        }

        @Test
        @DisplayName("should function for endpoint-Service: http")
        void endpointTcp() throws IOException {
            functions("endpoint-tcp", true, List.of(a1.place(), a2.place()));
        }

        @Test
        @DisplayName("should function for endpoint-Service: udp")
        void endpointUdp() throws IOException {
            functions("endpoint-udp", false, List.of(a1.place(), a2.place()));
        }

        private void updates(String name, boolean tcp) throws IOException {
            TestService service = service(name).port("", tcp ? "TCP" : "UDP", 80);
            for (ServerPod[] pods :
                    List.of(new ServerPod[] {a1, b1, a2, b2}, new ServerPod[] {a1, b1, a2}, new ServerPod[] {b2})) {
                world.apply(service.to(WEB, pods));
                for (boolean six : List.of(false, true)) {
                    reaches(client1.place(), tcp, ip(service, six, 80), pods);
                    reaches(node1(), tcp, ip(service, six, 80), pods);
                }
            }
        }

        @Test
        @DisplayName("should update endpoints: http")
        void updatesTcp() throws IOException {
            updates("update-tcp", true);
        }

        @Test
        @DisplayName("should update endpoints: udp")
        void updatesUdp() throws IOException {
            updates("update-udp", false);
        }

        private void affinityOf(String name, boolean tcp) throws IOException {
            TestService service = service(name)
                    .port("", tcp ? "TCP" : "UDP", 80)
                    .with(affinity(10_800))
                    .to(WEB, a1, b1, a2, b2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                sticks(client1.place(), tcp, ip(service, six, 80));
            }
        }

        @Test
        @DisplayName("should function for client IP based session affinity: http [LinuxOnly]")
        void affinityTcp() throws IOException {
            affinityOf("affinity-tcp", true);
        }

        @Test
        @DisplayName("should function for client IP based session affinity: udp [LinuxOnly]")
        void affinityUdp() throws IOException {
            affinityOf("affinity-udp", false);
        }

        @Test
        @DisplayName("should be able to handle large requests: http")
        void largeTcp() throws IOException {
            TestService service = web("large-tcp").to(WEB, a2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                reaches(client1.place(), ip(service, six, 80), a2);
                try (Place.Held held = client1.place().hold(ip(service, six, 80))) {
                    assertThat(held.echoes(1 << 20)).as("a mebibyte comes back").isTrue();
                }
            }
        }

        @Test
        @DisplayName("should be able to handle large requests: udp")
        void largeUdp() throws IOException {
            TestService service = service("large-udp").port("", "UDP", 80).to(WEB, a2);
            world.apply(service);
            for (boolean six : List.of(false, true)) {
                reaches(client1.place(), false, ip(service, six, 80), a2);
                try (Place.Talk talk = client1.place().talk(ip(service, six, 80))) {
                    assertThat(talk.ask(5000))
                            .as("a datagram that is larger than the MTU")
                            .isInstanceOf(Answer.From.class);
                }
            }
        }

        @Test
        @DisplayName("should function for service endpoints using hostNetwork")
        void hostNetwork() throws IOException {
            ServerPod host1 = world.hostPod("host1", world.one());
            ServerPod host2 = world.hostPod("host2", world.two());
            try (EchoServer _ = host1.server();
                    EchoServer _ = host2.server()) {
                int port = world.nextNodePort();
                TestService service = service("host-network")
                        .type("NodePort")
                        .port("tcp", "TCP", 80, port)
                        .port("udp", "UDP", 80, port)
                        .to(ServiceWorld.HOST_PORTS, host1, host2);
                world.apply(service);
                for (boolean six : List.of(false, true)) {
                    for (boolean tcp : List.of(true, false)) {
                        for (Place from : List.of(client1.place(), client2.place(), node1())) {
                            reaches(from, tcp, ip(service, six, 80), host1, host2);
                        }
                        reaches(world.outside(), tcp, at(world.address(world.two(), six), port), host1, host2);
                    }
                }
            }
        }
    }
}
