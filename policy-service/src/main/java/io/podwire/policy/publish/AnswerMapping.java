package io.podwire.policy.publish;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.End;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.answer.Explanation;
import io.podwire.policy.answer.Party;
import io.podwire.policy.answer.RecordedFlow;
import io.podwire.policy.answer.Ruling;
import io.podwire.policy.answer.Simulation;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.Tier;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.policy.v1.Flip;
import io.podwire.proto.policy.v1.FlowEnd;
import io.podwire.proto.policy.v1.FlowExplanation;
import io.podwire.proto.policy.v1.FlowFlip;
import io.podwire.proto.policy.v1.FlowTuple;
import io.podwire.proto.policy.v1.PortRange;
import io.podwire.proto.policy.v1.RulingReason;
import java.util.Locale;
import java.util.Set;

/** Questions and answers, between our records and podwire.policy.v1. */
final class AnswerMapping {
    private AnswerMapping() {}

    /**
     * Who is asked about.
     *
     * @param field its name in the request, first word of an error
     * @throws IllegalArgumentException when it is nobody
     */
    static Party fromProto(String field, io.podwire.proto.policy.v1.Party party) {
        try {
            return switch (party.getPartyCase()) {
                case POD -> {
                    PodRef pod = party.getPod();
                    if (pod.getNamespace().isEmpty() || pod.getName().isEmpty()) {
                        throw new IllegalArgumentException("a pod needs a namespace and a name");
                    }
                    yield new Party.OfPod(new PodKey(pod.getNamespace(), pod.getName()));
                }
                case ADDRESS -> new Party.OfAddress(IpAddress.parse(party.getAddress()));
                case PARTY_NOT_SET -> throw new IllegalArgumentException("a pod or an address is needed");
            };
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(field + ": " + e.getMessage(), e);
        }
    }

    /**
     * An explanation.
     *
     * @param enforcing nodes that enforce the state it is about
     */
    static FlowExplanation toProto(Explanation explanation, Set<NodeName> enforcing) {
        return FlowExplanation.newBuilder()
                .setSource(toProto(explanation.source()))
                .setDestination(toProto(explanation.destination()))
                .setAllowed(explanation.allowed())
                .setEgress(ruling(Direction.EGRESS, explanation.source().place(), explanation.egress(), enforcing))
                .setIngress(
                        ruling(Direction.INGRESS, explanation.destination().place(), explanation.ingress(), enforcing))
                .build();
    }

    static FlowEnd toProto(End end) {
        FlowEnd.Builder out = FlowEnd.newBuilder().setAddress(end.address().toString());
        return switch (end.place()) {
            case Place.Attached(PodKey pod, NodeName node, var _) ->
                out.setPod(pod(pod)).setNode(node.value()).build();
            case Place.HostNetwork(PodKey pod, String node) ->
                out.setPod(pod(pod)).setNode(node).build();
            case Place.Silent(PodKey pod, String node) ->
                out.setPod(pod(pod)).setNode(node).build();
            case Place.Outside _ -> out.build();
        };
    }

    static Flip toProto(Simulation.Flip flip) {
        return Flip.newBuilder()
                .setSource(toProto(flip.source()))
                .setDestination(toProto(flip.destination()))
                .setAllowed(flip.allowed())
                .addAllPorts(flip.ports().stream()
                        .map(range -> PortRange.newBuilder()
                                .setProtocol(ProgramMapping.toProto(range.protocol()))
                                .setFirst(range.first())
                                .setLast(range.last())
                                .build())
                        .toList())
                .build();
    }

    static FlowFlip toProto(RecordedFlow.Flip flip) {
        return FlowFlip.newBuilder()
                .setSource(toProto(flip.source()))
                .setDestination(toProto(flip.destination()))
                .setProtocol(ProgramMapping.toProto(flip.protocol()))
                .setPort(flip.port())
                .setAllowed(flip.allowed())
                .build();
    }

