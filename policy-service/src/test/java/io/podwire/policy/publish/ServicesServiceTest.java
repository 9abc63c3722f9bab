package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceOptions;
import io.podwire.common.service.ServiceRunner;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.EndpointSlice.Backend;
import io.podwire.policy.model.EndpointSlice.Conditions;
import io.podwire.policy.model.EndpointSlice.Hints;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import io.podwire.policy.service.Place;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.policy.v1.EndpointReason;
import io.podwire.proto.policy.v1.ExplainServiceRequest;
import io.podwire.proto.policy.v1.ExplainServiceResponse;
import io.podwire.proto.policy.v1.ListServicesRequest;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import io.podwire.proto.policy.v1.ServiceSummary;
import io.podwire.proto.policy.v1.ServicesGrpc;
import io.podwire.proto.policy.v1.WatchServicesRequest;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Streams and questions over a real channel. */
class ServicesServiceTest {
    private ServicePublisher publisher;
    private RunningService service;
    private ManagedChannel channel;
    private ServicesGrpc.ServicesBlockingStub services;

    private static final class Options implements ServiceOptions {
        private final CommonOptions common = new CommonOptions("127.0.0.1:0", "127.0.0.1:0");

        @Override
        public CommonOptions common() {
            return common;
        }
    }

    @BeforeEach
    void start() throws Exception {
        service = ServiceRunner.start("services-test", new Options(), (_, context) -> {
            publisher = new ServicePublisher(context.own(new EventLoop("services-test")), new SimpleMeterRegistry());
            context.serve(new ServicesService(publisher));
        });
        channel = service.channel();
        services = ServicesGrpc.newBlockingStub(channel);
    }

    @AfterEach
    void stop() throws InterruptedException {
        channel.shutdownNow();
        channel.awaitTermination(5, TimeUnit.SECONDS);
        service.close();
    }

    private static IpAddress ip(String text) {
        return IpAddress.parse(text);
    }

    /** Of both families and every kind of address. */
    private static final Service WEB = new Service(
            new ServiceKey("x", "web"),
            Service.Type.LOAD_BALANCER,
            List.of(ip("10.96.0.1"), ip("fd00:96::1")),
            List.of(new Service.Port("http", Protocol.TCP, 80, 30080), new Service.Port("dns", Protocol.UDP, 53, 0)),
            Set.of(ip("192.0.2.9")),
            Set.of(ip("203.0.113.1")),
            new Service.Sources(true, Set.of(IpPrefix.parse("198.51.100.0/24"))),
            60,
            false,
            true,
            31000,
            "");

    private static final EndpointSlice WEB_4 = new EndpointSlice(
            new SliceKey("x", "web-4"),
            new ServiceKey("x", "web"),
            IpFamily.V4,
            List.of(
                    new EndpointSlice.Port("http", Protocol.TCP, 8080),
                    new EndpointSlice.Port("dns", Protocol.UDP, 5353)),
            List.of(
                    new Backend(ip("10.0.1.1"), Conditions.READY, "node-a", "x/web-0", zone("zone-a")),
                    new Backend(ip("10.0.2.1"), Conditions.READY, "node-b", "x/web-1", zone("zone-b")),
                    new Backend(ip("10.0.2.2"), new Conditions(false, false, false), "node-b", "x/web-2", Hints.NONE)));

    private static Hints zone(String zone) {
        return new Hints(Set.of(zone), Set.of());
    }

    private static Service notServed(String namespace, String name, String why) {
        return new Service(
                new ServiceKey(namespace, name),
                Service.Type.CLUSTER_IP,
                List.of(),
                List.of(new Service.Port("", Protocol.TCP, 5432, 0)),
                Set.of(),
                Set.of(),
                Service.Sources.ANY,
                0,
                false,
                false,
                0,
                why);
    }

    private void cluster() {
        publisher.apply(ClusterDelta.of(
                new Change.ServiceSet(WEB),
                new Change.SliceSet(WEB_4),
                new Change.ServiceSet(notServed("w", "db", "headless")),
                new Change.ClusterNodeSet(new ClusterNode(
                        "node-a", Map.of(Place.ZONE_LABEL, "zone-a"), Set.of(ip("192.0.2.1"), ip("2001:db8::1"))))));
    }

    private static void refused(Status.Code code, ThrowingCallable call, String... words) {
        assertThatThrownBy(call).isInstanceOfSatisfying(StatusRuntimeException.class, failure -> {
            assertThat(failure.getStatus().getCode()).isEqualTo(code);
            assertThat(failure.getStatus().getDescription()).contains(words);
        });
    }

