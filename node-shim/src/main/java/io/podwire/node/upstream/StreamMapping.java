package io.podwire.node.upstream;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import io.podwire.node.address.NamespacePools;
import io.podwire.node.plan.AddressSet;
import io.podwire.node.plan.AddressSetDelta;
import io.podwire.node.plan.DirectionPolicy;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.EndpointPolicy;
import io.podwire.node.plan.ExpectedPod;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.NodeProgram;
import io.podwire.node.plan.NodeProgramDelta;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.PolicyRule;
import io.podwire.node.plan.PortRange;
import io.podwire.node.plan.RemoteNode;
import io.podwire.node.plan.UnderlayEnd;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.policy.v1.Program;
import io.podwire.proto.policy.v1.ProgramDelta;
import io.podwire.proto.policy.v1.Rule;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RefusedPrefixes;
import io.podwire.proto.route.v1.ServiceAddresses;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** The one place where messages of the services become node-shim's own values, and back. */
final class StreamMapping {
    private StreamMapping() {}

    /**
     * A full program.
     *
     * @throws IllegalArgumentException naming the field that is wrong; nothing of it may be enforced
     */
    static NodeProgram program(long revision, Program message) {
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        message.getAddressSetsList()
                .forEach(s ->
                        sets.put(s.getId(), new AddressSet(s.getId(), s.getDescription(), prefixes(s.getCidrsList()))));
        return new NodeProgram(
                revision, endpoints(message.getEndpointsList()), sets, expected(message.getExpectedPodsList()));
    }

    /** A program as policy-service sent it, whatever deltas it came by; without its revision. */
    static Program program(NodeProgram program) {
        Program.Builder message = Program.newBuilder();
        program.endpoints()
                .forEach((key, policy) -> message.addEndpoints(io.podwire.proto.policy.v1.EndpointPolicy.newBuilder()
                        .setKey(key.toString())
                        .setIngress(direction(policy.ingress()))
                        .setEgress(direction(policy.egress()))));
        program.addressSets()
                .values()
                .forEach(set -> message.addAddressSets(io.podwire.proto.policy.v1.AddressSet.newBuilder()
                        .setId(set.id())
                        .setDescription(set.description())
                        .addAllCidrs(
                                set.members().stream().map(IpPrefix::toString).toList())));
        program.expected()
                .values()
                .forEach(pod -> message.addExpectedPods(io.podwire.proto.policy.v1.ExpectedPod.newBuilder()
                        .setPod(PodRef.newBuilder()
                                .setNamespace(pod.pod().namespace())
                                .setName(pod.pod().name())
                                .setUid(pod.uid()))
                        .setIngress(direction(pod.policy().ingress()))
                        .setEgress(direction(pod.policy().egress()))
                        .addAllAddressSets(pod.addressSets())));
        return message.build();
    }

    private static io.podwire.proto.policy.v1.DirectionPolicy direction(DirectionPolicy policy) {
        return io.podwire.proto.policy.v1.DirectionPolicy.newBuilder()
                .setIsolated(policy.isolated())
                .addAllRules(policy.rules().stream().map(StreamMapping::rule).toList())
                .addAllIsolatedBy(policy.isolatedBy())
                .addAllTiers(policy.tiers().stream().map(TierMapping::toProto).toList())
                .build();
    }

    static Rule rule(PolicyRule rule) {
        return Rule.newBuilder()
                .setPolicy(rule.policy())
                .setIndex(rule.index())
                .setAnyPeer(rule.anyPeer())
                .addAllAddressSets(rule.addressSets())
                .setAnyPort(rule.anyPort())
                .addAllPorts(rule.ports().stream()
                        .map(range -> io.podwire.proto.policy.v1.PortRange.newBuilder()
                                .setProtocol(protocol(range.protocol()))
                                .setFirst(range.first())
                                .setLast(range.last())
                                .build())
                        .toList())
                .build();
    }

    private static Protocol protocol(IpProtocol protocol) {
        return switch (protocol) {
            case TCP -> Protocol.PROTOCOL_TCP;
            case UDP -> Protocol.PROTOCOL_UDP;
            case SCTP -> Protocol.PROTOCOL_SCTP;
        };
    }

