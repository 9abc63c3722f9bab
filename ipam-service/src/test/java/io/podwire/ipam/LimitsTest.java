package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.AddressOwner;
import io.podwire.proto.ipam.v1.AddressWish;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.GetPoolRequest;
import io.podwire.proto.ipam.v1.ListNamespaceUsagesRequest;
import io.podwire.proto.ipam.v1.ListNamespaceUsagesResponse;
import io.podwire.proto.ipam.v1.NamespaceUsage;
import io.podwire.proto.ipam.v1.NamespacesGrpc;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Quotas, forecasts and usage of the whole service, over real channels. */
class LimitsTest {
    private static final NodeEpoch ONE = IpamServiceContract.node("n1", "u1", 1);
    private static final NodeEpoch TWO = IpamServiceContract.node("n2", "u2", 1);

    @TempDir
    private Path dir;

    private RunningService service;
    private ManagedChannel channel;

    private void start(String... more) throws Exception {
        List<String> args = new ArrayList<>(List.of(
                "--listen=127.0.0.1:0",
                "--http-listen=127.0.0.1:0",
                "--mvstore-file=" + dir.resolve("ipam.mv"),
                "--pool=default=10.1.0.0/25/26"));
        args.addAll(List.of(more));
        IpamOptions options = new IpamOptions();
        var _ = ServiceRunner.command("ipam-service", options, Map.of()).parseArgs(args.toArray(String[]::new));
        options.check();
        service = ServiceRunner.start("ipam-service", options, Main::wire);
        channel = service.channel();
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        service.close();
    }

    private static Binding inUse(String address, String namespace) {
        return ReportStream.inUse(address, "pod-" + address).toBuilder()
                .setPod(PodRef.newBuilder().setNamespace(namespace).setName("web"))
                .build();
    }

    private void allocate(String owner, String namespace) {
        var _ = AddressesGrpc.newBlockingStub(channel)
                .allocateAddresses(AllocateAddressesRequest.newBuilder()
                        .setOwner(AddressOwner.newBuilder()
                                .setId(owner)
                                .setPod(PodRef.newBuilder().setNamespace(namespace)))
                        .addWishes(AddressWish.newBuilder().setFamily(IpFamily.IP_FAMILY_IPV4))
                        .build());
    }

    private void claim(NodeEpoch node) {
        var _ = BlocksGrpc.newBlockingStub(channel)
                .claimBlock(ClaimBlockRequest.newBuilder()
                        .setNode(node)
                        .setRequestId("r-" + node.getNode())
                        .build());
    }

