package io.podwire.e2e.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.LoadBalancerIngress;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.fabric8.mockwebserver.Context;
import io.fabric8.mockwebserver.MockWebServer;
import io.podwire.cli.lab.CniAttachment;
import io.podwire.cli.lab.CniRuntime;
import io.podwire.e2e.bgp.Bird;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.MeshNode;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.mesh.TestPod;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * The way of a Service of type LoadBalancer that has no address, from the API server to a client behind a router:
 * ipam-service gives it one and writes it to its status, policy-service compiles it, node-shim serves it, route-reflector
 * announces it. The API server is the client library's stand-in for tests.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
final class LoadBalancerAddressLabTest {
    private static final String IPAM = Mesh.ADDRESS + ":7771";
    private static final String POLICY = Mesh.ADDRESS + ":7772";
    private static final String ROUTE = Mesh.ADDRESS + ":7773";
    private static final int BGP_PORT = 1792;

    private static final String ROUTER = "lb-router";
    private static final String ROUTER_PORT = "e-lb-router";
    private static final String ROUTER_FOUR = "192.0.2.201";
    private static final String ROUTER_SIX = "2001:db8:2::201";
    private static final String POOL = "198.51.100.16/28";

    private static final Duration READY = Duration.ofSeconds(60);
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final Duration AGAIN = Duration.ofMillis(100);

    private static final String SERVICE = """
            apiVersion: v1
            kind: Service
            metadata: {namespace: shop, name: web}
            spec:
              type: LoadBalancer
              loadBalancerClass: podwire.io/load-balancer
              externalTrafficPolicy: Local
              clusterIP: 10.97.0.1
              clusterIPs: [10.97.0.1]
              ipFamilies: [IPv4]
              ports: [{name: http, protocol: TCP, port: 80, nodePort: 31080}]
            """;

    private final List<Daemon> daemons = new ArrayList<>();
    private KubernetesMockServer api;
    private KubernetesClient client;
    private MeshNode node;
    private TestPod pod;
    private EchoServer server;
    private Bird router;

    @BeforeEach
    void start(Mesh mesh, @TempDir Path folder) throws IOException {
        api = new KubernetesMockServer(
                new Context(), new MockWebServer(), new HashMap<>(), new KubernetesCrudDispatcher(), false);
        api.init(InetAddress.getLoopbackAddress(), 0);
        client = api.createClient();
        Path kubeconfig = Files.writeString(folder.resolve("kubeconfig"), """
                apiVersion: v1
                kind: Config
                clusters:
                - name: lab
                  cluster:
                    server: http://127.0.0.1:%d
                users:
                - name: lab
                  user: {}
                contexts:
                - name: lab
                  context: {cluster: lab, user: lab}
                current-context: lab
                """.formatted(api.getPort()));
        Path pools = Files.createDirectories(folder.resolve("pools"));
        Files.writeString(pools.resolve("balancers.yaml"), """
                apiVersion: podwire.io/v1
                kind: IPPool
                metadata: {name: balancers}
                spec: {cidr: %s, blockLength: 28, purpose: LoadBalancer, coolDown: 1h}
                """.formatted(POOL));
        begin(
                7781,
                new Daemon(
                        "ipam-service",
                        folder.resolve("ipam.log"),
                        withApi(kubeconfig),
                        List.of(
                                mesh.home().resolve("bin/ipam-service").toString(),
                                "--listen=" + IPAM,
                                "--http-listen=127.0.0.1:7781",
                                "--mvstore-file=" + folder.resolve("ipam.mv"),
                                "--pool=pods=10.248.0.0/24/26",
                                "--pool-dir=" + pools,
                                "--kubernetes-services")));
        begin(
                7782,
                new Daemon(
                        "policy-service",
                        folder.resolve("policy.log"),
                        withApi(kubeconfig),
                        List.of(
                                mesh.home().resolve("bin/policy-service").toString(),
                                "--listen=" + POLICY,
                                "--http-listen=127.0.0.1:7782",
                                "--kubernetes")));
        begin(
                7783,
                mesh.reflector(
                        folder.resolve("route.log"),
                        ROUTE,
                        7783,
                        IPAM,
                        "--bgp-asn=64512",
                        "--bgp-router-id=192.0.2.2",
                        "--bgp-listen=" + Mesh.ADDRESS + ":" + BGP_PORT,
                        "--bgp-services=pools",
                        "--bgp-peer=name=router,address=" + ROUTER_FOUR + ",asn=" + Mesh.ROUTER_ASN + ",passive=true"));
        var _ = create("""
                apiVersion: v1
                kind: Namespace
                metadata: {name: shop}
                """);
        node = mesh.node("lb-1", "--ipam-service", IPAM, "--policy-service", POLICY, "--route-reflector", ROUTE);
        var _ = create("""
                apiVersion: v1
                kind: Node
                metadata: {name: %s}
                status: {addresses: [{type: InternalIP, address: %s}]}
                """.formatted(node.name(), node.address()));
        node.start();
        router = router(folder);
    }