    /**
     * A block of ipam-service. One that does not tell its pool's state gives addresses.
     *
     * @throws IllegalArgumentException when its addresses or its owner's name are none
     */
    static ListedBlock block(Block message) {
        NodeEpoch owner = message.getOwner();
        return new ListedBlock(
                IpPrefix.parse(message.getCidr()),
                message.getPool(),
                switch (message.getPoolState()) {
                    case POOL_STATE_DRAINING, POOL_STATE_RETIRED -> true;
                    case POOL_STATE_UNSPECIFIED, POOL_STATE_ACTIVE, UNRECOGNIZED -> false;
                },
                message.hasCoolDown()
                        ? Optional.of(Duration.ofSeconds(
                                message.getCoolDown().getSeconds(),
                                message.getCoolDown().getNanos()))
                        : Optional.empty(),
                new NodeIdentity(
                        new NodeName(owner.getNode()), owner.getNodeUid(), owner.getBootId(), owner.getCounter()),
                message.getRequestId());
    }

    /**
     * What the first page of a list says of pools with a namespace selector.
     *
     * @param before what is known; it stays where nothing has changed, and where the replica knows less
     */
    static NamespacePools namespaces(ListBlocksResponse page, NamespacePools before) {
        String version = page.getNamespacesVersion();
        boolean knowsLess = version.isEmpty() && !before.version().isEmpty();
        if (knowsLess || (!version.isEmpty() && version.equals(before.version()))) {
            return before;
        }
        SortedMap<String, NamespacePools.Selected> pools = new TreeMap<>();
        page.getPoolNamespacesList()
                .forEach(pool -> pools.put(
                        pool.getPool(),
                        new NamespacePools.Selected(
                                switch (pool.getFamily()) {
                                    case IP_FAMILY_IPV6 -> IpFamily.V6;
                                    case IP_FAMILY_IPV4, IP_FAMILY_UNSPECIFIED, UNRECOGNIZED -> IpFamily.V4;
                                },
                                pool.getUnresolved()
                                        ? Optional.empty()
                                        : Optional.of(new TreeSet<>(pool.getNamespacesList())))));
        return new NamespacePools(version, pools);
    }

    /** A delta; throws as {@link #program}. */
    static NodeProgramDelta delta(long revision, ProgramDelta message) {
        Map<String, AddressSetDelta> sets = new TreeMap<>();
        message.getAddressSetsList()
                .forEach(s -> sets.put(
                        s.getId(),
                        new AddressSetDelta(
                                s.getId(),
                                s.getDescription(),
                                new TreeSet<>(prefixes(s.getAddedList())),
                                new TreeSet<>(prefixes(s.getRemovedList())))));
        TreeSet<EndpointKey> removed = new TreeSet<>();
        message.getRemovedEndpointsList().forEach(key -> removed.add(key(key)));
        return new NodeProgramDelta(
                revision,
                endpoints(message.getEndpointsList()),
                removed,
                new TreeMap<>(sets),
                new TreeSet<>(message.getRemovedAddressSetsList()),
                expected(message.getExpectedPodsList()),
                message.getRemovedExpectedPodsList().stream()
                        .map(StreamMapping::podName)
                        .collect(Collectors.toSet()));
    }

    private static SortedMap<PodName, ExpectedPod> expected(List<io.podwire.proto.policy.v1.ExpectedPod> messages) {
        SortedMap<PodName, ExpectedPod> pods = new TreeMap<>();
        messages.forEach(pod -> {
            PodName name = podName(pod.getPod());
            pods.put(
                    name,
                    new ExpectedPod(
                            name,
                            pod.getPod().getUid(),
                            new EndpointPolicy(direction(pod.getIngress()), direction(pod.getEgress())),
                            pod.getAddressSetsList()));
        });
        return pods;
    }

    private static PodName podName(PodRef pod) {
        return new PodName(pod.getNamespace(), pod.getName());
    }

    private static SortedMap<EndpointKey, EndpointPolicy> endpoints(
            List<io.podwire.proto.policy.v1.EndpointPolicy> messages) {
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        messages.forEach(e -> endpoints.put(
                key(e.getKey()), new EndpointPolicy(direction(e.getIngress()), direction(e.getEgress()))));
        return endpoints;
    }

