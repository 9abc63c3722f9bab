package io.podwire.cli;

import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.PolicyChange;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Option;

/** Options of the commands that ask what a change of policies would do. */
final class PolicyCandidate {
    private static final int DEADLINE_SECONDS = 60;

    @Option(
            names = {"-f", "--file"},
            paramLabel = "FILE",
            description = "Manifests of policies that would come or change; may be given more than once.")
    private List<Path> files = List.of();

    @Option(
            names = "--remove",
            paramLabel = "NAMESPACE/NAME",
            description =
                    "A policy that would go, a ClusterNetworkPolicy by its name alone; may be given more than once.")
    private List<String> removed = List.of();

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_POLICY_SERVER:-127.0.0.1:7472}",
            description = "policy-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    /** Asks; {@code request} has what these options do not say. */
    SimulatePoliciesResponse ask(SimulatePoliciesRequest.Builder request) {
        if (files.isEmpty() && removed.isEmpty()) {
            throw new CommandFailure("name what would change: -f FILE, --remove NAMESPACE/NAME, or both");
        }
        StringBuilder manifests = new StringBuilder();
        files.forEach(file -> manifests.append("---\n").append(read(file)).append('\n'));
        request.setManifests(manifests.toString()).addAllRemovedPolicies(removed);
        return Calls.call(
                "--server",
                server,
                "simulating policies",
                channel -> AnswersGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
                        .simulatePolicies(request.build()));
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new CommandFailure("reading " + file + " failed: " + e, e);
        }
    }

    static String kind(PolicyChange change) {
        return switch (change.getKind()) {
            case POLICY_CHANGE_KIND_ADDED -> "added";
            case POLICY_CHANGE_KIND_CHANGED -> "changed";
            case POLICY_CHANGE_KIND_UNCHANGED -> "unchanged";
            case POLICY_CHANGE_KIND_REMOVED -> "removed";
            case POLICY_CHANGE_KIND_ABSENT -> "not there";
            case POLICY_CHANGE_KIND_UNSPECIFIED, UNRECOGNIZED -> "unknown";
        };
    }

    static void noteIgnored(Output output, SimulatePoliciesResponse answer) {
        answer.getIgnoredList().forEach(what -> output.note("no NetworkPolicy, left out: " + what));
    }
}
