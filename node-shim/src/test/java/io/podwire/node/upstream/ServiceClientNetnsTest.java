package io.podwire.node.upstream;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.node.dataplane.ServiceReconciler;
import io.podwire.node.netlink.NftRules;
import io.podwire.node.netlink.NftTables;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netns.NetnsThread;
import io.podwire.node.nft.backend.KernelNft;
import io.podwire.node.service.ServiceChains;
import io.podwire.node.service.ServicePort;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import io.podwire.proto.policy.v1.ServiceUpdate;
import io.podwire.proto.policy.v1.ServicesGrpc;
import io.podwire.proto.policy.v1.WatchServicesRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The stream of Services, from a server to a kernel. */
@Tag("netns")
@Timeout(60)
final class ServiceClientNetnsTest {
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3);

    private final List<WatchServicesRequest> requests = new CopyOnWriteArrayList<>();
    private final List<StreamObserver<ServiceUpdate>> streams = new CopyOnWriteArrayList<>();
    private final LoopbackServer server = new LoopbackServer(new ServicesGrpc.ServicesImplBase() {
        @Override
        public void watchServices(WatchServicesRequest request, StreamObserver<ServiceUpdate> reply) {
            requests.add(request);
            streams.add(reply);
        }
    });
    private final NetnsSandbox sandbox = new NetnsSandbox();
    private final EventLoop loop = new EventLoop("services-test");
    private final ManagedChannel channel = Channels.open(server.target());
    private Space node;
    private KernelNft nft;
    private NftRules kernel;
    private NftTables tables;
    private ServiceReconciler services;
    private ServiceClient client;

    @BeforeEach
    void connect() throws Exception {
        node = sandbox.add();
        nft = NetnsThread.call(node.netns(), KernelNft::open);
        kernel = NftRules.open(node.netns());
        tables = NetnsThread.call(node.netns(), NftTables::open);
        services = new ServiceReconciler(nft, kernel, tables, loop, List::of, _ -> {});
        client = new ServiceClient(channel, loop, SELF, services);
        client.start();
        await().until(() -> streams.size() == 1);
    }

    @AfterEach
    void stop() {
        client.close();
        channel.shutdownNow();
        server.close();
        loop.close();
        kernel.close();
        tables.close();
        nft.close();
        sandbox.close();
    }

    @Test
    void itSaysWhichNodeItIs() {
        assertThat(requests.getFirst().getNode()).isEqualTo("node-1");
        assertThat(requests.getFirst().getHandshake().getProtocol()).isOne();
    }

    @Test
    void nothingIsTakenForGoneBeforeAllHasBeenTold() {
        streams.getFirst().onNext(update(true, port("a", "10.96.0.1"), port("b", "10.96.0.2")));
        await().until(() -> ids().equals(List.of("ns/a:/ipv4", "ns/b:/ipv4")));
        streams.getFirst().onCompleted();
        await().until(() -> streams.size() == 2);
        streams.get(1).onNext(update(false, port("b", "10.96.0.2")));
        streams.get(1).onNext(update(false, port("c", "10.96.0.3")));
        await().until(client::connected);
        assertThat(ids()).containsExactly("ns/a:/ipv4", "ns/b:/ipv4");
        streams.get(1).onNext(update(true));
        await().until(() -> ids().equals(List.of("ns/b:/ipv4", "ns/c:/ipv4")));
        streams.get(1)
                .onNext(ServiceUpdate.newBuilder()
                        .addRemoved("ns/b:/ipv4")
                        .setComplete(true)
                        .build());
        await().until(() -> ids().equals(List.of("ns/c:/ipv4")));
        assertThat(services.healthy()).isTrue();
    }

    @Test
    void addressesOfPolicyLocalAreToldWhenTheKernelHasThemAndWithdrawnBeforeItHasNotAnyMore() throws Exception {
        record Told(List<String> addresses, boolean inKernel) {}
        List<Told> told = new CopyOnWriteArrayList<>();
        // On the loop, as the reconciler's own reading of the kernel.
        client.whenReady(addresses -> told.add(new Told(
                addresses.stream().map(IpAddress::toString).toList(),
                tables.flags(NftMessage.INET, ServiceChains.TABLE).isPresent()
                        && kernel.members(NftMessage.INET, ServiceChains.TABLE, "tcp-endpoints-4").stream()
                                .anyMatch(member -> HexFormat.of()
                                        .formatHex(member.key().toBytes())
                                        .startsWith("cb007109")))));
        io.podwire.proto.policy.v1.ServicePort here = local();
        streams.getFirst().onNext(update(true));
        await().untilAsserted(() -> assertThat(told).containsExactly(new Told(List.of(), false)));
        streams.getFirst().onNext(update(true, here));
        await().untilAsserted(() ->
                assertThat(told).endsWith(new Told(List.of(), false), new Told(List.of("203.0.113.9"), true)));
        // Its rules stay, with the endpoints of other nodes for clients inside.
        streams.getFirst()
                .onNext(update(true, here.toBuilder().clearLocalEndpoints().build()));
        await().untilAsserted(() -> assertThat(told).hasSize(3).endsWith(new Told(List.of(), true)));
        streams.getFirst().onNext(update(true, here));
        await().untilAsserted(() -> assertThat(told).hasSize(4).endsWith(new Told(List.of("203.0.113.9"), true)));
        // While the stream is away nothing changes; its first whole state is what counts.
        streams.getFirst().onCompleted();
        await().until(() -> streams.size() == 2);
        streams.get(1).onNext(update(false));
        await().until(client::connected);
        assertThat(told).hasSize(4);
        streams.get(1).onNext(update(true));
        await().untilAsserted(() -> assertThat(told).hasSize(5).endsWith(new Told(List.of(), true)));
    }

    /** Another program owns a table of the name, which only its end takes away: nothing can be written until then. */
    @Test
    void aFirstStateThatTheKernelRefusesIsKeptUntilTheKernelTakesIt() throws Exception {
        List<String> told = new CopyOnWriteArrayList<>();
        client.whenReady(addresses -> told.add(addresses.toString()));
        Process owner = new ProcessBuilder("ip", "netns", "exec", node.name(), "nft", "-i")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try (OutputStream commands = owner.getOutputStream()) {
            commands.write(("add table inet " + ServiceChains.TABLE + " { flags owner; }\n").getBytes(US_ASCII));
            commands.flush();
            await().until(() ->
                    tables.flags(NftMessage.INET, ServiceChains.TABLE).isPresent());
            streams.getFirst().onNext(update(true, local()));
            await().until(() -> !services.healthy());
        }
        assertThat(owner.waitFor()).isZero();
        await().until(services::healthy);
        assertThat(ids()).containsExactly("ns/a:/ipv4");
        await().untilAsserted(() -> assertThat(told).as("not before").containsExactly("[203.0.113.9]"));
    }

    /** One whose address leads here. */
    private static io.podwire.proto.policy.v1.ServicePort local() {
        return port("a", "10.96.0.1").toBuilder()
                .addLoadBalancerIps("203.0.113.9")
                .setExternalLocal(true)
                .addLocalEndpoints(ServiceEndpoint.newBuilder()
                        .setAddress("10.1.0.1")
                        .setPort(80)
                        .setLocal(true))
                .build();
    }

    @Test
    void aPortThatCannotBeServedKeepsNoOtherFromIt() {
        streams.getFirst()
                .onNext(update(
                        true,
                        port("odd", "10.96.0.1").toBuilder()
                                .setClusterIp("fd00::1")
                                .build(),
                        port("good", "10.96.0.2")));
        await().until(() -> ids().equals(List.of("ns/good:/ipv4")));
    }

    @Test
    void loadBalancersLearnHowManyEndpointsThereAre() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        io.podwire.proto.policy.v1.ServicePort checked = port("a", "10.96.0.1").toBuilder()
                .setHealthCheckNodePort(port)
                .setReadyHere(2)
                .build();
        streams.getFirst().onNext(update(true, checked));
        await().ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> ask(port).statusCode() == 200);
        assertThat(ask(port).body())
                .isEqualTo("{\"service\":{\"namespace\":\"ns\",\"name\":\"a\"},\"localEndpoints\":2,"
                        + "\"serviceProxyHealthy\":true}");
        streams.getFirst()
                .onNext(update(true, checked.toBuilder().setReadyHere(0).build()));
        await().until(() -> ask(port).statusCode() == 503);
        streams.getFirst()
                .onNext(ServiceUpdate.newBuilder()
                        .addRemoved(checked.getId())
                        .setComplete(true)
                        .build());
        await().until(() -> {
            try {
                ask(port);
                return false;
            } catch (IOException closed) {
                return true;
            }
        });
    }

    private static HttpResponse<String> ask(int port) throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/healthz"))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }

    private List<String> ids() {
        return services.ports().stream().map(ServicePort::id).toList();
    }

    private static ServiceUpdate update(boolean complete, io.podwire.proto.policy.v1.ServicePort... ports) {
        return ServiceUpdate.newBuilder()
                .addAllChanged(List.of(ports))
                .setComplete(complete)
                .build();
    }

    private static io.podwire.proto.policy.v1.ServicePort port(String name, String clusterIp) {
        return io.podwire.proto.policy.v1.ServicePort.newBuilder()
                .setId("ns/" + name + ":/ipv4")
                .setNamespace("ns")
                .setName(name)
                .setFamily(IpFamily.IP_FAMILY_IPV4)
                .setProtocol(Protocol.PROTOCOL_TCP)
                .setPort(80)
                .setClusterIp(clusterIp)
                .setHasEndpoints(true)
                .addClusterEndpoints(ServiceEndpoint.newBuilder()
                        .setAddress("10.1.0.1")
                        .setPort(80)
                        .setLocal(true))
                .build();
    }
}