    private static List<String> withApi(Path kubeconfig) {
        return List.of("env", "KUBECONFIG=" + kubeconfig, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1");
    }

    private void begin(int httpPort, Daemon daemon) {
        daemons.add(daemon);
        daemon.start(List.of());
        URI readyz = URI.create("http://127.0.0.1:" + httpPort + "/readyz");
        await(readyz + " answers 200")
                .atMost(READY)
                .pollInterval(Duration.ofMillis(20))
                .failFast(daemon::assertAlive)
                .until(() -> answersOk(readyz));
    }

    private static boolean answersOk(URI url) {
        try {
            HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection(Proxy.NO_PROXY);
            connection.setConnectTimeout(2000);
            connection.setReadTimeout(2000);
            return connection.getResponseCode() == HttpURLConnection.HTTP_OK;
        } catch (IOException _) {
            return false;
        }
    }

    private static Bird router(Path folder) {
        Shell.ipBatch(List.of(
                "netns add " + ROUTER,
                "link add " + ROUTER_PORT + " type veth peer name eth0 netns " + ROUTER,
                "link set " + ROUTER_PORT + " master " + Mesh.BRIDGE + " up"));
        for (String line : List.of(
                "link set lo up",
                "addr add " + ROUTER_FOUR + "/24 dev eth0",
                "addr add " + ROUTER_SIX + "/64 dev eth0 nodad",
                "link set eth0 up")) {
            var _ = Shell.output(("ip -n " + ROUTER + " " + line).split(" ", -1));
        }
        return new Bird(
                        folder,
                        ROUTER,
                        new Bird.Place(ROUTER, ROUTER_FOUR, ROUTER_SIX),
                        Mesh.ROUTER_ASN,
                        "",
                        new Bird.Neighbour(Mesh.ADDRESS, BGP_PORT),
                        List.of())
                .start();
    }

    private HasMetadata create(String yaml) {
        return client.resource(yaml).create();
    }

    @AfterEach
    void end() {
        if (router != null) {
            router.close();
        }
        var _ = Shell.attempt("ip", "link", "delete", ROUTER_PORT);
        var _ = Shell.attempt("ip", "netns", "delete", ROUTER);
        if (server != null) {
            server.close();
        }
        if (pod != null) {
            pod.close();
        }
        if (node != null) {
            node.close();
        }
        daemons.reversed().forEach(Daemon::close);
        client.close();
        api.destroy();
    }

    @Test
    void aServiceWithoutAnAddressIsReachedByTheOneThatItIsGiven() throws IOException {
        String address = addPod();
        var _ = create(SERVICE);
        var _ = create(slice(address, true));
        String balanced = await("an address in its status")
                .atMost(SOON)
                .pollInterval(AGAIN)
                .until(this::balanced, found -> !found.isEmpty());
        assertThat(balanced).matches("198\\.51\\.100\\.(1[6-9]|2[0-9]|3[01])");

        awaitRoute(balanced, true);
        Place outside = new Place(ROUTER, Path.of("/run/netns", ROUTER));
        InetSocketAddress to = new InetSocketAddress(InetAddress.ofLiteral(balanced), 80);
        assertThat(outside.ask(true, to)).isInstanceOfSatisfying(Answer.From.class, answer -> {
            assertThat(answer.server()).isEqualTo("web-0");
            assertThat(answer.client()).as("whom the server sees").isEqualTo(ROUTER_FOUR);
        });

        put(slice(address, false));
        awaitRoute(balanced, false);
        assertThat(balanced()).as("it keeps its address").isEqualTo(balanced);
        put(slice(address, true));
        awaitRoute(balanced, true);
        assertThat(outside.ask(true, to)).isInstanceOf(Answer.From.class);

        var _ = client.services().inNamespace("shop").withName("web").delete();
        awaitRoute(balanced, false);
        var _ = create(SERVICE.replace("name: web", "name: next")
                .replace("10.97.0.1", "10.97.0.2")
                .replace("31080", "31081"));
        String next = await("another's address")
                .atMost(SOON)
                .pollInterval(AGAIN)
                .until(() -> balanced("next"), found -> !found.isEmpty());
        assertThat(next).as("what was released cools down").isNotEqualTo(balanced);
    }

    /** Gives the pod's address. */
    private String addPod() throws IOException {
        // The API server says what its UID is.
        String uid = create("""
                apiVersion: v1
                kind: Pod
                metadata: {namespace: shop, name: web-0, labels: {app: web}}
                spec: {nodeName: %s, containers: [{name: web, image: web}]}
                """.formatted(node.name())).getMetadata().getUid();
        pod = TestPod.make("lb-web-0");
        CniRuntime.Outcome added = node.runtime()
                .add(CniAttachment.pod(
                        "shop", "web-0", uid, pod.containerId(), pod.netns().toString()));
        assertThat(added.ok())
                .as("ADD: %s %s", added.text(), daemons.get(1).logTail())
                .isTrue();
        server = EchoServer.start("web-0", pod.netns(), List.of(8080));
        return added.json().path("ips").path(0).path("address").asText().replaceFirst("/.*", "");
    }

    private String slice(String address, boolean ready) {
        return """
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
                addressType: IPv4
                ports: [{name: http, protocol: TCP, port: 8080}]
                endpoints:
                - {addresses: [%s], conditions: {ready: %s}, nodeName: %s, targetRef: {kind: Pod, namespace: shop, name: web-0}}
                """.formatted(address, ready, node.name());
    }

    private void put(String slice) {
        var _ = client.resource(Serialization.unmarshal(slice, EndpointSlice.class))
                .update();
    }

    private String balanced() {
        return balanced("web");
    }

    private String balanced(String service) {
        Service now = client.services().inNamespace("shop").withName(service).get();
        if (now.getStatus() == null || now.getStatus().getLoadBalancer() == null) {
            return "";
        }
        return now.getStatus().getLoadBalancer().getIngress().stream()
                .map(LoadBalancerIngress::getIp)
                .findFirst()
                .orElse("");
    }

    private void awaitRoute(String address, boolean there) {
        await("the router " + (there ? "has" : "does not have") + " a route to " + address)
                .atMost(SOON)
                .pollInterval(AGAIN)
                .untilAsserted(() -> {
                    String route = router.route(address + "/32");
                    if (there) {
                        assertThat(route).contains("BGP.next_hop: " + node.address());
                    } else {
                        assertThat(route).doesNotContain("BGP.next_hop");
                    }
                });
    }
}
