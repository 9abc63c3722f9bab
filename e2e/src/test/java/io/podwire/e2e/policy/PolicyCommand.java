package io.podwire.e2e.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.ExplainTrafficResponse;
import io.podwire.proto.policy.v1.Flip;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** {@code podwire policy}, as an operator runs it. One thread uses it. */
final class PolicyCommand {
    private final Mesh mesh;
    private final Map<List<String>, ExplainTrafficResponse> explained = new HashMap<>();

    PolicyCommand(Mesh mesh) {
        this.mesh = mesh;
    }

    /** The answer about two pods, in every family; asked once. */
    ExplainTrafficResponse explain(String from, String to, String protocol, int port) {
        return explained.computeIfAbsent(
                List.of(
                        "explain",
                        from,
                        to,
                        "--port",
                        Integer.toString(port),
                        "--protocol",
                        protocol.toLowerCase(Locale.ROOT)),
                arguments -> {
                    ExplainTrafficResponse.Builder answer = ExplainTrafficResponse.newBuilder();
                    read(arguments, answer);
                    return answer.build();
                });
    }

    /** What the policies of a file would change. */
    SimulatePoliciesResponse simulate(Path file) {
        SimulatePoliciesResponse.Builder answer = SimulatePoliciesResponse.newBuilder();
        read(List.of("simulate", "-f", file.toString()), answer);
        return answer.build();
    }

    /** Waits until all nodes enforce the newest revision. */
    void awaitRollout() {
        Shell.Ended ended = mesh.podwirePolicy("rollout", "--wait");
        assertThat(ended.exitCode()).as("rollout --wait: %s", ended).isZero();
    }

    private void read(List<String> arguments, Message.Builder answer) {
        List<String> all = new ArrayList<>(arguments);
        all.addAll(List.of("-o", "json"));
        Shell.Ended ended = mesh.podwirePolicy(all.toArray(String[]::new));
        assertThat(ended.exitCode()).as("%s: %s", arguments, ended).isZero();
        try {
            JsonFormat.parser().merge(ended.stdout(), answer);
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(ended.stdout(), e);
        }
    }

    /** Whether the answer about one address pair is that it passes. */
    static boolean allowed(ExplainTrafficResponse answer, String source, String destination) {
        return answer.getFlowsList().stream()
                .filter(flow -> same(flow.getSource().getAddress(), source)
                        && same(flow.getDestination().getAddress(), destination))
                .findFirst()
                .orElseThrow(() -> new AssertionError(source + " to " + destination + " is not in " + answer))
                .getAllowed();
    }

    /** Whether a simulation says that this would change. */
    static boolean flips(
            SimulatePoliciesResponse answer, String source, String destination, String protocol, int port) {
        return answer.getFlipsList().stream()
                .filter(flip -> same(flip.getSource().getAddress(), source)
                        && same(flip.getDestination().getAddress(), destination))
                .map(Flip::getPortsList)
                .flatMap(List::stream)
                .anyMatch(range -> range.getProtocol() == protocol(protocol)
                        && range.getFirst() <= port
                        && port <= range.getLast());
    }

    /** IPv6 addresses have more than one text. */
    private static boolean same(String one, String other) {
        return InetAddress.ofLiteral(one).equals(InetAddress.ofLiteral(other));
    }

    static Protocol protocol(String name) {
        return Protocol.valueOf("PROTOCOL_" + name);
    }
}
