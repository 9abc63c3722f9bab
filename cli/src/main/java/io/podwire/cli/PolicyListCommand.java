package io.podwire.cli;

import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.ListPoliciesResponse;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire policy list}. */
@Command(name = "list", description = "Network policies, and which of them are invalid.")
final class PolicyListCommand implements Callable<Integer> {
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
        Table table = new Table("NAMESPACE", "NAME", "PODS", "STATUS");
        answer.getPoliciesList()
                .forEach(policy -> table.row(
                        policy.getNamespace(),
                        policy.getName(),
                        policy.getSelectedPods(),
                        policy.getInvalid().isEmpty() ? "valid" : "closed: " + policy.getInvalid()));
        output.print(answer, table);
        return 0;
    }
}
