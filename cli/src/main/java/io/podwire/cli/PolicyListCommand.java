package io.podwire.cli;

import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.ListPoliciesResponse;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import io.podwire.proto.policy.v1.Policy;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire policy list}. */
@Command(
        name = "list",
        description =
                "Network policies, cluster-wide ones first, how many pods they select on which nodes, and which of"
                        + " them are invalid.")
final class PolicyListCommand implements Callable<Integer> {
    private static final int MOST_NODES = 4;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_POLICY_SERVER:-127.0.0.1:7472}",
            description = "policy-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Option(
            names = {"-n", "--namespace"},
            paramLabel = "NAME",
            defaultValue = "",
            description = "Only policies of this namespace.")
    private String namespace;

    @Mixin
    private Output output;

    @Override
    public Integer call() {

        ListPoliciesResponse answer = Calls.call(
                "--server",
                server,
                "listing policies",
                channel -> Calls.pages(
                        token -> Calls.soon(PoliciesGrpc.newBlockingStub(channel))
                                .listPolicies(ListPoliciesRequest.newBuilder()
                                        .setNamespace(namespace)
                                        .setPageToken(token)
                                        .build()),
                        ListPoliciesResponse::getNextPageToken));
        Table table = new Table("NAMESPACE", "NAME", "TIER", "PODS", "NODES", "STATUS");
        answer.getPoliciesList()
                .forEach(policy -> table.row(
                        policy.getNamespace().isEmpty() ? "-" : policy.getNamespace(),
                        policy.getName(),
                        tier(policy),
                        policy.getSelectedPods(),
                        nodes(policy),
                        policy.getInvalid().isEmpty() ? "valid" : "closed: " + policy.getInvalid()));
        output.print(answer, table);
        return 0;
    }

    /** Of a NetworkPolicy, "-". */
    private static String tier(Policy policy) {
        String tier = PolicyExplainCommand.tier(policy.getTier(), policy.getPriority());
        return tier.isEmpty() ? "-" : tier;
    }

    /** All of few, else how many; -o json names them all. */
    private static String nodes(Policy policy) {
        return policy.getNodesCount() > MOST_NODES
                ? policy.getNodesCount() + " nodes"
                : String.join(",", policy.getNodesList());
    }
}
