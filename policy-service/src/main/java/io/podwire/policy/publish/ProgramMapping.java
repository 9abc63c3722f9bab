package io.podwire.policy.publish;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.policy.compile.AddressSet;
import io.podwire.policy.compile.AddressSetDelta;
import io.podwire.policy.compile.DirectionPolicy;
import io.podwire.policy.compile.EndpointPolicy;
import io.podwire.policy.compile.ExpectedPod;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PortRange;
import io.podwire.policy.compile.ProgramDelta;
import io.podwire.policy.compile.Rule;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.Protocol;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.policy.v1.AwaitEndpointRequest;
import io.podwire.proto.policy.v1.AwaitEndpointResponse;
import io.podwire.proto.policy.v1.LocalEndpoint;
import io.podwire.proto.policy.v1.Program;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/** Programs and endpoints, between our records and podwire.policy.v1. */
public final class ProgramMapping {
    private ProgramMapping() {}

    /** To the wire. */
    public static Program toProto(NodeProgram program, long revision) {
        return Program.newBuilder()
                .addAllEndpoints(program.endpoints().values().stream()
                        .map(ProgramMapping::toProto)
                        .toList())
                .addAllAddressSets(program.addressSets().values().stream()
                        .map(ProgramMapping::toProto)
                        .toList())
                .addAllExpectedPods(program.expected().values().stream()
                        .map(ProgramMapping::toProto)
                        .toList())
                .setRevision(revision)
                .build();
    }

    /** From the wire. */
    public static NodeProgram fromProto(Program program) {
        var endpoints = new TreeMap<String, EndpointPolicy>();
        program.getEndpointsList().forEach(e -> endpoints.put(e.getKey(), fromProto(e)));
        var sets = new TreeMap<String, AddressSet>();
        program.getAddressSetsList()
                .forEach(set -> sets.put(
                        set.getId(), new AddressSet(set.getId(), set.getDescription(), prefixes(set.getCidrsList()))));
        var expected = new TreeMap<PodKey, ExpectedPod>();
        program.getExpectedPodsList().stream()
                .map(ProgramMapping::fromProto)
                .forEach(pod -> expected.put(pod.pod(), pod));
        return new NodeProgram(endpoints, sets, expected);
    }

    /** To the wire. */
    public static io.podwire.proto.policy.v1.ProgramDelta toProto(ProgramDelta delta) {
        return io.podwire.proto.policy.v1.ProgramDelta.newBuilder()
                .addAllEndpoints(
                        delta.endpoints().stream().map(ProgramMapping::toProto).toList())
                .addAllRemovedEndpoints(delta.removedEndpoints())
                .addAllAddressSets(delta.addressSets().stream()
                        .map(set -> io.podwire.proto.policy.v1.AddressSetDelta.newBuilder()
                                .setId(set.id())
                                .setDescription(set.description())
                                .addAllAdded(texts(set.added()))
                                .addAllRemoved(texts(set.removed()))
                                .build())
                        .toList())
                .addAllRemovedAddressSets(delta.removedAddressSets())
                .addAllExpectedPods(
                        delta.expected().stream().map(ProgramMapping::toProto).toList())
                .addAllRemovedExpectedPods(delta.removedExpected().stream()
                        .map(pod -> toProto(pod, ""))
                        .toList())
                .build();
    }

    /** From the wire. */
    public static ProgramDelta fromProto(io.podwire.proto.policy.v1.ProgramDelta delta) {
        return new ProgramDelta(
                delta.getEndpointsList().stream().map(ProgramMapping::fromProto).toList(),
                delta.getRemovedEndpointsList(),
                delta.getAddressSetsList().stream()
                        .map(set -> new AddressSetDelta(
                                set.getId(),
                                set.getDescription(),
                                prefixes(set.getAddedList()),
                                prefixes(set.getRemovedList())))
                        .toList(),
                delta.getRemovedAddressSetsList(),
                delta.getExpectedPodsList().stream()
                        .map(ProgramMapping::fromProto)
                        .toList(),
                delta.getRemovedExpectedPodsList().stream()
                        .map(ProgramMapping::fromProto)
                        .toList());
    }

    private static io.podwire.proto.policy.v1.ExpectedPod toProto(ExpectedPod pod) {
        return io.podwire.proto.policy.v1.ExpectedPod.newBuilder()
                .setPod(toProto(pod.pod(), pod.uid()))
                .setIngress(toProto(pod.ingress()))
                .setEgress(toProto(pod.egress()))
                .addAllAddressSets(pod.addressSets())
                .build();
    }

    private static ExpectedPod fromProto(io.podwire.proto.policy.v1.ExpectedPod pod) {
        return new ExpectedPod(
                fromProto(pod.getPod()),
                pod.getPod().getUid(),
                fromProto(pod.getIngress()),
                fromProto(pod.getEgress()),
                pod.getAddressSetsList());
    }

    private static PodRef toProto(PodKey pod, String uid) {
        return PodRef.newBuilder()
                .setNamespace(pod.namespace())
                .setName(pod.name())
                .setUid(uid)
                .build();
    }

    private static PodKey fromProto(PodRef pod) {
        return new PodKey(pod.getNamespace(), pod.getName());
    }

