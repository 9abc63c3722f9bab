package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.GetPoolRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolNamespaces;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What nodes and people are told of pools with a namespace selector and of pools that drain, on each store. */
abstract class NamespacesContract {
    private static final NodeEpoch NODE = IpamServiceContract.node("n1", "uid-1", 1);

    @TempDir
    private Path manifests;

    private RunningService service;
    private ManagedChannel channel;

    /** Options that name the store, empty at the start of a test. */
    abstract List<String> storeOptions();

    @BeforeEach
    void startService() throws Exception {
        pool("red", "10.2.0.0/24", "namespaceSelector: {matchLabels: {team: red}}");
        pool("six", "fd00::/64", "namespaceSelector: {matchLabels: {team: red, v6: 'true'}}");
        pool("open", "10.1.0.0/24", "blockLength: 26");
        namespace("shop", "{team: red}");
        namespace("db", "{team: red, v6: 'true'}");
        namespace("web", "{team: blue}");
        IpamOptions options = new IpamOptions();
        List<String> args = Stream.of(
                        List.of("--listen=127.0.0.1:0", "--http-listen=127.0.0.1:0", "--pool-dir=" + manifests),
                        storeOptions())
                .flatMap(List::stream)
                .toList();
        var _ = ServiceRunner.command("ipam-service", options, Map.of()).parseArgs(args.toArray(String[]::new));
        options.check();
        service = ServiceRunner.start("ipam-service", options, Main::wire);
        channel = service.channel();
    }

    @AfterEach
    void stopService() {
        if (service != null) {
            channel.shutdownNow();
            service.close();
        }
    }

    private void pool(String name, String cidr, String more) throws IOException {
        Files.writeString(
                manifests.resolve("pool-" + name + ".yaml"),
                "apiVersion: podwire.io/v1\nkind: IPPool\nmetadata: {name: " + name + "}\nspec: {cidr: '" + cidr + "', "
                        + more + "}\n");
    }

    private void namespace(String name, String labels) throws IOException {
        Files.writeString(
                manifests.resolve("namespace-" + name + ".yaml"),
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + ", labels: " + labels + "}\n");
    }

    private BlocksGrpc.BlocksBlockingStub blocks() {
        return BlocksGrpc.newBlockingStub(channel).withDeadlineAfter(Duration.ofSeconds(20));
    }

    private ListBlocksResponse list(String version) {
        return blocks().listBlocks(ListBlocksRequest.newBuilder()
                .setNode("n1")
                .setNamespacesVersion(version)
                .build());
    }

    private static PoolNamespaces of(String pool, IpFamily family, String... namespaces) {
        return PoolNamespaces.newBuilder()
                .setPool(pool)
                .setFamily(family)
                .addAllNamespaces(List.of(namespaces))
                .build();
    }

    private void awaitTold(PoolNamespaces... told) {
        await().untilAsserted(() -> assertThat(list("").getPoolNamespacesList()).containsExactly(told));
    }

    private Block claim(String pool, String request) {
        return blocks().claimBlock(ClaimBlockRequest.newBuilder()
                .setNode(NODE)
                .setPool(pool)
                .setRequestId(request)
                .build());
    }

    private Pool pool(String name) {
        return PoolsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(Duration.ofSeconds(20))
                .getPool(GetPoolRequest.newBuilder().setName(name).build());
    }

    @Test
    void nodesAreToldWhichNamespacesAPoolIsForAndAfterThatWhatChanges() throws IOException {
        awaitTold(of("red", IpFamily.IP_FAMILY_IPV4, "db", "shop"), of("six", IpFamily.IP_FAMILY_IPV6, "db"));
        String version = list("").getNamespacesVersion();
        assertThat(version).isNotEmpty();
        assertThat(list(version).getPoolNamespacesList()).as("known already").isEmpty();
        namespace("web", "{team: red}");
        namespace("db", "{}");
        awaitTold(of("red", IpFamily.IP_FAMILY_IPV4, "shop", "web"), of("six", IpFamily.IP_FAMILY_IPV6));
        assertThat(list(version).getPoolNamespacesList()).as("not known").hasSize(2);
        Files.delete(manifests.resolve("namespace-shop.yaml"));
        awaitTold(of("red", IpFamily.IP_FAMILY_IPV4, "web"), of("six", IpFamily.IP_FAMILY_IPV6));
        Files.writeString(manifests.resolve("more.yaml"), """
                kind: NamespaceList
                items:
                - {kind: Namespace, metadata: {name: x1, labels: {team: red}}}
                - {kind: Namespace, metadata: {name: x2, labels: {team: red}}}
                - {kind: Namespace, metadata: {name: x3}}
                """);
        awaitTold(of("red", IpFamily.IP_FAMILY_IPV4, "web", "x1", "x2"), of("six", IpFamily.IP_FAMILY_IPV6));
        Files.delete(manifests.resolve("more.yaml"));
        await().during(Duration.ofSeconds(1))
                .atMost(Duration.ofSeconds(10))
                .untilAsserted(() -> assertThat(list("").getPoolNamespacesList())
                        .as("most are gone at once: that is doubted")
                        .contains(of("red", IpFamily.IP_FAMILY_IPV4, "web", "x1", "x2")));
    }

    @Test
    void aBlockTellsThatItsPoolIsForSomeNamespaces() {
        awaitTold(of("red", IpFamily.IP_FAMILY_IPV4, "db", "shop"), of("six", IpFamily.IP_FAMILY_IPV6, "db"));
        await().until(() -> pool("open").getTotalBlocks() == 4);
        assertThat(claim("", "r1").getNamespaceSelected()).isFalse();
        assertThat(claim("red", "r2").getNamespaceSelected()).isTrue();
        assertThat(list("").getBlocksList())
                .extracting(Block::getPool, Block::getNamespaceSelected)
                .containsExactly(
                        org.assertj.core.api.Assertions.tuple("open", false),
                        org.assertj.core.api.Assertions.tuple("red", true));
    }

    @Test
    void aPoolThatDrainsTellsItsPaceAndHowManyAddressesAreLeft() throws Exception {
        await().until(() -> list("").getPoolNamespacesCount() == 2);
        assertThat(claim("red", "r1").getCidr()).isEqualTo("10.2.0.0/26");
        ReportStream stream = new ReportStream(channel, NODE);
        stream.full(
                ReportStream.inUse("10.2.0.1", "a"),
                ReportStream.inUse("10.2.0.2", "b"),
                ReportStream.cooling("10.2.0.3"),
                ReportStream.inUse("10.1.0.1", "c"));
        assertThat(pool("red").getAddressesLeft()).as("it is active").isZero();
        pool("red", "10.2.0.0/24", "state: Draining, drainPace: 10, namespaceSelector: {matchLabels: {team: red}}");
        await().until(() -> pool("red").getState() == PoolState.POOL_STATE_DRAINING
                && pool("red").getAddressesLeft() == 2);
        assertThat(pool("red").getDrainPace()).isEqualTo(10);
        assertThat(pool("red").getDrainingFromBlocks()).isEqualTo(1);
        stream.abandon();
    }
}
