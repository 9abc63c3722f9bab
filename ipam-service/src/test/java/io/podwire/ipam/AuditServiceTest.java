package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.grpc.ManagedChannel;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.AddressFinding;
import io.podwire.proto.ipam.v1.AddressFindingKind;
import io.podwire.proto.ipam.v1.AddressOwner;
import io.podwire.proto.ipam.v1.AddressRepair;
import io.podwire.proto.ipam.v1.AddressWish;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.AuditAddressesRequest;
import io.podwire.proto.ipam.v1.AuditAddressesResponse;
import io.podwire.proto.ipam.v1.AuditsGrpc;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The audit as a caller sees it, over a real channel. */
class AuditServiceTest {
    @TempDir
    private Path dir;

    private RunningService service;

    @BeforeEach
    void start() throws Exception {
        IpamOptions options = new IpamOptions();
        var _ = ServiceRunner.command("ipam-service", options, Map.of("PODWIRE_AUDIT_PERIOD", "PT30S"))
                .parseArgs(
                        "--listen=127.0.0.1:0",
                        "--http-listen=127.0.0.1:0",
                        "--mvstore-file=" + dir.resolve("ipam.mv"),
                        "--pool=default=10.1.0.0/24/26");
        options.check();
        service = ServiceRunner.start("ipam-service", options, Main::wire);
    }

    @AfterEach
    void stop() {
        service.close();
    }

    @Test
    void everyFieldOfAFindingIsToldAndAFirstLookChangesNothing() throws Exception {
        var channel = service.channel();
        try {
            var _ = AddressesGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(Duration.ofSeconds(20))
                    .allocateAddresses(AllocateAddressesRequest.newBuilder()
                            .setOwner(AddressOwner.newBuilder()
                                    .setId("c1/eth0")
                                    .setNode("n1")
                                    .setPod(PodRef.newBuilder()
                                            .setNamespace("shop")
                                            .setName("web")))
                            .addWishes(AddressWish.newBuilder().setFamily(IpFamily.IP_FAMILY_IPV4))
                            .build());
            NodeEpoch node = NodeEpoch.newBuilder()
                    .setNode("n1")
                    .setNodeUid("u")
                    .setBootId("b")
                    .setCounter(1)
                    .build();
            ReportStream stream = new ReportStream(channel, node);
            stream.full(ReportStream.inUse("192.0.2.9", "stray"));
            stream.awaitAck(1);
            AuditAddressesResponse audit = AuditsGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(Duration.ofSeconds(20))
                    .auditAddresses(
                            AuditAddressesRequest.newBuilder().setFix(true).build());
            assertThat(audit.getFindingsList())
                    .extracting(AddressFinding::getKind)
                    .containsExactly(
                            AddressFindingKind.ADDRESS_FINDING_KIND_ALLOCATED_NOT_USED,
                            AddressFindingKind.ADDRESS_FINDING_KIND_OUTSIDE_POOLS);
            assertThat(audit.getFindings(0))
                    .isEqualTo(AddressFinding.newBuilder()
                            .setKind(AddressFindingKind.ADDRESS_FINDING_KIND_ALLOCATED_NOT_USED)
                            .setObject("10.1.0.0")
                            .setPool("default")
                            .setNode("n1")
                            .setPod(PodRef.newBuilder().setNamespace("shop").setName("web"))
                            .setOwnerId("c1/eth0")
                            .setDetail(
                                    "10.1.0.0 belongs to pod shop/web (c1/eth0) on node n1, and that node reports no use"
                                            + " of it")
                            .setSeenFor(com.google.protobuf.Duration.getDefaultInstance())
                            .setAction("release 10.1.0.0 from pod shop/web (c1/eth0) on node n1")
                            .setRepair(AddressRepair.ADDRESS_REPAIR_EARLY)
                            .build());
            assertThat(audit.getFindings(1).getRepair()).isEqualTo(AddressRepair.ADDRESS_REPAIR_NONE);
            assertThat(audit.getFindings(1).getAdvice()).contains("podwire audit");
            assertThat(audit.getLookInterval().getSeconds())
                    .as("as the environment says")
                    .isEqualTo(30);
            assertThat(audit.getCheckedBlocks()).isEqualTo(1);
            assertThat(audit.getCheckedAddresses()).isEqualTo(1);
            assertThat(audit.getCheckedBindings()).isEqualTo(1);
            assertThat(metrics())
                    .contains("podwire_ipam_audit_findings{kind=\"outside_pools\"} 0.0")
                    .contains("podwire_ipam_audit_repairs_total{kind=\"allocated_not_used\"} 0.0")
                    .contains("podwire_ipam_audit_nodes_unjudged 0.0");
        } finally {
            channel.shutdownNow();
        }
    }

    @Test
    void whatNodesFindByThemselvesIsToldOfThoseThatAreConnected() throws Exception {
        var channel = service.channel();
        try {
            NodeEpoch node = NodeEpoch.newBuilder()
                    .setNode("n1")
                    .setNodeUid("u")
                    .setBootId("b")
                    .setCounter(1)
                    .build();
            ReportStream stream = new ReportStream(channel, node);
            stream.full();
            stream.audited(Map.of("link", 2, "neighbour", 1));
            stream.awaitAck(2);
            assertThat(audit(channel).getFindingsList())
                    .extracting(AddressFinding::getObject, AddressFinding::getNode, AddressFinding::getRepair)
                    .containsExactly(
                            tuple("link", "n1", AddressRepair.ADDRESS_REPAIR_NONE),
                            tuple("neighbour", "n1", AddressRepair.ADDRESS_REPAIR_NONE));
            assertThat(audit(channel).getFindings(0))
                    .satisfies(found ->
                            assertThat(found.getKind()).isEqualTo(AddressFindingKind.ADDRESS_FINDING_KIND_NODE_DIFFERS))
                    .satisfies(found -> assertThat(found.getDetail()).contains("finds 2 of this kind"))
                    .satisfies(found -> assertThat(found.getAdvice()).contains("podwire audit on that node"));
            assertThat(metrics()).contains("podwire_ipam_audit_findings{kind=\"node_differs\"} 0.0");
            stream.delta(List.of(), List.of());
            stream.awaitAck(3);
            assertThat(audit(channel).getFindingsList())
                    .as("what was told stays")
                    .hasSize(2);

            ReportStream again = new ReportStream(channel, node);
            again.full();
            again.awaitAck(1);
            assertThat(audit(channel).getFindingsList())
                    .as("a new stream has not told")
                    .isEmpty();
            again.audited(Map.of());
            again.awaitAck(2);
            assertThat(audit(channel).getFindingsList()).isEmpty();
            again.audited(Map.of("Link!", 1));
            assertThat(again.awaitFailure().getMessage()).contains("audit.findings.object");
        } finally {
            channel.shutdownNow();
        }
    }

    private static AuditAddressesResponse audit(ManagedChannel channel) {
        return AuditsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(Duration.ofSeconds(20))
                .auditAddresses(AuditAddressesRequest.getDefaultInstance());
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
}
