package io.podwire.cli;

import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.ExplainTrafficResponse;
import io.podwire.proto.policy.v1.FlowEnd;
import io.podwire.proto.policy.v1.FlowExplanation;
import io.podwire.proto.policy.v1.KernelOutcome;
import io.podwire.proto.policy.v1.Party;
import io.podwire.proto.policy.v1.Ruling;
import io.podwire.proto.policy.v1.Tier;
import io.podwire.proto.policy.v1.Witness;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire policy explain}. */
@Command(
        name = "explain",
        description = "Whether a connection passes, which rule of which policy says so, and on which node.")
final class PolicyExplainCommand implements Callable<Integer> {
    @Parameters(
            index = "0",
            paramLabel = "SOURCE",
            description = "Who opens the connection: NAMESPACE/POD, or an address.")
    private String source;

    @Parameters(
            index = "1",
            paramLabel = "DESTINATION",
            description = "To whom: NAMESPACE/POD, or an address; not that of a service, but of a pod behind it.")
    private String destination;

    @Mixin
    private TransportPort to;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_POLICY_SERVER:-127.0.0.1:7472}",
            description = "policy-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Option(
            names = "--at",
            paramLabel = "REVISION",
            defaultValue = "0",
            description = "Answer as of this earlier revision, as long as policy-service keeps it. Default: the newest")
    private long revision;

    @Option(names = "--witness", description = "Ask the nodes concerned, too, what the rules in their kernels say.")
    private boolean witness;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ExplainTrafficRequest request = ExplainTrafficRequest.newBuilder()
                .setSource(party(source))
                .setDestination(party(destination))
                .setProtocol(to.protocol())
                .setPort(to.port())
                .setAtRevision(revision)
                .setWitness(witness)
                .build();
        ExplainTrafficResponse answer = Calls.call(
                "--server",
                server,
                "explaining " + source + " to " + destination,
                channel -> Calls.soon(AnswersGrpc.newBlockingStub(channel)).explainTraffic(request));
        Table table = new Table("SOURCE", "DESTINATION", "VERDICT", "DIRECTION", "NODE", "BECAUSE");
        for (FlowExplanation flow : answer.getFlowsList()) {
            row(table, flow, "egress", flow.getEgress());
            row(table, flow, "ingress", flow.getIngress());
            flow.getWitnessesList().forEach(kernel -> row(table, flow, kernel));
        }
        output.print(answer, table);
        return 0;
    }

    /** A pod has a slash, an address has none. */
    private static Party party(String text) {
        int slash = text.indexOf('/');
        return slash < 0
                ? Party.newBuilder().setAddress(text).build()
                : Party.newBuilder()
                        .setPod(PodRef.newBuilder()
                                .setNamespace(text.substring(0, slash))
                                .setName(text.substring(slash + 1)))
                        .build();
    }

    private static void row(Table table, FlowExplanation flow, String direction, Ruling ruling) {
        boolean late = !ruling.getNode().isEmpty() && !ruling.getEnforced();
        table.row(
                end(flow.getSource()),
                end(flow.getDestination()),
                flow.getAllowed() ? "allowed" : "denied",
                direction,
                ruling.getNode() + (late ? " (not yet)" : ""),
                (ruling.getAllowed() ? "allowed: " : "denied: ") + because(ruling));
    }

    private static void row(Table table, FlowExplanation flow, Witness kernel) {
        table.row(
                end(flow.getSource()),
                end(flow.getDestination()),
                !kernel.getSilent().isEmpty() ? "unknown" : NodeWitnessCommand.verdict(kernel.getVerdict()),
                "kernel",
                kernel.getNode(),
                because(kernel));
    }

    private static String because(Witness kernel) {
        if (!kernel.getSilent().isEmpty()) {
            return "no answer: " + kernel.getSilent();
        }
        String why = NodeWitnessCommand.because(kernel.getVerdict());
        return kernel.getAgrees() || kernel.getVerdict().getOutcome() == KernelOutcome.KERNEL_OUTCOME_UNKNOWN
                ? why
                : "DIFFERS from what was compiled: " + why;
    }

    /** "namespace/pod address", or the address alone. */
    static String end(FlowEnd end) {
        return end.hasPod()
                ? end.getPod().getNamespace() + "/" + end.getPod().getName() + " " + end.getAddress()
                : end.getAddress();
    }

    /** Its place, and its name where it has one. */
    private static String rule(Ruling ruling) {
        return ruling.getRule() + (ruling.getRuleName().isEmpty() ? "" : " '" + ruling.getRuleName() + "'");
    }

    /** " (Admin 10)" for a ClusterNetworkPolicy; nothing for a NetworkPolicy. */
    private static String tier(Ruling ruling) {
        String tier = tier(ruling.getTier(), ruling.getPriority());
        return tier.isEmpty() ? "" : " (" + tier + ")";
    }

    /** "Admin 10": tier and priority of a ClusterNetworkPolicy; empty for a NetworkPolicy. */
    static String tier(Tier tier, int priority) {
        return switch (tier) {
            case TIER_ADMIN -> "Admin " + priority;
            case TIER_BASELINE -> "Baseline " + priority;
            case TIER_NETWORK_POLICY, TIER_UNSPECIFIED, UNRECOGNIZED -> "";
        };
    }

    private static String because(Ruling ruling) {
        String policies = String.join(", ", ruling.getPoliciesList());
        return switch (ruling.getReason()) {
            case RULING_REASON_NO_POD -> "no pod's address";
            case RULING_REASON_HOST_NETWORK -> "the pod uses its node's network, which policies do not see";
            case RULING_REASON_UNKNOWN_NODE -> "the pod's node gets no policy from this service";
            case RULING_REASON_WITHIN_POD -> "it stays within the pod";
            case RULING_REASON_OWN_NODE -> "it comes from the pod's own node";
            case RULING_REASON_NOT_ISOLATED -> "no policy isolates the pod";
            case RULING_REASON_RULE, RULING_REASON_DENIED_BY_RULE ->
                rule(ruling) + " of " + policies + tier(ruling) + ", " + ruling.getPeer();
            case RULING_REASON_ISOLATED -> "isolated by " + policies + ", and no rule allows it";
            case RULING_REASON_NOT_COVERED -> "the pod has no object yet";
            case RULING_REASON_UNSPECIFIED, UNRECOGNIZED -> "policy-service is newer than this command: see -o json";
        };
    }
}
