package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.service.ServicePort;
import io.podwire.node.service.ServicePort.Target;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ServiceMappingTest {
    private static final ServiceEndpoint HERE = ServiceEndpoint.newBuilder()
            .setAddress("10.1.0.1")
            .setPort(8080)
            .setLocal(true)
            .build();

    private static final io.podwire.proto.policy.v1.ServicePort PORT =
            io.podwire.proto.policy.v1.ServicePort.newBuilder()
                    .setId("ns/s:web/ipv4")
                    .setNamespace("ns")
                    .setName("s")
                    .setPortName("web")
                    .setFamily(io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4)
                    .setProtocol(Protocol.PROTOCOL_UDP)
                    .setPort(80)
                    .setClusterIp("10.96.0.1")
                    .setNodePort(30080)
                    .addExternalIps("192.0.2.1")
                    .addLoadBalancerIps("192.0.2.2")
                    .addSourceRanges("198.51.100.0/24")
                    .setRestricted(true)
                    .setAffinitySeconds(100)
                    .setInternalLocal(true)
                    .setExternalLocal(false)
                    .addClusterEndpoints(HERE)
                    .addClusterEndpoints(HERE.toBuilder().setAddress("10.1.1.1").setLocal(false))
                    .addLocalEndpoints(HERE)
                    .setHasEndpoints(true)
                    .setHealthCheckNodePort(30081)
                    .setReadyHere(1)
                    .build();

    @Test
    void everyFieldHasItsPlace() {
        Target here = new Target(IpAddress.parse("10.1.0.1"), 8080, true);
        assertThat(ServiceMapping.port(PORT))
                .isEqualTo(new ServicePort(
                        "ns/s:web/ipv4",
                        "ns/s",
                        IpFamily.V4,
                        IpProtocol.UDP,
                        80,
                        IpAddress.parse("10.96.0.1"),
                        30080,
                        List.of(IpAddress.parse("192.0.2.1")),
                        List.of(IpAddress.parse("192.0.2.2")),
                        List.of(IpPrefix.parse("198.51.100.0/24")),
                        true,
                        100,
                        true,
                        false,
                        List.of(here, new Target(IpAddress.parse("10.1.1.1"), 8080, false)),
                        List.of(here),
                        true,
                        30081,
                        1));
    }

    @Test
    void whatIsWrongIsNamed() {
        assertThatThrownBy(() -> ServiceMapping.port(PORT.toBuilder().setPort(0).build()))
                .hasMessage("port of ns/s:web/ipv4 must be 1 to 65535, got 0");
        assertThatThrownBy(() -> ServiceMapping.port(
                        PORT.toBuilder().setClusterIp("fd00::1").build()))
                .hasMessage("fd00::1 of ns/s:web/ipv4 is not IPv4");
        assertThatThrownBy(
                        () -> ServiceMapping.port(PORT.toBuilder().clearFamily().build()))
                .hasMessage("ns/s:web/ipv4 has no family that is known here");
        assertThatThrownBy(() ->
                        ServiceMapping.port(PORT.toBuilder().clearProtocol().build()))
                .hasMessage("protocol PROTOCOL_UNSPECIFIED is not known here");
    }
}
