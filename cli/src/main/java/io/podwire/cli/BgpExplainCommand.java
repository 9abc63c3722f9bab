package io.podwire.cli;

import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPath;
import io.podwire.proto.route.v1.BgpRoute;
import io.podwire.proto.route.v1.ExplainBgpRouteRequest;
import io.podwire.proto.route.v1.ExplainBgpRouteResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code podwire bgp explain}. */
@Command(
        name = "explain",
        description = "Which BGP path packets for an address or a prefix take, why that one, and who was told it.")
final class BgpExplainCommand implements Callable<Integer> {
    @Parameters(paramLabel = "PREFIX", description = "An address or a prefix, 10.244.1.7 or 10.244.1.0/26.")
    private String prefix;

    @Mixin
    private BgpServer server;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ExplainBgpRouteResponse answer = Calls.call(
                "--server",
                server.address(),
                "explaining " + prefix,
                channel -> Calls.soon(BgpGrpc.newBlockingStub(channel))
                        .explainBgpRoute(ExplainBgpRouteRequest.newBuilder()
                                .setPrefix(prefix)
                                .build()));
        BgpRoute route = answer.getRoute();
        Table table = new Table(
                "PREFIX",
                "NEXT HOP",
                "FROM",
                "KIND",
                "AS PATH",
                "ORIGIN",
                "LOCAL PREF",
                "MED",
                "ORIGINATOR",
                "CLUSTERS",
                "COMMUNITIES",
                "VERDICT");
        for (BgpPath path : route.getPathsList()) {
            table.row(
                    route.getPrefix(),
                    path.getNextHop(),
                    BgpRoutesCommand.from(path),
                    BgpRoutesCommand.kind(route.getKind()),
                    path.getAsPath(),
                    path.getOrigin(),
                    Integer.toUnsignedString(path.getLocalPreference()),
                    path.hasMed() ? Integer.toUnsignedString(path.getMed()) : "",
                    path.getOriginatorId(),
                    String.join(" ", path.getClusterListList()),
                    String.join(" ", path.getCommunitiesList()),
                    path.getLostBecause().isEmpty() ? verdict(route) : path.getLostBecause());
        }
        output.print(answer, table);
        return 0;
    }

    private static String verdict(BgpRoute route) {
        return route.getToldToCount() == 0
                ? "in use, told to nobody"
                : "in use, told to " + String.join(", ", route.getToldToList());
    }
}