    private List<NamespaceUsage> usages(int pageSize) {
        List<NamespaceUsage> all = new ArrayList<>();
        String token = "";
        do {
            ListNamespaceUsagesResponse page = NamespacesGrpc.newBlockingStub(channel)
                    .listNamespaceUsages(ListNamespaceUsagesRequest.newBuilder()
                            .setPageSize(pageSize)
                            .setPageToken(token)
                            .build());
            all.addAll(page.getUsagesList());
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        return all;
    }

    private String metrics() throws Exception {
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.httpPort() + "/metrics"))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body();
        }
    }

    @Test
    void everyNodeIsToldWhichNamespacesAreFullAndWhenTheyAreNotAnyMore() throws Exception {
        start("--namespace-quota=shop=2");
        ReportStream one = new ReportStream(channel, ONE);
        one.fullOfOneThatTakesNamespaces(inUse("10.1.0.1", "shop"));
        one.awaitAck(1);
        assertThat(one.told()).as("with the first answer").containsExactly(List.of());
        ReportStream old = new ReportStream(channel, TWO);
        old.full();
        old.awaitAck(1);
        ReportStream three = new ReportStream(channel, IpamServiceContract.node("n3", "u3", 1));
        three.fullOfOneThatTakesNamespaces();
        three.awaitAck(1);

        three.delta(List.of(inUse("10.1.0.65", "shop")), List.of());
        three.awaitAck(2);
        assertThat(three.told()).as("with the answer to what filled it").containsExactly(List.of(), List.of("shop"));
        await("the other node, which says nothing")
                .untilAsserted(() -> assertThat(one.told()).containsExactly(List.of(), List.of("shop")));

        one.delta(List.of(), List.of("10.1.0.1"));
        one.awaitAck(2);
        await().untilAsserted(() -> assertThat(three.told()).containsExactly(List.of(), List.of("shop"), List.of()));
        old.delta(List.of(), List.of());
        old.awaitAck(2);
        assertThat(old.told()).as("a node of an older release").isEmpty();
    }

    @Test
    void aSingleAddressBeyondTheQuotaIsRefusedAndUsageTellsBoth() throws Exception {
        start("--namespace-quota=shop=2,free=unlimited", "--default-namespace-quota=5");
        ReportStream one = new ReportStream(channel, ONE);
        one.full(inUse("10.1.0.1", "shop"), inUse("10.1.0.2", "other"));
        one.awaitAck(1);
        allocate("vm", "shop");
        StatusRuntimeException refused =
                catchThrowableOfType(StatusRuntimeException.class, () -> allocate("vm-2", "shop"));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(refused.getStatus().getDescription())
                .contains("namespace shop has 2 addresses, wants 1 more, and its quota is 2");
        allocate("vm-3", "free");
        NamespaceUsage free = NamespaceUsage.newBuilder()
                .setNamespace("free")
                .setSingleAddresses(1)
                .build();
        NamespaceUsage other = NamespaceUsage.newBuilder()
                .setNamespace("other")
                .setPodAddresses(1)
                .setQuota(5)
                .build();
        NamespaceUsage shop = NamespaceUsage.newBuilder()
                .setNamespace("shop")
                .setPodAddresses(1)
                .setSingleAddresses(1)
                .setQuota(2)
                .build();
        assertThat(usages(0)).containsExactly(free, other, shop);
        assertThat(usages(1)).containsExactly(free, other, shop);
        assertThat(NamespacesGrpc.newBlockingStub(channel)
                        .listNamespaceUsages(ListNamespaceUsagesRequest.newBuilder()
                                .setNamespace("shop")
                                .build())
                        .getUsagesList())
                .containsExactly(shop);
        assertThat(metrics())
                .contains("podwire_ipam_namespace_addresses{namespace=\"shop\"} 2.0")
                .contains("podwire_ipam_namespace_quota{namespace=\"shop\"} 2.0")
                .contains("podwire_ipam_namespace_addresses{namespace=\"free\"} 1.0")
                .doesNotContain("podwire_ipam_namespace_quota{namespace=\"free\"}")
                .contains(
                        "podwire_grpc_requests_seconds_count{code=\"RESOURCE_EXHAUSTED\",method=\"AllocateAddresses\"");
    }

    @Test
    void usageIsShownByPoolNodeAndNamespace() throws Exception {
        start();
        claim(ONE);
        claim(TWO);
        ReportStream one = new ReportStream(channel, ONE);
        one.full(inUse("10.1.0.1", "shop"), ReportStream.cooling("10.1.0.2"));
        one.awaitAck(1);
        assertThat(metrics())
                .contains("podwire_ipam_pool_addresses{pool=\"default\",state=\"in_use\"} 1.0")
                .contains("podwire_ipam_pool_addresses{pool=\"default\",state=\"cooling\"} 1.0")
                .contains("podwire_ipam_pool_addresses{pool=\"default\",state=\"reserved\"} 0.0")
                .contains("podwire_ipam_pool_addresses{pool=\"default\",state=\"free\"} 62.0")
                .contains("podwire_ipam_pool_addresses{pool=\"default\",state=\"unknown\"} 64.0")
                .contains("podwire_ipam_node_blocks{node=\"n1\"} 1.0")
                .contains("podwire_ipam_node_blocks{node=\"n2\"} 1.0")
                .contains("podwire_ipam_node_addresses{node=\"n1\",state=\"in_use\"} 1.0")
                .contains("podwire_ipam_node_addresses{node=\"n1\",state=\"cooling\"} 1.0")
                .doesNotContain("podwire_ipam_node_addresses{node=\"n2\"")
                .contains("podwire_ipam_namespace_addresses{namespace=\"shop\"} 1.0")
                .contains("podwire_grpc_requests_seconds_count{code=\"OK\",method=\"ClaimBlock\"");
    }

    @Test
    void theSeriesOfNodesAndNamespacesCanBeLeftOut() throws Exception {
        start("--usage-series=none");
        claim(ONE);
        ReportStream one = new ReportStream(channel, ONE);
        one.full(inUse("10.1.0.1", "shop"));
        one.awaitAck(1);
        assertThat(metrics())
                .contains("podwire_ipam_pool_addresses{pool=\"default\",state=\"in_use\"} 1.0")
                .doesNotContain("podwire_ipam_node_", "podwire_ipam_namespace_");
    }

    @Test
    void aPoolWithoutAFreeBlockIsShownAsUsedUp() throws Exception {
        start();
        claim(ONE);
        assertThat(pool().hasExhaustedIn()).as("nothing is known of its growth").isFalse();
        claim(TWO);
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(pool().hasExhaustedIn()).isTrue());
        assertThat(pool().getExhaustedIn().getSeconds()).isZero();
        assertThat(metrics()).contains("podwire_ipam_pool_exhaustion_seconds{pool=\"default\"} 0.0");
    }

    private Pool pool() {
        return PoolsGrpc.newBlockingStub(channel)
                .getPool(GetPoolRequest.newBuilder().setName("default").build());
    }
}
