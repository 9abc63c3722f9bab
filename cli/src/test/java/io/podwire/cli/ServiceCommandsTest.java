package io.podwire.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.JsonFormat;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.EndpointReason;
import io.podwire.proto.policy.v1.ExplainServiceRequest;
import io.podwire.proto.policy.v1.ExplainServiceResponse;
import io.podwire.proto.policy.v1.ListServicesRequest;
import io.podwire.proto.policy.v1.ListServicesResponse;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import io.podwire.proto.policy.v1.ServicePort;
import io.podwire.proto.policy.v1.ServiceSummary;
import io.podwire.proto.policy.v1.ServicesGrpc;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What {@code podwire service list | explain} ask and print. */
class ServiceCommandsTest {
    private record Ended(int code, String out, String err) {}

    private final Answering services = new Answering();
    private Server server;

    @BeforeEach
    void serve() throws Exception {
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .addService(services)
                .build()
                .start();
    }

    @AfterEach
    void end() {
        server.shutdownNow();
    }

    private Ended run(String... args) {
        String[] all = Arrays.copyOf(args, args.length + 2);
        all[args.length] = "--server";
        all[args.length + 1] = "127.0.0.1:" + server.getPort();
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.commandLine()
                .setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err))
                .execute(all);
        return new Ended(code, out.toString(), err.toString());
    }

    private static EndpointReason endpoint(
            String address, String node, String pod, boolean chosen, boolean locally, String reason) {
        return EndpointReason.newBuilder()
                .setEndpoint(ServiceEndpoint.newBuilder().setAddress(address).setPort(8080))
                .setNode(node)
                .setPod(pod)
                .setChosen(chosen)
                .setChosenLocally(locally)
                .setReason(reason)
                .build();
    }

    private static final ServicePort WEB = ServicePort.newBuilder()
            .setId("shop/web:http/ipv4")
            .setNamespace("shop")
            .setName("web")
            .setPortName("http")
            .setFamily(IpFamily.IP_FAMILY_IPV4)
            .setProtocol(Protocol.PROTOCOL_TCP)
            .setPort(80)
            .setClusterIp("10.96.0.7")
            .setHasEndpoints(true)
            .build();

    private static final class Answering extends ServicesGrpc.ServicesImplBase {
        private volatile ListServicesRequest listed = ListServicesRequest.getDefaultInstance();
        private volatile ExplainServiceRequest asked = ExplainServiceRequest.getDefaultInstance();
        private volatile ExplainServiceResponse answer = ExplainServiceResponse.newBuilder()
                .setPort(WEB)
                .setAddressKind("cluster IP")
                .addEndpoints(endpoint("10.244.0.7", "n1", "shop/web-0", true, false, "ready"))
                .addEndpoints(endpoint("10.244.1.9", "n2", "", false, false, "not ready"))
                .build();

        @Override
        public void listServices(ListServicesRequest request, StreamObserver<ListServicesResponse> out) {
            listed = request;
            out.onNext(ListServicesResponse.newBuilder()
                    .addServices(ServiceSummary.newBuilder()
                            .setNamespace("shop")
                            .setName("db")
                            .setType("ClusterIP")
                            .setNotServed("headless")
                            .addPorts("5432/TCP")
                            .setServingEndpoints(3)
                            .setEndpoints(3))
                    .addServices(ServiceSummary.newBuilder()
                            .setNamespace("shop")
                            .setName("idle")
                            .setType("ClusterIP")
                            .addAddresses("10.96.0.8")
                            .addPorts("80/TCP")
                            .setEndpoints(1))
                    .addServices(ServiceSummary.newBuilder()
                            .setNamespace("shop")
                            .setName("web")
                            .setType("NodePort")
                            .addAllAddresses(List.of("10.96.0.7", "fd00:96::7"))
                            .addAllPorts(List.of("80:30080/TCP", "53/UDP"))
                            .setServingEndpoints(2)
                            .setEndpoints(3))
                    .build());
            out.onCompleted();
        }

        @Override
        public void explainService(ExplainServiceRequest request, StreamObserver<ExplainServiceResponse> out) {
            asked = request;
            if (request.getPort() == 81) {
                out.onError(Status.NOT_FOUND
                        .withDescription("no service answers there")
                        .asRuntimeException());
                return;
            }
            out.onNext(answer);
            out.onCompleted();
        }
    }

    @Test
    void servicesAreListedWithWhatTheyAreReachedAtAndWhetherTheyAreServed() throws Exception {
        assertThat(run("service", "list")).isEqualTo(new Ended(0, """
                NAMESPACE  NAME  TYPE       ADDRESSES             PORTS                ENDPOINTS  STATUS
                shop       db    ClusterIP  -                     5432/TCP             3/3        not served: headless
                shop       idle  ClusterIP  10.96.0.8             80/TCP               0/1        rejects: no endpoint takes traffic
                shop       web   NodePort   10.96.0.7,fd00:96::7  80:30080/TCP,53/UDP  2/3        served
                """, ""));
        assertThat(services.listed.getNamespace()).as("without --namespace").isEmpty();
        ListServicesResponse.Builder read = ListServicesResponse.newBuilder();
        JsonFormat.parser()
                .merge(
                        run("service", "list", "--namespace", "shop", "-o", "json")
                                .out(),
                        read);
        assertThat(read.getServicesCount()).as("services in JSON").isEqualTo(3);
        assertThat(services.listed.getNamespace()).as("--namespace").isEqualTo("shop");
    }

    @Test
    void explainNamesServiceAndEachEndpoint() throws Exception {
        assertThat(run("service", "explain", "10.96.0.7:80")).isEqualTo(new Ended(0, """
                10.96.0.7:80 (cluster IP) is service shop/web, port 80/TCP 'http', as no node in particular sees it
                ENDPOINT         NODE  POD         CHOSEN  BECAUSE
                10.244.0.7:8080  n1    shop/web-0  yes     ready
                10.244.1.9:8080  n2    -           no      not ready
                """, ""));
        assertThat(services.asked)
                .isEqualTo(ExplainServiceRequest.newBuilder()
                        .setAddress("10.96.0.7")
                        .setPort(80)
                        .setProtocol(Protocol.PROTOCOL_TCP)
                        .build());
        ExplainServiceResponse.Builder read = ExplainServiceResponse.newBuilder();
        JsonFormat.parser()
                .merge(run("service", "explain", "10.96.0.7:80", "-o", "json").out(), read);
        assertThat(read.build()).as("JSON").isEqualTo(services.answer);
    }

    @Test
    void explainTellsWhatTheServiceAsksFor() {
        services.answer = ExplainServiceResponse.newBuilder()
                .setPort(WEB.toBuilder()
                        .clearPortName()
                        .setProtocol(Protocol.PROTOCOL_UDP)
                        .setAffinitySeconds(10_800)
                        .setInternalLocal(true)
                        .setExternalLocal(true)
                        .setRestricted(true)
                        .setHealthCheckNodePort(32_000)
                        .setReadyHere(1)
                        .setHasEndpoints(false))
                .setAddressKind("load balancer IP")
                .addEndpoints(endpoint("fd00:244::7", "n1", "shop/web-0", true, true, "terminating, and none is ready"))
                .build();
        assertThat(run("service", "explain", "[fd00:96::7]:80/udp", "--node", "n1"))
                .isEqualTo(new Ended(0, """
                        [fd00:96::7]:80/udp (load balancer IP) is service shop/web, port 80/UDP, as node n1 sees it
                        session affinity: a client keeps its endpoint for 10800 s after its last connection
                        internalTrafficPolicy Local: from pods and the node, only to endpoints of the same node
                        externalTrafficPolicy Local: from outside, only to endpoints of the same node, which see the client's address
                        source ranges of load balancer addresses: none of this family, so nobody may
                        health check node port 32000: ready endpoints here: 1
                        no node has an endpoint that takes traffic: connections are rejected
                        ENDPOINT            NODE  POD         CHOSEN  LOCALLY  BECAUSE
                        [fd00:244::7]:8080  n1    shop/web-0  yes     yes      terminating, and none is ready
                        """, ""));
        assertThat(services.asked)
                .isEqualTo(ExplainServiceRequest.newBuilder()
                        .setAddress("fd00:96::7")
                        .setPort(80)
                        .setProtocol(Protocol.PROTOCOL_UDP)
                        .setNode("n1")
                        .build());
        services.answer = services.answer.toBuilder()
                .setPort(WEB.toBuilder().setRestricted(true).addAllSourceRanges(List.of("192.0.2.0/24", "10.0.0.0/8")))
                .build();
        assertThat(run("service", "explain", "192.0.2.80:80").out())
                .contains("source ranges of load balancer addresses: 192.0.2.0/24, 10.0.0.0/8\n");
    }

    @Test
    void nobodyAnsweringThereIsAFailure() {
        Ended nobody = run("service", "explain", "10.96.0.7:81");
        assertThat(nobody.code()).isEqualTo(1);
        assertThat(nobody.err()).contains("explaining 10.96.0.7:81 from 127.0.0.1:", "no service answers there");
    }

    @Test
    void whatIsNoAddressAndPortIsRefusedWithAReason() {
        assertThat(run("service", "explain", "fd00::1:80").err()).contains("stands in brackets, [fd00::a]:80");
        assertThat(run("service", "explain", "10.96.0.7").code()).isEqualTo(2);
        assertThat(run("service", "explain", "10.96.0.7:0").err()).contains("a port is 1 to 65535, got 0");
        assertThat(run("service", "explain", "10.96.0.7:80/icmp").err())
                .contains("a protocol is tcp, udp or sctp, got 'icmp'");
        assertThat(run("service", "explain", "web:80").code()).as("a name").isEqualTo(2);
        assertThat(services.asked).as("nothing was asked").isEqualTo(ExplainServiceRequest.getDefaultInstance());
    }
}
