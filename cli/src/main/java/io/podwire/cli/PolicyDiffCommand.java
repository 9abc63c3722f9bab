package io.podwire.cli;

import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code podwire policy diff}. */
@Command(name = "diff", description = "How policies of manifests differ from those that are enforced.")
final class PolicyDiffCommand implements Callable<Integer> {
    @Mixin
    private PolicyCandidate candidate;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        SimulatePoliciesResponse answer =
                candidate.ask(SimulatePoliciesRequest.newBuilder().setMaxFlips(1));
        Table table = new Table("POLICY", "CHANGE", "PODS", "STATUS");
        answer.getChangesList()
                .forEach(change -> table.row(
                        change.getPolicy(),
                        PolicyCandidate.kind(change),
                        change.getSelectedPods(),
                        change.getInvalid().isEmpty() ? "valid" : "closed: " + change.getInvalid()));
        PolicyCandidate.noteIgnored(output, answer);
        output.print(answer.toBuilder().clearFlips().clearMoreFlips().build(), table);
        return 0;
    }
}