    /**
     * A connection that a node told about.
     *
     * @throws IllegalArgumentException when it is none
     */
    static RecordedFlow fromProto(FlowTuple flow) {
        return new RecordedFlow(
                IpAddress.parse(flow.getSource()),
                IpAddress.parse(flow.getDestination()),
                ProgramMapping.fromProto(flow.getProtocol()),
                flow.getPort());
    }

    private static PodRef pod(PodKey key) {
        return PodRef.newBuilder()
                .setNamespace(key.namespace())
                .setName(key.name())
                .build();
    }

    private static io.podwire.proto.policy.v1.Ruling ruling(
            Direction direction, Place place, Ruling ruling, Set<NodeName> enforcing) {
        var out = io.podwire.proto.policy.v1.Ruling.newBuilder().setAllowed(ruling.passes());
        return switch (ruling) {
            case Ruling.NotJudged _ -> out.setReason(notJudged(place)).build();
            case Ruling.WithinPod _ ->
                out.setReason(RulingReason.RULING_REASON_WITHIN_POD).build();
            case Ruling.OwnNode(NodeName node) ->
                at(out, node, enforcing)
                        .setReason(RulingReason.RULING_REASON_OWN_NODE)
                        .build();
            case Ruling.NotIsolated(NodeName node) ->
                at(out, node, enforcing)
                        .setReason(RulingReason.RULING_REASON_NOT_ISOLATED)
                        .build();
            case Ruling.Allowed(NodeName node, String policy, int index, String peer) ->
                at(out, node, enforcing)
                        .setReason(RulingReason.RULING_REASON_RULE)
                        .addPolicies(policy)
                        .setRule(place(direction, index))
                        .setPeer(peer.isEmpty() ? "anyone" : peer)
                        .setTier(io.podwire.proto.policy.v1.Tier.TIER_NETWORK_POLICY)
                        .build();
            case Ruling.ByTier(
                    NodeName node,
                    Tier tier,
                    var priority,
                    boolean passes,
                    var policy,
                    int index,
                    var name,
                    var peer) ->
                at(out, node, enforcing)
                        .setReason(passes ? RulingReason.RULING_REASON_RULE : RulingReason.RULING_REASON_DENIED_BY_RULE)
                        .addPolicies(policy)
                        .setRule(place(direction, index))
                        .setPeer(peer.isEmpty() ? "anyone" : peer)
                        .setTier(TierMapping.toProto(tier))
                        .setPriority(priority)
                        .setRuleName(name)
                        .build();
            case Ruling.Isolated(NodeName node, var policies) ->
                at(out, node, enforcing)
                        .setReason(RulingReason.RULING_REASON_ISOLATED)
                        .addAllPolicies(policies)
                        .setTier(io.podwire.proto.policy.v1.Tier.TIER_NETWORK_POLICY)
                        .build();
            case Ruling.NotCovered(NodeName node) ->
                at(out, node, enforcing)
                        .setReason(RulingReason.RULING_REASON_NOT_COVERED)
                        .build();
        };
    }

    private static String place(Direction direction, int index) {
        return "spec." + direction.name().toLowerCase(Locale.ROOT) + "[" + index + "]";
    }

    private static io.podwire.proto.policy.v1.Ruling.Builder at(
            io.podwire.proto.policy.v1.Ruling.Builder out, NodeName node, Set<NodeName> enforcing) {
        return out.setNode(node.value()).setEnforced(enforcing.contains(node));
    }

    private static RulingReason notJudged(Place place) {
        return switch (place) {
            case Place.HostNetwork _ -> RulingReason.RULING_REASON_HOST_NETWORK;
            case Place.Silent _ -> RulingReason.RULING_REASON_UNKNOWN_NODE;
            case Place.Attached _, Place.Outside _ -> RulingReason.RULING_REASON_NO_POD;
        };
    }
}
