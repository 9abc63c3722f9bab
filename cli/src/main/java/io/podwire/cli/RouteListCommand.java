package io.podwire.cli;

import io.podwire.proto.route.v1.ListRoutesRequest;
import io.podwire.proto.route.v1.ListRoutesResponse;
import io.podwire.proto.route.v1.NodeRoute;
import io.podwire.proto.route.v1.RefusedPrefix;
import io.podwire.proto.route.v1.RouteEntry;
import io.podwire.proto.route.v1.RoutesGrpc;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire route list}. */
@Command(name = "list", description = "The prefixes every node announces, and where it is reached.")
final class RouteListCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_ROUTE_SERVER:-127.0.0.1:7473}",
            description = "route-reflector's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Mixin
    private Output output;

    @Override
    public Integer call() {

        ListRoutesResponse answer = Calls.call(
                "--server",
                server,
                "listing routes",
                channel -> Calls.pages(
                        token -> Calls.soon(RoutesGrpc.newBlockingStub(channel))
                                .listRoutes(ListRoutesRequest.newBuilder()
                                        .setPageToken(token)
                                        .build()),
                        ListRoutesResponse::getNextPageToken));
        Table table = new Table("NODE", "UNDERLAY", "VTEP", "STREAM", "PREFIXES", "REFUSED");
        for (RouteEntry entry : answer.getRoutesList()) {
            NodeRoute route = entry.getRoute();
            table.row(
                    route.getNode(),
                    route.getUnderlayAddress() + "/" + route.getUnderlayLength(),
                    route.getVtepAddress(),
                    entry.getConnected() ? "up" : "down",
                    String.join(" ", route.getPrefixesList()),
                    entry.getRefusedList().stream()
                            .map(RefusedPrefix::getPrefix)
                            .collect(Collectors.joining(" ")));
        }
        output.print(answer, table);
        return 0;
    }
}