    @Test
    void everyFieldReachesTheNode() {
        cluster();
        try (TestServiceNode node = new TestServiceNode(channel, "node-a")) {
            var ports = node.awaitPorts("all", _ -> true);
            assertThat(ports)
                    .containsOnlyKeys("x/web:http/ipv4", "x/web:dns/ipv4", "x/web:http/ipv6", "x/web:dns/ipv6");
            var expected = publisher.ask(catalog -> catalog.view(WEB.key()).ports(catalog.place("node-a")));
            assertThat(ports.values()).as("there and back again").containsExactlyInAnyOrderElementsOf(expected);
            assertThat(ports.get("x/web:http/ipv4")).satisfies(port -> {
                assertThat(port.localEndpoints())
                        .containsExactly(new io.podwire.policy.service.ServiceEndpoint(ip("10.0.1.1"), 8080, true));
                assertThat(port.readyHere()).isOne();
                assertThat(port.front().sourceRanges()).containsExactly(IpPrefix.parse("198.51.100.0/24"));
            });
            assertThat(ports.get("x/web:http/ipv6")).satisfies(port -> {
                assertThat(port.hasEndpoints()).isFalse();
                assertThat(port.front().restricted())
                        .as("nobody of this family may")
                        .isTrue();
                assertThat(port.front().sourceRanges()).isEmpty();
                assertThat(port.front().externalIps()).isEmpty();
            });
        }
    }

    @Test
    void aStreamThatEndsIsForgotten() {
        cluster();
        try (TestServiceNode first = new TestServiceNode(channel, "node-a")) {
            first.awaitPorts("all", ports -> ports.size() == 4);
            try (TestServiceNode second = new TestServiceNode(channel, "node-a")) {
                second.awaitPorts("all", ports -> ports.size() == 4);
                assertThat(first.awaitEnd().getCode()).isEqualTo(Status.Code.ABORTED);
                publisher.apply(ClusterDelta.of(new Change.ServiceGone(WEB.key())));
                second.awaitPorts("none", Map::isEmpty);
            }
        }
    }

