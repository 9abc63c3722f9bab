package io.podwire.cli;

import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.Flip;
import io.podwire.proto.policy.v1.FlowFlip;
import io.podwire.proto.policy.v1.PolicyChange;
import io.podwire.proto.policy.v1.PortRange;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire policy simulate}. */
@Command(
        name = "simulate",
        description = "Which connections would pass that do not now, or the other way round, if policies changed.")
final class PolicySimulateCommand implements Callable<Integer> {
    private static final int LAST_PORT = 65535;

    @Mixin
    private PolicyCandidate candidate;

    @Option(
            names = "--address",
            paramLabel = "ADDRESS",
            description = "An address outside the cluster to look at, too; may be given more than once.")
    private List<String> addresses = List.of();

    @Option(
            names = "--max",
            paramLabel = "NUMBER",
            defaultValue = "1000",
            description = "At most this many flips, 1 to 100000. Default: ${DEFAULT-VALUE}")
    private int max;

    @Option(
            names = "--flows",
            description = "Look at the connections that nodes have now, too, and name those that would flip.")
    private boolean flows;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        SimulatePoliciesResponse answer = candidate.ask(SimulatePoliciesRequest.newBuilder()
                .addAllAddresses(addresses)
                .setMaxFlips(max)
                .setRecordedFlows(flows));
        Table table = new Table("SOURCE", "DESTINATION", "PORTS", "NOW", "THEN");
        for (Flip flip : answer.getFlipsList()) {
            table.row(
                    PolicyExplainCommand.end(flip.getSource()),
                    PolicyExplainCommand.end(flip.getDestination()),
                    flip.getPortsList().stream()
                            .map(PolicySimulateCommand::ports)
                            .collect(Collectors.joining(", ")),
                    flip.getAllowed() ? "denied" : "allowed",
                    flip.getAllowed() ? "allowed" : "denied");
        }
        answer.getRecordedFlipsList().forEach(flip -> row(table, flip));
        for (PolicyChange change : answer.getChangesList()) {
            String invalid = change.getInvalid().isEmpty() ? "" : ", closed: " + change.getInvalid();
            output.note(change.getPolicy() + ": " + PolicyCandidate.kind(change) + ", selects "
                    + change.getSelectedPods() + " pods" + invalid);
        }
        PolicyCandidate.noteIgnored(output, answer);
        if (flows) {
            output.note("of " + answer.getRecordedFlows() + " connections that there are now, "
                    + answer.getRecordedFlipsCount() + " would flip");
            answer.getSilentNodesList().forEach(silent -> output.note("did not tell its connections: " + silent));
        }
        output.print(answer, table);
        if (answer.getMoreFlips()) {
            output.note("there are more flips than these: --max shows more");
        }
        return 0;
    }

    private static void row(Table table, FlowFlip flip) {
        table.row(
                PolicyExplainCommand.end(flip.getSource()),
                PolicyExplainCommand.end(flip.getDestination()),
                protocol(flip.getProtocol()) + " " + flip.getPort() + " (open now)",
                flip.getAllowed() ? "denied" : "allowed",
                flip.getAllowed() ? "allowed" : "denied");
    }

    private static String protocol(Protocol protocol) {
        return protocol.name().replace("PROTOCOL_", "").toLowerCase(Locale.ROOT);
    }

    private static String ports(PortRange range) {
        String protocol = protocol(range.getProtocol());
        if (range.getFirst() == 0 && range.getLast() == LAST_PORT) {
            return protocol + " all";
        }
        return protocol + " " + range.getFirst() + (range.getFirst() == range.getLast() ? "" : "-" + range.getLast());
    }
}
