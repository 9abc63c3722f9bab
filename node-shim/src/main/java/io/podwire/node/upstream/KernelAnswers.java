package io.podwire.node.upstream;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.Conntrack;
import io.podwire.node.netlink.ct.Connection;
import io.podwire.node.plan.DropCause;
import io.podwire.node.plan.IpProtocol;
import io.podwire.node.plan.LocalEndpoint;
import io.podwire.node.witness.Drops;
import io.podwire.node.witness.KernelWitness;
import io.podwire.node.witness.Testimony;
import io.podwire.node.witness.Testimony.Verdict;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.DropCount;
import io.podwire.proto.policy.v1.DropReason;
import io.podwire.proto.policy.v1.FlowTuple;
import io.podwire.proto.policy.v1.Flows;
import io.podwire.proto.policy.v1.FlowsQuestion;
import io.podwire.proto.policy.v1.KernelOutcome;
import io.podwire.proto.policy.v1.KernelVerdict;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/** What this node's kernel says, as podwire.policy.v1 has it. Safe for all threads. */
public final class KernelAnswers {
    private static final int DEFAULT_FLOWS = 10_000;
    private static final int MAX_FLOWS = 100_000;

    private final KernelWitness witness;
    private final Drops drops;
    private final Conntrack conntrack;
    private final Supplier<? extends Collection<LocalEndpoint>> endpoints;

    /**
     * Answers of a node.
     *
     * @param endpoints its attachments
     */
    public KernelAnswers(
            KernelWitness witness,
            Drops drops,
            Conntrack conntrack,
            Supplier<? extends Collection<LocalEndpoint>> endpoints) {
        this.witness = witness;
        this.drops = drops;
        this.conntrack = conntrack;
        this.endpoints = endpoints;
    }

    /**
     * What the kernel's rules do with a connection.
     *
     * @throws IllegalArgumentException when it can be none
     */
    public KernelVerdict verdict(FlowTuple flow) {
        return toProto(witness.ask(new KernelWitness.Question(
                IpAddress.parse(flow.getSource()),
                IpAddress.parse(flow.getDestination()),
                fromProto(flow.getProtocol()),
                flow.getPort())));
    }

    static KernelVerdict toProto(Testimony testimony) {
        KernelVerdict.Builder out =
                KernelVerdict.newBuilder().setRevision(testimony.revision()).addAllOtherTables(testimony.otherTables());
        return switch (testimony.verdict()) {
            case Verdict.Passes _ ->
                out.setOutcome(KernelOutcome.KERNEL_OUTCOME_PASSES).build();
            case Verdict.Elsewhere _ ->
                out.setOutcome(KernelOutcome.KERNEL_OUTCOME_ELSEWHERE).build();
            case Verdict.Unknown(String why) ->
                out.setOutcome(KernelOutcome.KERNEL_OUTCOME_UNKNOWN)
                        .setUnknown(why)
                        .build();
            case Verdict.Dropped(String chain, String rule, boolean reply) ->
                out.setOutcome(KernelOutcome.KERNEL_OUTCOME_DROPPED)
                        .setChain(chain)
                        .setRule(rule)
                        .setReply(reply)
                        .build();
        };
    }

    /** What the kernel's rules have dropped since node-shim started. */
    public io.podwire.proto.policy.v1.Drops drops() {
        return toProto(drops.lines());
    }

    static io.podwire.proto.policy.v1.Drops toProto(List<Drops.Line> lines) {
        return io.podwire.proto.policy.v1.Drops.newBuilder()
                .addAllDrops(lines.stream().map(KernelAnswers::toProto).toList())
                .build();
    }

    private static DropCount toProto(Drops.Line line) {
        DropCount.Builder out = DropCount.newBuilder()
                .setPackets(line.packets())
                .setBytes(line.bytes())
                .setLastRisenAtMs(
                        line.lastRisen().equals(Instant.EPOCH)
                                ? 0
                                : line.lastRisen().toEpochMilli());
        if (line.cause().isEmpty()) {
            return out.setReason(DropReason.DROP_REASON_MORE).build();
        }
        return switch (line.cause().get()) {
            case DropCause.DefaultDeny(DropCause.Direction direction, List<String> policies) ->
                out.setReason(DropReason.DROP_REASON_DEFAULT_DENY)
                        .setDirection(text(direction))
                        .addAllPolicies(policies)
                        .build();
            case DropCause.ByRule(DropCause.Direction direction, String policy, int index) ->
                out.setReason(DropReason.DROP_REASON_RULE)
                        .setDirection(text(direction))
                        .addPolicies(policy)
                        .setRule(Integer.toString(index))
                        .build();
            case DropCause.Guard(String name) ->
                out.setReason(DropReason.DROP_REASON_GUARD).setRule(name).build();
        };
    }

    private static String text(DropCause.Direction direction) {
        return direction.name().toLowerCase(Locale.ROOT);
    }

    /**
     * Connections to and from this node's pods that conntrack has now, as policy sees them.
     *
     * @throws IllegalArgumentException when more are asked for than one answer may have
     */
    public Flows flows(FlowsQuestion question) {
        if (question.getMaxFlows() < 0 || question.getMaxFlows() > MAX_FLOWS) {
            throw new IllegalArgumentException(
                    "max_flows must be 0 to " + MAX_FLOWS + ", got " + question.getMaxFlows());
        }
        int most = question.getMaxFlows() == 0 ? DEFAULT_FLOWS : question.getMaxFlows();
        Set<IpAddress> pods = new HashSet<>();
        endpoints.get().forEach(endpoint -> pods.addAll(endpoint.addresses().list()));
        Set<FlowTuple> flows = new LinkedHashSet<>();
        for (IpFamily family : IpFamily.values()) {
            conntrack
                    .connections(
                            family,
                            connection -> pods.contains(connection.original().source())
                                    || pods.contains(connection.reply().source()))
                    .forEach(connection -> flow(connection).ifPresent(flows::add));
        }
        return Flows.newBuilder()
                .addAllFlows(flows.stream().limit(most).toList())
                .setMore(flows.size() > most)
                .build();
    }

    /** Policy judges whom its replies come from, which is behind any translation. */
    private static Optional<FlowTuple> flow(Connection connection) {
        return protocol(connection.original().protocol())
                .map(protocol -> FlowTuple.newBuilder()
                        .setSource(connection.original().source().toString())
                        .setDestination(connection.reply().source().toString())
                        .setProtocol(protocol)
                        .setPort(connection.reply().sourcePort())
                        .build());
    }

    private static Optional<Protocol> protocol(int number) {
        return Arrays.stream(Protocol.values())
                .filter(p -> p != Protocol.UNRECOGNIZED && p != Protocol.PROTOCOL_UNSPECIFIED)
                .filter(p -> p.getNumber() == number)
                .findFirst();
    }

    private static IpProtocol fromProto(Protocol protocol) {
        return switch (protocol) {
            case PROTOCOL_TCP -> IpProtocol.TCP;
            case PROTOCOL_UDP -> IpProtocol.UDP;
            case PROTOCOL_SCTP -> IpProtocol.SCTP;
            case PROTOCOL_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("protocol must be TCP, UDP or SCTP, got " + protocol);
        };
    }
}
