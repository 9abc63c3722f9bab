package io.podwire.cli;

import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPath;
import io.podwire.proto.route.v1.BgpRoute;
import io.podwire.proto.route.v1.ListBgpRoutesRequest;
import io.podwire.proto.route.v1.ListBgpRoutesResponse;
import java.util.concurrent.Callable;
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
        Table table = new Table("PREFIX", "NEXT HOP", "FROM", "AS PATH", "LOCAL PREF", "PATHS", "TOLD TO");
        for (BgpRoute route : answer.getRoutesList()) {
            BgpPath best = route.getPaths(0);
            table.row(
                    route.getPrefix(),
                    best.getNextHop(),
                    from(best),
                    best.getAsPath(),
                    Integer.toUnsignedString(best.getLocalPreference()),
                    route.getPathsCount(),
                    route.getToldToCount());
        }
        output.print(answer, table);
        return 0;
    }

    /** Who told a path. */
    static String from(BgpPath path) {
        return (path.getNode().isEmpty() ? "peer " + path.getPeer() : "node " + path.getNode())
                + (path.getStale() ? " (stale)" : "");
    }
}
