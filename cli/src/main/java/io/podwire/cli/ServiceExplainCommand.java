package io.podwire.cli;

import io.podwire.common.net.IpAddress;
import io.podwire.proto.policy.v1.EndpointReason;
import io.podwire.proto.policy.v1.ExplainServiceRequest;
import io.podwire.proto.policy.v1.ExplainServiceResponse;
import io.podwire.proto.policy.v1.ServiceEndpoint;
import io.podwire.proto.policy.v1.ServicePort;
import io.podwire.proto.policy.v1.ServicesGrpc;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire service explain}. */
@Command(
        name = "explain",
        description =
                "Which service answers at an address and port, which of its endpoints a node sends traffic to, and why.")
final class ServiceExplainCommand implements Callable<Integer> {
    @Parameters(
            index = "0",
            paramLabel = "ADDRESS:PORT[/udp]",
            converter = ServiceAddress.Converter.class,
            description =
                    "Where a client connects to: an address of a service, or of a node and a node port. An IPv6 address"
                            + " stands in brackets. TCP, unless /udp or /sctp says other.")
    private ServiceAddress at;

    @Option(
            names = "--node",
            paramLabel = "NODE",
            defaultValue = "",
            description = "As this node sees it: which endpoints are its own, and its zone. Default: as no node does.")
    private String node;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_POLICY_SERVER:-127.0.0.1:7472}",
            description = "policy-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ExplainServiceRequest request = ExplainServiceRequest.newBuilder()
                .setAddress(at.address().toString())
                .setPort(at.port())
                .setProtocol(at.protocol())
                .setNode(node)
                .build();
        ExplainServiceResponse answer = Calls.call(
                "--server",
                server,
                "explaining " + at,
                channel -> Calls.soon(ServicesGrpc.newBlockingStub(channel)).explainService(request));
        ServicePort port = answer.getPort();
        String name = port.getPortName().isEmpty() ? "" : " '" + port.getPortName() + "'";
        StringBuilder text = new StringBuilder(at + " (" + answer.getAddressKind() + ") is service "
                + port.getNamespace() + "/" + port.getName() + ", port " + port.getPort() + "/"
                + ServiceAddress.name(port.getProtocol()) + name + seenFrom() + "\n");
        settings(port).forEach(line -> text.append(line).append('\n'));
        output.print(answer, text + table(answer).text());
        return 0;
    }

    private String seenFrom() {
        return node.isEmpty() ? ", as no node in particular sees it" : ", as node " + node + " sees it";
    }

    /** What the port's service asks for beside the usual, a line each. */
    private static List<String> settings(ServicePort port) {
        List<String> lines = new ArrayList<>();
        if (port.getAffinitySeconds() > 0) {
            lines.add("session affinity: a client keeps its endpoint for " + port.getAffinitySeconds()
                    + " s after its last connection");
        }
        if (port.getInternalLocal()) {
            lines.add("internalTrafficPolicy Local: from pods and the node, only to endpoints of the same node");
        }
        if (port.getExternalLocal()) {
            lines.add("externalTrafficPolicy Local: from outside, only to endpoints of the same node, which see the"
                    + " client's address");
        }
        if (port.getRestricted()) {
            lines.add("source ranges of load balancer addresses: "
                    + (port.getSourceRangesCount() == 0
                            ? "none of this family, so nobody may"
                            : String.join(", ", port.getSourceRangesList())));
        }
        if (port.getHealthCheckNodePort() > 0) {
            lines.add("health check node port " + port.getHealthCheckNodePort() + ": ready endpoints here: "
                    + port.getReadyHere());
        }
        if (!port.getHasEndpoints()) {
            lines.add("no node has an endpoint that takes traffic: connections are rejected");
        }
        return lines;
    }

    private static Table table(ExplainServiceResponse answer) {
        boolean local = answer.getPort().getInternalLocal() || answer.getPort().getExternalLocal();
        Table table = local
                ? new Table("ENDPOINT", "NODE", "POD", "CHOSEN", "LOCALLY", "BECAUSE")
                : new Table("ENDPOINT", "NODE", "POD", "CHOSEN", "BECAUSE");
        for (EndpointReason endpoint : answer.getEndpointsList()) {
            List<Object> row = new ArrayList<>(List.of(
                    authority(endpoint.getEndpoint()),
                    endpoint.getNode(),
                    endpoint.getPod(),
                    yes(endpoint.getChosen()),
                    endpoint.getReason()));
            if (local) {
                row.add(4, yes(endpoint.getChosenLocally()));
            }
            table.row(row.toArray());
        }
        return table;
    }

    private static String authority(ServiceEndpoint endpoint) {
        return ServiceAddress.authority(IpAddress.parse(endpoint.getAddress()), endpoint.getPort());
    }

    private static String yes(boolean chosen) {
        return chosen ? "yes" : "no";
    }
}
