package io.podwire.node.upstream;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.service.ServicePort;
import io.podwire.node.service.ServicePort.Target;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import java.util.Collection;
import java.util.List;

/** Between podwire.policy.v1.ServicePort and a node's records. */
public final class ServiceMapping {
    private ServiceMapping() {}

    /**
     * A port.
     *
     * @throws IllegalArgumentException when it is wrong
     */
    public static ServicePort port(io.podwire.proto.policy.v1.ServicePort port) {
        return new ServicePort(
                port.getId(),
                port.getNamespace() + "/" + port.getName(),
                family(port),
                protocol(port.getProtocol()),
                port.getPort(),
                IpAddress.parse(port.getClusterIp()),
                port.getNodePort(),
                addresses(port.getExternalIpsList()),
                addresses(port.getLoadBalancerIpsList()),
                port.getSourceRangesList().stream().map(IpPrefix::parse).toList(),
                port.getRestricted(),
                port.getAffinitySeconds(),
                port.getInternalLocal(),
                port.getExternalLocal(),
                targets(port.getClusterEndpointsList()),
                targets(port.getLocalEndpointsList()),
                port.getHasEndpoints(),
                port.getHealthCheckNodePort(),
                port.getReadyHere());
    }

    private static IpFamily family(io.podwire.proto.policy.v1.ServicePort port) {
        return switch (port.getFamily()) {
            case IP_FAMILY_IPV4 -> IpFamily.V4;
            case IP_FAMILY_IPV6 -> IpFamily.V6;
            case IP_FAMILY_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException(port.getId() + " has no family that is known here");
        };
    }

    private static IpProtocol protocol(Protocol protocol) {
        return switch (protocol) {
            case PROTOCOL_TCP -> IpProtocol.TCP;
            case PROTOCOL_UDP -> IpProtocol.UDP;
            case PROTOCOL_SCTP -> IpProtocol.SCTP;
            case PROTOCOL_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("protocol " + protocol + " is not known here");
        };
    }

    private static List<IpAddress> addresses(Collection<String> texts) {
        return texts.stream().map(IpAddress::parse).toList();
    }

    private static List<Target> targets(Collection<ServiceEndpoint> endpoints) {
        return endpoints.stream()
                .map(endpoint ->
                        new Target(IpAddress.parse(endpoint.getAddress()), endpoint.getPort(), endpoint.getLocal()))
                .distinct()
                .toList();
    }
}