    @Test
    void whoCannotBeServedIsTold() {
        try (TestServiceNode node = new TestServiceNode(channel, "No Name")) {
            assertThat(node.awaitEnd().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        }
        try (TestServiceNode node = new TestServiceNode(
                channel, WatchServicesRequest.newBuilder().setNode("node-a").build())) {
            assertThat(node.awaitEnd().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        }
        try (TestServiceNode node = new TestServiceNode(
                channel,
                WatchServicesRequest.newBuilder()
                        .setNode("node-a")
                        .setHandshake(Handshake.newBuilder().setProtocol(3).setMinProtocol(2))
                        .build())) {
            assertThat(node.awaitEnd().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        }
    }

    @Test
    void listsServicesByNamespaceAndName() {
        refused(
                Status.Code.UNAVAILABLE,
                () -> services.listServices(ListServicesRequest.getDefaultInstance()),
                "not all been read yet");
        cluster();
        assertThat(services.listServices(ListServicesRequest.getDefaultInstance())
                        .getServicesList())
                .containsExactly(
                        ServiceSummary.newBuilder()
                                .setNamespace("w")
                                .setName("db")
                                .setType("ClusterIP")
                                .addPorts("5432/TCP")
                                .setNotServed("headless")
                                .build(),
                        ServiceSummary.newBuilder()
                                .setNamespace("x")
                                .setName("web")
                                .setType("LoadBalancer")
                                .addAllAddresses(List.of("10.96.0.1", "fd00:96::1", "192.0.2.9", "203.0.113.1"))
                                .addAllPorts(List.of("80:30080/TCP", "53/UDP"))
                                .setServingEndpoints(2)
                                .setEndpoints(3)
                                .build());
        assertThat(services.listServices(ListServicesRequest.newBuilder()
                                .setNamespace("w")
                                .build())
                        .getServicesList())
                .extracting(ServiceSummary::getName)
                .containsExactly("db");
    }

    @Test
    void listsInPages() {
        cluster();
        ListServicesRequest one =
                ListServicesRequest.newBuilder().setPageSize(1).build();
        var first = services.listServices(one);
        assertThat(first.getServicesList()).extracting(ServiceSummary::getName).containsExactly("db");
        var second = services.listServices(
                one.toBuilder().setPageToken(first.getNextPageToken()).build());
        assertThat(second.getServicesList()).extracting(ServiceSummary::getName).containsExactly("web");
        assertThat(second.getNextPageToken()).isEmpty();
        assertThat(services.listServices(
                                ListServicesRequest.newBuilder().setPageSize(2).build())
                        .getNextPageToken())
                .as("a full page that is the last")
                .isEmpty();
        refused(
                Status.Code.INVALID_ARGUMENT,
                () -> services.listServices(one.toBuilder().setPageSize(1001).build()),
                "0 to 1000, got 1001");
        refused(
                Status.Code.INVALID_ARGUMENT,
                () -> services.listServices(one.toBuilder().setPageToken("db").build()),
                "got 'db'");
    }

    private ExplainServiceResponse explain(String address, int port, String node) {
        return services.explainService(ExplainServiceRequest.newBuilder()
                .setAddress(address)
                .setPort(port)
                .setNode(node)
                .build());
    }

    @Test
    void explainsEveryKindOfAddress() {
        cluster();
        Map.of(
                        "10.96.0.1", "cluster IP",
                        "fd00:96::1", "cluster IP",
                        "192.0.2.9", "external IP",
                        "203.0.113.1", "load balancer IP")
                .forEach((address, kind) -> assertThat(explain(address, 80, "").getAddressKind())
                        .as(address)
                        .isEqualTo(kind));
        assertThat(explain("192.0.2.1", 30080, "").getAddressKind()).isEqualTo("node port");
        assertThat(explain("2001:db8::1", 30080, "").getPort().getId()).isEqualTo("x/web:http/ipv6");
        ExplainServiceResponse dns = services.explainService(ExplainServiceRequest.newBuilder()
                .setAddress("10.96.0.1")
                .setPort(53)
                .setProtocol(io.podwire.proto.common.v1.Protocol.PROTOCOL_UDP)
                .build());
        assertThat(dns.getPort().getPortName()).isEqualTo("dns");
    }

    private static EndpointReason reason(
            String address, boolean local, String node, String pod, boolean chosen, boolean locally, String why) {
        return EndpointReason.newBuilder()
                .setEndpoint(ServiceEndpoint.newBuilder()
                        .setAddress(address)
                        .setPort(8080)
                        .setLocal(local))
                .setNode(node)
                .setPod(pod)
                .setChosen(chosen)
                .setChosenLocally(locally)
                .setReason(why)
                .build();
    }

    @Test
    void explainsEveryEndpoint() {
        cluster();
        ExplainServiceResponse seen = explain("10.96.0.1", 80, "node-a");
        assertThat(seen.getPort().getClusterEndpointsList())
                .extracting(ServiceEndpoint::getAddress)
                .containsExactly("10.0.1.1");
        assertThat(seen.getEndpointsList())
                .containsExactly(
                        reason(
                                "10.0.1.1",
                                true,
                                "node-a",
                                "x/web-0",
                                true,
                                true,
                                "ready; its hint is this node's zone zone-a; under policy Local: it is on this node"),
                        reason(
                                "10.0.2.1",
                                false,
                                "node-b",
                                "x/web-1",
                                false,
                                false,
                                "ready; its hint is zone zone-b and this node is in zone zone-a;"
                                        + " not under policy Local: it is on node node-b"),
                        reason("10.0.2.2", false, "node-b", "x/web-2", false, false, "not ready"));
        assertThat(explain("10.96.0.1", 80, "").getEndpointsList())
                .extracting(EndpointReason::getChosen)
                .as("of no node")
                .containsExactly(true, true, false);
    }

    @Test
    void whatNobodyAnswersIsNotFound() {
        cluster();
        refused(
                Status.Code.NOT_FOUND,
                () -> explain("10.96.0.1", 81, ""),
                "10.96.0.1 port 81/TCP",
                "x/web",
                "80:30080/TCP");
        refused(Status.Code.NOT_FOUND, () -> explain("192.0.2.77", 30080, ""), "node port of x/web", "no node object");
        refused(Status.Code.NOT_FOUND, () -> explain("192.0.2.1", 30081, ""), "an address of a node");
        refused(Status.Code.NOT_FOUND, () -> explain("10.96.0.99", 80, ""), "ListServices");
    }

    @Test
    void whatCannotBeMeantIsRefused() {
        cluster();
        refused(Status.Code.INVALID_ARGUMENT, () -> explain("web", 80, ""), "'web'");
        refused(Status.Code.INVALID_ARGUMENT, () -> explain("10.96.0.1", 0, ""), "1 to 65535");
        refused(Status.Code.INVALID_ARGUMENT, () -> explain("10.96.0.1", 80, "No Name"), "node name");
        refused(
                Status.Code.INVALID_ARGUMENT,
                () -> services.explainService(ExplainServiceRequest.newBuilder()
                        .setAddress("10.96.0.1")
                        .setPort(80)
                        .setProtocolValue(99)
                        .build()),
                "TCP, UDP or SCTP");
    }
}