    /**
     * From the wire. Whether the runtime named a Kubernetes pod ({@code declared}) is not kept: an
     * object declares an endpoint or does not, whatever the runtime said.
     *
     * @throws IllegalArgumentException when key, pod or an address is malformed
     */
    static Endpoint fromProto(LocalEndpoint endpoint) {
        PodRef pod = endpoint.getPod();
        Set<IpAddress> addresses = new LinkedHashSet<>();
        endpoint.getAddressesList().forEach(address -> addresses.add(IpAddress.parse(address)));
        return new Endpoint(endpoint.getKey(), fromProto(pod), pod.getUid(), addresses);
    }

    /** To the wire. */
    static LocalEndpoint toProto(Endpoint endpoint) {
        return LocalEndpoint.newBuilder()
                .setKey(endpoint.key())
                .setPod(toProto(endpoint.pod(), endpoint.podUid()))
                .addAllAddresses(
                        endpoint.addresses().stream().map(IpAddress::toString).toList())
                .build();
    }

    private static io.podwire.proto.policy.v1.EndpointPolicy toProto(EndpointPolicy endpoint) {
        return io.podwire.proto.policy.v1.EndpointPolicy.newBuilder()
                .setKey(endpoint.key())
                .setIngress(toProto(endpoint.ingress()))
                .setEgress(toProto(endpoint.egress()))
                .build();
    }

    private static EndpointPolicy fromProto(io.podwire.proto.policy.v1.EndpointPolicy endpoint) {
        return new EndpointPolicy(endpoint.getKey(), fromProto(endpoint.getIngress()), fromProto(endpoint.getEgress()));
    }

    private static io.podwire.proto.policy.v1.DirectionPolicy toProto(DirectionPolicy direction) {
        return io.podwire.proto.policy.v1.DirectionPolicy.newBuilder()
                .setIsolated(direction.isolated())
                .addAllRules(
                        direction.rules().stream().map(ProgramMapping::toProto).toList())
                .addAllIsolatedBy(direction.isolatedBy())
                .addAllTiers(
                        direction.tiers().stream().map(TierMapping::toProto).toList())
                .build();
    }

    private static DirectionPolicy fromProto(io.podwire.proto.policy.v1.DirectionPolicy direction) {
        return new DirectionPolicy(
                direction.getIsolated(),
                direction.getRulesList().stream().map(ProgramMapping::fromProto).toList(),
                direction.getIsolatedByList(),
                direction.getTiersList().stream().map(TierMapping::fromProto).toList());
    }

    static io.podwire.proto.policy.v1.Rule toProto(Rule rule) {
        return io.podwire.proto.policy.v1.Rule.newBuilder()
                .setPolicy(rule.policy())
                .setIndex(rule.index())
                .setAnyPeer(rule.anyPeer())
                .addAllAddressSets(rule.addressSets())
                .setAnyPort(rule.anyPort())
                .addAllPorts(rule.ports().stream()
                        .map(port -> io.podwire.proto.policy.v1.PortRange.newBuilder()
                                .setProtocol(toProto(port.protocol()))
                                .setFirst(port.first())
                                .setLast(port.last())
                                .build())
                        .toList())
                .build();
    }

    static Rule fromProto(io.podwire.proto.policy.v1.Rule rule) {
        return new Rule(
                rule.getPolicy(),
                rule.getIndex(),
                rule.getAnyPeer(),
                rule.getAddressSetsList(),
                rule.getAnyPort(),
                rule.getPortsList().stream()
                        .map(port -> new PortRange(fromProto(port.getProtocol()), port.getFirst(), port.getLast()))
                        .toList());
    }

    private static io.podwire.proto.policy.v1.AddressSet toProto(AddressSet set) {
        return io.podwire.proto.policy.v1.AddressSet.newBuilder()
                .setId(set.id())
                .setDescription(set.description())
                .addAllCidrs(texts(set.cidrs()))
                .build();
    }

    static io.podwire.proto.common.v1.Protocol toProto(Protocol protocol) {
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
                throw new IllegalArgumentException("a port needs a protocol that is known, got " + protocol);
        };
    }

    private static List<String> texts(Collection<IpPrefix> prefixes) {
        return prefixes.stream().map(IpPrefix::toString).toList();
    }

    private static List<IpPrefix> prefixes(Collection<String> texts) {
        return texts.stream().map(IpPrefix::parse).toList();
    }

    /**
     * Who is waited for.
     *
     * @throws IllegalArgumentException when that is no endpoint
     */
    static StartBarriers.Question fromProto(AwaitEndpointRequest request) {
        if (request.getKey().isEmpty() || request.getAddressesCount() == 0) {
            throw new IllegalArgumentException("key and addresses must be set");
        }
        Set<IpAddress> addresses = new LinkedHashSet<>();
        request.getAddressesList().forEach(address -> addresses.add(IpAddress.parse(address)));
        return new StartBarriers.Question(new NodeName(request.getNode()), request.getKey(), addresses);
    }

    /** To the wire. */
    static AwaitEndpointResponse toProto(StartBarriers.Answer answer) {
        AwaitEndpointResponse.Builder out = AwaitEndpointResponse.newBuilder()
                .setServedNodes(answer.servedNodes())
                .setRevision(answer.revision());
        answer.laggards().stream()
                .sorted(Comparator.comparing(laggard -> laggard.node().value()))
                .forEach(laggard ->
                        out.addLaggardsBuilder().setNode(laggard.node().value()).setReason(laggard.reason()));
        return out.build();
    }
}
