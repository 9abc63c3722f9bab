package io.podwire.cli;

import io.podwire.proto.policy.v1.ListServicesRequest;
import io.podwire.proto.policy.v1.ListServicesResponse;
import io.podwire.proto.policy.v1.ServiceSummary;
import io.podwire.proto.policy.v1.ServicesGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire service list}. */
@Command(
        name = "list",
        description =
                "Services, where they are reached, how many of their endpoints take traffic, and which are not served"
                        + " and why.")
final class ServiceListCommand implements Callable<Integer> {
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
            description = "Only services of this namespace.")
    private String namespace;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListServicesResponse answer = Calls.call(
                "--server",
                server,
                "listing services",
                channel -> Calls.pages(
                        token -> Calls.soon(ServicesGrpc.newBlockingStub(channel))
                                .listServices(ListServicesRequest.newBuilder()
                                        .setNamespace(namespace)
                                        .setPageToken(token)
                                        .build()),
                        ListServicesResponse::getNextPageToken));
        Table table = new Table("NAMESPACE", "NAME", "TYPE", "ADDRESSES", "PORTS", "ENDPOINTS", "STATUS");
        for (ServiceSummary service : answer.getServicesList()) {
            table.row(
                    service.getNamespace(),
                    service.getName(),
                    service.getType(),
                    String.join(",", service.getAddressesList()),
                    String.join(",", service.getPortsList()),
                    service.getServingEndpoints() + "/" + service.getEndpoints(),
                    status(service));
        }
        output.print(answer, table);
        return 0;
    }

    private static String status(ServiceSummary service) {
        if (!service.getNotServed().isEmpty()) {
            return "not served: " + service.getNotServed();
        }
        return service.getServingEndpoints() == 0 ? "rejects: no endpoint takes traffic" : "served";
    }
}
