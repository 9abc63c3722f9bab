package io.podwire.node.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.AttachmentTable;
import io.podwire.node.journal.IntentFolder;
import io.podwire.node.journal.Journal;
import io.podwire.node.testing.Attachments;
import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.node.v1.GetNodeStatusRequest;
import io.podwire.proto.node.v1.ListDropsRequest;
import io.podwire.proto.node.v1.ListDropsResponse;
import io.podwire.proto.node.v1.ListEndpointsRequest;
import io.podwire.proto.node.v1.ListEndpointsResponse;
import io.podwire.proto.node.v1.NodeStatus;
import io.podwire.proto.node.v1.WitnessFlowRequest;
import io.podwire.proto.node.v1.WitnessFlowResponse;
import io.podwire.proto.policy.v1.DropCount;
import io.podwire.proto.policy.v1.Drops;
import io.podwire.proto.policy.v1.FlowTuple;
import io.podwire.proto.policy.v1.KernelVerdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class NodeGrpcServiceTest {
    @TempDir
    Path folder;

    private Journal journal;
    private AttachmentTable table;
    private NodeGrpcService service;

    @BeforeEach
    void prepare() throws IOException {
        journal = Journal.open(folder.resolve("journal.mv"));
        journal.begin("boot", Optional.empty());
        table = new AttachmentTable(journal, new IntentFolder(folder.resolve("intents")), Runnable::run);
        service = new NodeGrpcService(
                table::all,
                () -> NodeStatus.newBuilder().setRelease("9").build(),
                () -> List.of(new Finding("route", "10.1.0.5/32", "is gone")),
                flow -> {
                    if (flow.getPort() == 0) {
                        throw new IllegalArgumentException("port must be 1 to 65535, got 0");
                    }
                    return KernelVerdict.newBuilder().setRule(flow.getSource()).build();
                },
                () -> Drops.newBuilder()
                        .addDrops(DropCount.newBuilder().setPackets(3))
                        .build());
    }

    @AfterEach
    void close() {
        journal.close();
    }

    private void attach(String id, int host) {
        attach(Attachments.of(id, "10.1.0." + host));
    }

    private void attach(Attachment intent) {
        table.begin(intent);
        table.finish(intent.attached(4, Instant.ofEpochMilli(1234)));
    }

    @Test
    void pagesAreInTheOrderOfContainerIdsAndMeetNobodyTwice() {
        List<String> ids = List.of("a", "a-b", "a.b", "aa", "b", "b0");
        for (int i = 0; i < ids.size(); i++) {
            attach(ids.get(ids.size() - 1 - i), 10 + i);
        }
        for (int size : new int[] {1, 2, 4, 6, 1000, 0}) {
            List<String> seen = new ArrayList<>();
            String token = "";
            do {
                ListEndpointsResponse page = list(size, token);
                assertThat(page.getEndpointsCount()).as("page of %d", size).isBetween(1, size == 0 ? 1000 : size);
                page.getEndpointsList().forEach(e -> seen.add(e.getContainerId()));
                token = page.getNextPageToken();
            } while (!token.isEmpty());
            assertThat(seen).as("pages of %d", size).isEqualTo(ids);
        }
    }

    @Test
    void everyFieldIsTheAttachments() {
        attach(Attachments.of("c1", "10.1.0.5,fd00::5"));
        table.begin(Attachments.of("c2", "10.1.0.6"));
        Attachment a = table.all().getFirst();
        Endpoint.Builder wanted = Endpoint.newBuilder()
                .setNetwork("podwire")
                .setContainerId("c1")
                .setIfname("eth0")
                .setAddress("10.1.0.5")
                .addAddresses("10.1.0.5")
                .addAddresses("fd00::5")
                .setMac(a.mac().toString())
                .setHostIfname(a.hostIfname())
                .setNetns("/run/netns/c1")
                .setPolicyRevision(4)
                .setAttachedAtMs(1234);
        wanted.getPodBuilder().setNamespace("default").setName("pod-c1");
        assertThat(list(0, "").getEndpointsList()).as("c2's ADD is not done").containsExactly(wanted.build());
    }

    @Test
    void wrongPagesAreRefused() {
        for (ListEndpointsRequest wrong : List.of(
                ListEndpointsRequest.newBuilder().setPageSize(-1).build(),
                ListEndpointsRequest.newBuilder().setPageSize(1001).build(),
                ListEndpointsRequest.newBuilder().setPageToken("junk").build())) {
            assertThatExceptionOfType(ServiceException.class)
                    .as("%s", wrong)
                    .isThrownBy(() -> service.listEndpoints(wrong, observer(new ArrayList<>()::add)))
                    .satisfies(e -> assertThat(e.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT));
        }
    }

    @Test
    void statusAndAuditAreHandedOn() {
        attach("c1", 5);
        List<Object> answers = new ArrayList<>();
        service.getNodeStatus(GetNodeStatusRequest.getDefaultInstance(), observer(answers::add));
        service.audit(AuditRequest.getDefaultInstance(), observer(response -> {
            answers.add(response.getChecked());
            answers.add(response.getFindings(0).getObject()
                    + response.getFindings(0).getProblem());
        }));
        assertThat(answers)
                .containsExactly(NodeStatus.newBuilder().setRelease("9").build(), 1, "routeis gone");
    }

    private ListEndpointsResponse list(int size, String token) {
        List<ListEndpointsResponse> answers = new ArrayList<>();
        service.listEndpoints(
                ListEndpointsRequest.newBuilder()
                        .setPageSize(size)
                        .setPageToken(token)
                        .build(),
                observer(answers::add));
        return answers.getFirst();
    }

    private static <A> StreamObserver<A> observer(Consumer<A> next) {
        return new StreamObserver<>() {
            @Override
            public void onNext(A answer) {
                next.accept(answer);
            }

            @Override
            public void onError(Throwable failure) {
                throw new AssertionError(failure);
            }

            @Override
            public void onCompleted() {}
        };
    }

    @Test
    void theKernelIsAsked() {
        List<WitnessFlowResponse> verdicts = new ArrayList<>();
        service.witnessFlow(
                WitnessFlowRequest.newBuilder()
                        .setFlow(FlowTuple.newBuilder().setSource("10.1.0.1").setPort(80))
                        .build(),
                observer(verdicts::add));
        assertThat(verdicts.getFirst().getVerdict().getRule()).isEqualTo("10.1.0.1");
        List<ListDropsResponse> drops = new ArrayList<>();
        service.listDrops(ListDropsRequest.getDefaultInstance(), observer(drops::add));
        assertThat(drops.getFirst().getDrops().getDrops(0).getPackets()).isEqualTo(3);
        assertThatExceptionOfType(ServiceException.class)
                .isThrownBy(() -> service.witnessFlow(WitnessFlowRequest.getDefaultInstance(), observer(verdicts::add)))
                .withMessageContaining("asking the kernel: port")
                .extracting(ServiceException::reason)
                .isEqualTo(ErrorReason.INVALID_ARGUMENT);
    }
}