    private static DirectionPolicy direction(io.podwire.proto.policy.v1.DirectionPolicy message) {
        return new DirectionPolicy(
                message.getIsolated(),
                message.getRulesList().stream().map(StreamMapping::rule).toList(),
                message.getIsolatedByList(),
                message.getTiersList().stream().map(TierMapping::fromProto).toList());
    }

    static PolicyRule rule(Rule message) {
        return new PolicyRule(
                message.getPolicy(),
                message.getIndex(),
                message.getAnyPeer(),
                message.getAddressSetsList(),
                message.getAnyPort(),
                message.getPortsList().stream()
                        .map(p -> new PortRange(protocol(p.getProtocol()), p.getFirst(), p.getLast()))
                        .toList());
    }

    private static IpProtocol protocol(Protocol message) {
        return switch (message) {
            case PROTOCOL_TCP -> IpProtocol.TCP;
            case PROTOCOL_UDP -> IpProtocol.UDP;
            case PROTOCOL_SCTP -> IpProtocol.SCTP;
            case PROTOCOL_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException(
                        "a rule has protocol " + message + ", which node-shim does not know");
        };
    }

    /** A family, to ask for. */
    static io.podwire.proto.common.v1.IpFamily family(IpFamily family) {
        return switch (family) {
            case V4 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4;
            case V6 -> io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6;
        };
    }

    /** "id/ifname". */
    static EndpointKey key(String text) {
        int slash = text.lastIndexOf('/');
        if (slash <= 0) {
            throw new IllegalArgumentException("'" + text + "' is not an endpoint key such as id/eth0");
        }
        return new EndpointKey(text.substring(0, slash), text.substring(slash + 1));
    }

    private static List<IpPrefix> prefixes(List<String> texts) {
        return texts.stream().map(IpPrefix::parse).sorted().toList();
    }

    /** Another node's route; throws {@link IllegalArgumentException} naming what is wrong. */
    static RemoteNode remote(NodeRoute message) {
        return new RemoteNode(
                new NodeName(message.getNode()),
                underlay(message),
                message.getVtepMac().isEmpty() || message.getVtepAddress().isEmpty()
                        ? Optional.empty()
                        : Optional.of(new RemoteNode.Vtep(
                                MacAddress.parse(message.getVtepMac()), IpAddress.parse(message.getVtepAddress()))),
                prefixes(message.getPrefixesList()));
    }

    private static List<UnderlayEnd> underlay(NodeRoute message) {
        List<UnderlayEnd> ends = new ArrayList<>();
        ends.add(end(message.getUnderlayAddress(), message.getUnderlayLength()));
        if (!message.getUnderlayAddressIpv6().isEmpty()) {
            ends.add(end(message.getUnderlayAddressIpv6(), message.getUnderlayLengthIpv6()));
        }
        return ends;
    }

    private static UnderlayEnd end(String address, int length) {
        return new UnderlayEnd(IpAddress.parse(address), length);
    }

    /** Why prefixes that this node announces are not taken. */
    static SortedMap<IpPrefix, String> refused(RefusedPrefixes message) {
        SortedMap<IpPrefix, String> refused = new TreeMap<>();
        message.getPrefixesList()
                .forEach(one -> refused.put(
                        IpPrefix.parse(one.getPrefix()), one.getMessage().replaceAll("\\p{Cntrl}", "?")));
        return Collections.unmodifiableSortedMap(refused);
    }

    /** Which addresses of Services this node serves. */
    static ServiceAddresses services(List<IpAddress> addresses) {
        return ServiceAddresses.newBuilder()
                .addAllAddresses(addresses.stream().map(IpAddress::toString).toList())
                .build();
    }

    /** What this node announces. */
    static NodeRoute route(RemoteNode self) {
        UnderlayEnd first = self.underlay().getFirst();
        NodeRoute.Builder message = NodeRoute.newBuilder()
                .setNode(self.node().value())
                .setUnderlayAddress(first.address().toString())
                .setUnderlayLength(first.length());
        self.underlay().stream()
                .skip(1)
                .forEach(second -> message.setUnderlayAddressIpv6(
                                second.address().toString())
                        .setUnderlayLengthIpv6(second.length()));
        self.vtep()
                .ifPresent(v -> message.setVtepMac(v.mac().toString())
                        .setVtepAddress(v.address().toString()));
        self.prefixes().stream().sorted().forEach(p -> message.addPrefixes(p.toString()));
        return message.build();
    }
}
