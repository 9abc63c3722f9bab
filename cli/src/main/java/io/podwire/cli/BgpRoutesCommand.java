package io.podwire.cli;

import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPath;
import io.podwire.proto.route.v1.BgpRoute;
import io.podwire.proto.route.v1.BgpRouteKind;
import io.podwire.proto.route.v1.ListBgpRoutesRequest;
import io.podwire.proto.route.v1.ListBgpRoutesResponse;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code podwire bgp routes}. */
@Command(name = "routes", description = "Each prefix and the path in use; podwire bgp explain shows all paths of one.")
final class BgpRoutesCommand implements Callable<Integer> {
    @Mixin
    private BgpServer server;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListBgpRoutesResponse answer = Calls.call(
                "--server",
                server.address(),
                "listing BGP routes",
                channel -> Calls.pages(
                        token -> Calls.soon(BgpGrpc.newBlockingStub(channel))
                                .listBgpRoutes(ListBgpRoutesRequest.newBuilder()
                                        .setPageToken(token)
                                        .build()),
                        ListBgpRoutesResponse::getNextPageToken));
        Table table = new Table("PREFIX", "NEXT HOP", "FROM", "KIND", "AS PATH", "LOCAL PREF", "PATHS", "TOLD TO");
        for (BgpRoute route : answer.getRoutesList()) {
            BgpPath best = route.getPaths(0);
            table.row(
                    route.getPrefix(),
                    best.getNextHop(),
                    from(route),
                    kind(route.getKind()),
                    best.getAsPath(),
                    Integer.toUnsignedString(best.getLocalPreference()),
                    route.getPathsCount(),
                    route.getToldToCount());
        }
        output.print(answer, table);
        return 0;
    }

    /** Who told the path in use; of an address of a Service the nodes that serve it. */
    private static String from(BgpRoute route) {
        BgpPath best = route.getPaths(0);
        return route.getKind() == BgpRouteKind.BGP_ROUTE_KIND_SERVICE_ADDRESS
                ? route.getPathsList().stream()
                        .filter(path -> !path.getNode().isEmpty())
                        .map(BgpPath::getNode)
                        .collect(Collectors.joining(", ", "node ", ""))
                : from(best);
    }

    /** What a prefix is. */
    static String kind(BgpRouteKind kind) {
        return switch (kind) {
            case BGP_ROUTE_KIND_LEARNED -> "learned";
            case BGP_ROUTE_KIND_NODE -> "node's own";
            case BGP_ROUTE_KIND_AGGREGATE -> "aggregate";
            case BGP_ROUTE_KIND_SERVICES -> "services";
            case BGP_ROUTE_KIND_SERVICE_ADDRESS -> "service address";
            // Of a release that does not say, or one that knows more.
            case BGP_ROUTE_KIND_UNSPECIFIED, UNRECOGNIZED -> "";
        };
    }

    /** Who told a path. */
    static String from(BgpPath path) {
        return (path.getNode().isEmpty() ? "peer " + path.getPeer() : "node " + path.getNode())
                + (path.getStale() ? " (stale)" : "");
    }
}
