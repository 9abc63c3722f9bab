package io.podwire.cli;

import com.google.common.base.Ascii;
import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPeer;
import io.podwire.proto.route.v1.ListBgpPeersRequest;
import io.podwire.proto.route.v1.ListBgpPeersResponse;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code podwire bgp peers}. */
@Command(name = "peers", description = "The BGP neighbours and how it stands with them.")
final class BgpPeersCommand implements Callable<Integer> {
    @Mixin
    private BgpServer server;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListBgpPeersResponse answer = Calls.call(
                "--server",
                server.address(),
                "listing BGP peers",
                channel -> Calls.soon(BgpGrpc.newBlockingStub(channel))
                        .listBgpPeers(ListBgpPeersRequest.getDefaultInstance()));
        Table table = new Table(
                "NAME",
                "ADDRESS",
                "AS",
                "KIND",
                "STATE",
                "FOR",
                "IMPORTED",
                "ADVERTISED",
                "REFUSED",
                "MALFORMED",
                "LAST PROBLEM");
        for (BgpPeer peer : answer.getPeersList()) {
            table.row(
                    peer.getName(),
                    peer.getAddress(),
                    Integer.toUnsignedString(peer.getAsn()),
                    Ascii.toLowerCase(peer.getKind().name())
                            .replace("bgp_peer_kind_", "")
                            .replace('_', '-'),
                    peer.getState() + (peer.getRestarting() ? " (routes kept)" : ""),
                    Ascii.toLowerCase(Duration.ofSeconds(peer.getStateSeconds())
                            .toString()
                            .replace("PT", "")),
                    peer.getImported(),
                    peer.getAdvertised(),
                    peer.getRefused(),
                    peer.getMalformed(),
                    peer.getLastProblem());
        }
        output.print(answer, table);
        return 0;
    }
}
