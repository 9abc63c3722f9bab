package io.podwire.policy.publish;

import com.google.common.collect.ImmutableSortedSet;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.service.EndpointChoice.Verdict;
import io.podwire.policy.service.Place;
import io.podwire.policy.service.ServiceEndpoint;
import io.podwire.policy.service.ServiceFront;
import io.podwire.policy.service.ServicePort;
import io.podwire.policy.service.ServiceView;
import io.podwire.policy.service.Traffic;
import io.podwire.proto.policy.v1.EndpointReason;
import io.podwire.proto.policy.v1.ServiceSummary;
import java.util.List;
import java.util.stream.Stream;

/** Ports of Services, between our records and podwire.policy.v1. */
final class ServicePortMapping {
    private ServicePortMapping() {}

    static io.podwire.proto.policy.v1.ServicePort toProto(ServicePort port) {
        ServiceFront front = port.front();
        return io.podwire.proto.policy.v1.ServicePort.newBuilder()
                .setId(front.id())
                .setNamespace(front.service().namespace())
                .setName(front.service().name())
                .setPortName(front.port().name())
                .setFamily(toProto(front.family()))
                .setProtocol(toProto(front.port().protocol()))
                .setPort(front.port().port())
                .setClusterIp(front.clusterIp().toString())
                .setNodePort(front.port().nodePort())
                .addAllExternalIps(texts(front.externalIps()))
                .addAllLoadBalancerIps(texts(front.loadBalancerIps()))
                .addAllSourceRanges(texts(front.sourceRanges()))
                .setRestricted(front.restricted())
                .setAffinitySeconds(front.affinitySeconds())
                .setInternalLocal(front.traffic().internalLocal())
                .setExternalLocal(front.traffic().externalLocal())
                .addAllClusterEndpoints(port.clusterEndpoints().stream()
                        .map(ServicePortMapping::toProto)
                        .toList())
                .addAllLocalEndpoints(port.localEndpoints().stream()
                        .map(ServicePortMapping::toProto)
                        .toList())
                .setHasEndpoints(port.hasEndpoints())
                .setHealthCheckNodePort(front.healthCheckNodePort())
                .setReadyHere(port.readyHere())
                .build();
    }

    /**
     * Reads a port.
     *
     * @throws IllegalArgumentException when a value is none that a service sends
     */
    static ServicePort fromProto(io.podwire.proto.policy.v1.ServicePort port) {
        List<IpAddress> externalIps = addresses(port.getExternalIpsList());
        List<IpAddress> loadBalancerIps = addresses(port.getLoadBalancerIpsList());
        boolean external = port.getNodePort() != 0 || !externalIps.isEmpty() || !loadBalancerIps.isEmpty();
        return new ServicePort(
                new ServiceFront(
                        port.getId(),
                        new ServiceKey(port.getNamespace(), port.getName()),
                        new Service.Port(
                                port.getPortName(), fromProto(port.getProtocol()), port.getPort(), port.getNodePort()),
                        IpAddress.parse(port.getClusterIp()),
                        externalIps,
                        loadBalancerIps,
                        port.getRestricted(),
                        port.getSourceRangesList().stream().map(IpPrefix::parse).toList(),
                        port.getAffinitySeconds(),
                        new Traffic(port.getInternalLocal(), port.getExternalLocal(), external),
                        port.getHealthCheckNodePort()),
                port.getClusterEndpointsList().stream()
                        .map(ServicePortMapping::fromProto)
                        .toList(),
                port.getLocalEndpointsList().stream()
                        .map(ServicePortMapping::fromProto)
                        .toList(),
                port.getHasEndpoints(),
                port.getReadyHere());
    }

    static EndpointReason toProto(Verdict verdict, Place place) {
        return EndpointReason.newBuilder()
                .setEndpoint(toProto(ServiceEndpoint.of(verdict.endpoint(), place)))
                .setNode(verdict.endpoint().node())
                .setPod(verdict.endpoint().pod())
                .setChosen(verdict.chosen())
                .setChosenLocally(verdict.chosenLocally())
                .setReason(verdict.reason())
                .build();
    }

    /** A Service, for people. */
    static ServiceSummary summary(Service service, ServiceView view) {
        ServiceView.Count count = view.count();
        ImmutableSortedSet<IpAddress> more = Stream.concat(
                        service.externalIps().stream(), service.loadBalancerIps().stream())
                .filter(address -> !service.clusterIps().contains(address))
                .collect(ImmutableSortedSet.toImmutableSortedSet(IpAddress::compareTo));
        return ServiceSummary.newBuilder()
                .setNamespace(service.key().namespace())
                .setName(service.key().name())
                .setType(service.type().label())
                .addAllAddresses(texts(service.clusterIps()))
                .addAllAddresses(texts(more.asList()))
                .addAllPorts(ports(service))
                .setServingEndpoints(count.serving())
                .setEndpoints(count.all())
                .setNotServed(service.notServed())
                .build();
    }

    /** Its ports, for people: "80:30080/TCP". */
    static List<String> ports(Service service) {
        return service.ports().stream()
                .map(port -> port.port() + (port.nodePort() == 0 ? "" : ":" + port.nodePort()) + "/"
                        + port.protocol().name())
                .toList();
    }

    private static io.podwire.proto.policy.v1.ServiceEndpoint toProto(ServiceEndpoint endpoint) {
        return io.podwire.proto.policy.v1.ServiceEndpoint.newBuilder()
                .setAddress(endpoint.address().toString())
                .setPort(endpoint.port())
                .setLocal(endpoint.local())
                .build();
    }

    private static ServiceEndpoint fromProto(io.podwire.proto.policy.v1.ServiceEndpoint endpoint) {
        return new ServiceEndpoint(IpAddress.parse(endpoint.getAddress()), endpoint.getPort(), endpoint.getLocal());
    }

    private static List<String> texts(List<?> values) {
        return values.stream().map(Object::toString).toList();
    }

    private static List<IpAddress> addresses(List<String> texts) {
        return texts.stream().map(IpAddress::parse).toList();
    }

    private static io.podwire.proto.common.v1.IpFamily toProto(IpFamily family) {
        return switch (family) {
            case V4 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4;
            case V6 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6;
        };
    }

    private static io.podwire.proto.common.v1.Protocol toProto(Protocol protocol) {
        return switch (protocol) {
            case TCP -> io.podwire.proto.common.v1.Protocol.PROTOCOL_TCP;
            case UDP -> io.podwire.proto.common.v1.Protocol.PROTOCOL_UDP;
            case SCTP -> io.podwire.proto.common.v1.Protocol.PROTOCOL_SCTP;
        };
    }

    static Protocol fromProto(io.podwire.proto.common.v1.Protocol protocol) {
        return switch (protocol) {
            case PROTOCOL_TCP -> Protocol.TCP;
            case PROTOCOL_UDP -> Protocol.UDP;
            case PROTOCOL_SCTP -> Protocol.SCTP;
            case PROTOCOL_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("protocol must be TCP, UDP or SCTP, got " + protocol);
        };
    }
}
