package io.podwire.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.proto.route.v1.BgpGrpc;
import io.podwire.proto.route.v1.BgpPath;
import io.podwire.proto.route.v1.BgpPeer;
import io.podwire.proto.route.v1.BgpPeerKind;
import io.podwire.proto.route.v1.BgpRoute;
import io.podwire.proto.route.v1.BgpRouteKind;
import io.podwire.proto.route.v1.ExplainBgpRouteRequest;
import io.podwire.proto.route.v1.ExplainBgpRouteResponse;
import io.podwire.proto.route.v1.ListBgpPeersRequest;
import io.podwire.proto.route.v1.ListBgpPeersResponse;
import io.podwire.proto.route.v1.ListBgpRoutesRequest;
import io.podwire.proto.route.v1.ListBgpRoutesResponse;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BgpCommandsTest {
    private Server server;

    @BeforeEach
    void start() throws Exception {
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .addService(new Speaker())
                .build()
                .start();
    }

    @AfterEach
    void stop() {
        server.shutdownNow();
    }

    @Test
    void peersAreShownWithWhatIsWrong() {
        assertThat(run("bgp", "peers")).isEqualTo("""
                NAME   ADDRESS      AS          KIND      STATE                 FOR   IMPORTED  ADVERTISED  REFUSED  MALFORMED  LAST PROBLEM
                tor-a  192.0.2.254  4200000000  external  Established           1m5s  2         3           4        1          -
                tor-b  192.0.2.253  64512       client    Active (routes kept)  0s    0         0           0        0          the connection ended
                """);
    }

    @Test
    void routesAreShownPageByPage() {
        assertThat(run("bgp", "routes")).isEqualTo("""
                PREFIX           NEXT HOP    FROM              KIND             AS PATH  LOCAL PREF  PATHS  TOLD TO
                10.244.1.0/26    192.0.2.10  node n1           node's own       -        100         2      1
                198.51.100.9/32  192.0.2.10  node n1, n2       service address  -        100         2      1
                203.0.113.0/24   10.0.0.1    peer 192.0.2.254  learned          64513    200         1      0
                """);
    }

    @Test
    void explainNamesEachPathsVerdict() {
        assertThat(run("bgp", "explain", "10.244.1.7")).isEqualTo("""
                PREFIX         NEXT HOP    FROM                    KIND        AS PATH      ORIGIN      LOCAL PREF  MED  ORIGINATOR  CLUSTERS   COMMUNITIES  VERDICT
                10.244.1.0/26  192.0.2.10  node n1                 node's own  -            igp         100         -    -           -          64512:7      in use, told to tor-a
                10.244.1.0/26  10.0.0.9    peer 192.0.2.9 (stale)  node's own  64513 64514  incomplete  100         5    192.0.2.9   192.0.2.8  -            a better path has the shorter AS_PATH
                """);
    }

    private String run(String... words) {
        String[] all = Arrays.copyOf(words, words.length + 2);
        all[words.length] = "--server";
        all[words.length + 1] = "127.0.0.1:" + server.getPort();
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.commandLine()
                .setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err))
                .execute(all);
        assertThat(code).as(err.toString()).isZero();
        return out.toString();
    }

    private static final class Speaker extends BgpGrpc.BgpImplBase {
        private static final BgpRoute OURS = BgpRoute.newBuilder()
                .setPrefix("10.244.1.0/26")
                .setKind(BgpRouteKind.BGP_ROUTE_KIND_NODE)
                .addPaths(BgpPath.newBuilder()
                        .setNode("n1")
                        .setNextHop("192.0.2.10")
                        .setOrigin("igp")
                        .setLocalPreference(100)
                        .addCommunities("64512:7"))
                .addPaths(BgpPath.newBuilder()
                        .setPeer("192.0.2.9")
                        .setNextHop("10.0.0.9")
                        .setAsPath("64513 64514")
                        .setOrigin("incomplete")
                        .setLocalPreference(100)
                        .setMed(5)
                        .setOriginatorId("192.0.2.9")
                        .addClusterList("192.0.2.8")
                        .setStale(true)
                        .setLostBecause("a better path has the shorter AS_PATH"))
                .addToldTo("tor-a")
                .build();

        @Override
        public void listBgpPeers(ListBgpPeersRequest request, StreamObserver<ListBgpPeersResponse> observer) {
            observer.onNext(ListBgpPeersResponse.newBuilder()
                    .addPeers(BgpPeer.newBuilder()
                            .setName("tor-a")
                            .setAddress("192.0.2.254")
                            .setAsn((int) 4_200_000_000L)
                            .setKind(BgpPeerKind.BGP_PEER_KIND_EXTERNAL)
                            .setState("Established")
                            .setStateSeconds(65)
                            .setImported(2)
                            .setAdvertised(3)
                            .setRefused(4)
                            .setMalformed(1))
                    .addPeers(BgpPeer.newBuilder()
                            .setName("tor-b")
                            .setAddress("192.0.2.253")
                            .setAsn(64512)
                            .setKind(BgpPeerKind.BGP_PEER_KIND_CLIENT)
                            .setState("Active")
                            .setRestarting(true)
                            .setLastProblem("the connection ended"))
                    .build());
            observer.onCompleted();
        }

        @Override
        public void listBgpRoutes(ListBgpRoutesRequest request, StreamObserver<ListBgpRoutesResponse> observer) {
            ListBgpRoutesResponse.Builder page = ListBgpRoutesResponse.newBuilder();
            if (request.getPageToken().isEmpty()) {
                page.addRoutes(OURS)
                        .addRoutes(BgpRoute.newBuilder()
                                .setPrefix("198.51.100.9/32")
                                .setKind(BgpRouteKind.BGP_ROUTE_KIND_SERVICE_ADDRESS)
                                .addPaths(BgpPath.newBuilder()
                                        .setNode("n1")
                                        .setNextHop("192.0.2.10")
                                        .setLocalPreference(100))
                                .addPaths(BgpPath.newBuilder()
                                        .setNode("n2")
                                        .setNextHop("192.0.2.11")
                                        .setLocalPreference(100))
                                .addToldTo("tor-a"))
                        .setNextPageToken("198.51.100.9/32");
            } else {
                page.addRoutes(BgpRoute.newBuilder()
                        .setPrefix("203.0.113.0/24")
                        .setKind(BgpRouteKind.BGP_ROUTE_KIND_LEARNED)
                        .addPaths(BgpPath.newBuilder()
                                .setPeer("192.0.2.254")
                                .setNextHop("10.0.0.1")
                                .setAsPath("64513")
                                .setLocalPreference(200)));
            }
            observer.onNext(page.build());
            observer.onCompleted();
        }

        @Override
        public void explainBgpRoute(ExplainBgpRouteRequest request, StreamObserver<ExplainBgpRouteResponse> observer) {
            assertThat(request.getPrefix()).isEqualTo("10.244.1.7");
            observer.onNext(ExplainBgpRouteResponse.newBuilder().setRoute(OURS).build());
            observer.onCompleted();
        }
    }
}
