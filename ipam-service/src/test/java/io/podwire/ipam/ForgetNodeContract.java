package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.proto.common.v1.IpFamily;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressOwner;
import io.podwire.proto.ipam.v1.AddressState;
import io.podwire.proto.ipam.v1.AddressWish;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ForgetNodeRequest;
import io.podwire.proto.ipam.v1.ForgetNodeResponse;
import io.podwire.proto.ipam.v1.GetAddressRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ReleaseBlockRequest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Nodes that are forgotten, over a real channel, on each store. */
abstract class ForgetNodeContract {
    private RunningService service;
    private ManagedChannel channel;

    /** Options that name the store, empty at the start of a test. */
    abstract List<String> storeOptions();

    @BeforeEach
    void start() throws Exception {
        IpamOptions options = new IpamOptions();
        String[] args = Stream.concat(
                        Stream.of("--listen=127.0.0.1:0", "--http-listen=127.0.0.1:0", "--pool=default=10.1.0.0/16/26"),
                        storeOptions().stream())
                .toArray(String[]::new);
        var _ = ServiceRunner.command("ipam-service", options, Map.of()).parseArgs(args);
        options.check();
        service = ServiceRunner.start("ipam-service", options, Main::wire);
        channel = service.channel();
    }

    @AfterEach
    void stop() {
        if (service != null) {
            channel.shutdownNow();
            service.close();
        }
    }

    private BlocksGrpc.BlocksBlockingStub blocks() {
        return BlocksGrpc.newBlockingStub(channel).withDeadlineAfter(Duration.ofSeconds(20));
    }

    private static NodeEpoch node(String name, String uid, long counter) {
        return IpamServiceContract.node(name, uid, counter);
    }

    private Block claim(NodeEpoch node, String requestId) {
        return blocks().claimBlock(ClaimBlockRequest.newBuilder()
                .setNode(node)
                .setRequestId(requestId)
                .build());
    }

    private List<Block> list(String node) {
        return blocks().listBlocks(ListBlocksRequest.newBuilder().setNode(node).build())
                .getBlocksList();
    }

    private static ForgetNodeRequest.Builder request(String node) {
        return ForgetNodeRequest.newBuilder().setNode(node);
    }

    private ForgetNodeResponse forget(ForgetNodeRequest.Builder request) {
        return blocks().forgetNode(request.build());
    }

    private static ServiceException failure(Callable<?> call) {
        try {
            var _ = call.call();
        } catch (StatusRuntimeException e) {
            return GrpcErrors.fromGrpc("call", e);
        } catch (Exception e) {
            throw new AssertionError("another failure than expected", e);
        }
        throw new AssertionError("the call succeeded");
    }

    @Test
    void aForgottenNodesBlocksAreFreeAndItsLifeIsOver() {
        NodeEpoch life = node("n1", "u1", 3);
        claim(life, "r1");
        claim(life, "r2");
        Block other = claim(node("n2", "u2", 1), "r3");

        ForgetNodeResponse dry = forget(request("n1").setDryRun(true));
        assertThat(dry.getBlocksList()).extracting(Block::getCidr).containsExactly("10.1.0.0/26", "10.1.0.64/26");
        assertThat(list("n1")).as("nothing was changed").hasSize(2);
        assertThat(forget(request("n1"))).isEqualTo(dry);
        assertThat(dry.getInstallationsList()).containsExactly(life);
        assertThat(list("")).containsExactly(other);
        assertThat(forget(request("n1"))).as("again").isEqualTo(ForgetNodeResponse.getDefaultInstance());

        ServiceException stale = failure(() -> claim(life, "r1"));
        assertThat(stale.reason()).isEqualTo(ErrorReason.STALE_EPOCH);
        assertThat(stale).hasMessageContaining("taken for gone for good");
        assertThat(failure(() -> blocks().releaseBlock(ReleaseBlockRequest.newBuilder()
                                .setNode(life)
                                .setCidr("10.1.0.0/26")
                                .build()))
                        .reason())
                .isEqualTo(ErrorReason.STALE_EPOCH);
        ReportStream report = new ReportStream(channel, life);
        report.full();
        assertThat(report.awaitFailure().reason()).isEqualTo(ErrorReason.STALE_EPOCH);

        assertThat(claim(node("n2", "u2", 1), "r4").getCidr()).isEqualTo("10.1.0.0/26");
        NodeEpoch next = node("n1", "u1", 4);
        assertThat(claim(next, "r5").getCidr()).as("its next start").isEqualTo("10.1.0.64/26");
        ReportStream again = new ReportStream(channel, next);
        again.full();
        again.awaitAck(1);
    }

    @Test
    void aListTellsTheNewestLifeOfEachInstallation() {
        claim(node("n1", "u1", 3), "r1");
        claim(node("n1", "u1", 4), "r2");
        claim(node("n1", "u0", 9), "r3");
        claim(node("n2", "u2", 1), "r4");
        assertThat(blocks().listBlocks(ListBlocksRequest.getDefaultInstance()).getInstallationsList())
                .as("where it is asked for alone")
                .isEmpty();
        assertThat(installations("n1")).containsExactly(node("n1", "u0", 9), node("n1", "u1", 4));
        assertThat(installations("")).hasSize(3);
        forget(request("n1").setNodeUid("u1"));
        assertThat(installations("n1"))
                .as("each life up to that start is over")
                .containsExactly(
                        node("n1", "u0", 9),
                        node("n1", "u1", 4).toBuilder().setBootId("reclaimed").build());
    }

    private List<NodeEpoch> installations(String node) {
        return blocks().listBlocks(ListBlocksRequest.newBuilder()
                        .setNode(node)
                        .setPageSize(1)
                        .setInstallations(true)
                        .build())
                .getInstallationsList();
    }

    @Test
    void oneInstallationOfANodeIsForgotten() {
        claim(node("n1", "old", 9), "r1");
        Block kept = claim(node("n1", "new", 1), "r2");
        assertThat(forget(request("n1").setNodeUid("old")).getBlocksList())
                .extracting(Block::getCidr)
                .containsExactly("10.1.0.0/26");
        assertThat(list("n1")).containsExactly(kept);
        assertThat(forget(request("n1").setNodeUid("never"))).isEqualTo(ForgetNodeResponse.getDefaultInstance());
        assertThat(claim(node("n1", "new", 1), "r3").getCidr()).isEqualTo("10.1.0.0/26");
    }

    @Test
    void aConnectedNodeIsNotForgottenByMistake() {
        NodeEpoch life = node("n1", "u1", 1);
        claim(life, "r1");
        claim(node("n1", "old", 5), "r2");
        ReportStream report = new ReportStream(channel, life);
        report.full();
        report.awaitAck(1);
        ServiceException refused = failure(() -> forget(request("n1")));
        assertThat(refused.reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);
        assertThat(refused).hasMessageContaining("n1 (uid u1, start 1) reports its bindings to this replica now");
        assertThat(failure(() -> forget(request("n1").setDryRun(true))).reason())
                .isEqualTo(ErrorReason.FAILED_PRECONDITION);
        assertThat(list("n1")).hasSize(2);
        assertThat(forget(request("n1").setNodeUid("old")).getBlocksList())
                .as("the installation before")
                .hasSize(1);

        assertThat(forget(request("n1").setEvenIfConnected(true)).getBlocksList())
                .hasSize(1);
        report.delta(List.of(), List.of());
        assertThat(report.awaitFailure().reason())
                .as("its stream ends when it says something")
                .isEqualTo(ErrorReason.STALE_EPOCH);
    }

    @Test
    void singleAddressesOfItsPodsCoolDown() {
        claim(node("n1", "u1", 1), "r1");
        AddressesGrpc.AddressesBlockingStub addresses =
                AddressesGrpc.newBlockingStub(channel).withDeadlineAfter(Duration.ofSeconds(20));
        String pod = addresses
                .allocateAddresses(AllocateAddressesRequest.newBuilder()
                        .setOwner(AddressOwner.newBuilder()
                                .setId("c1/eth0")
                                .setNode("n1")
                                .setPod(PodRef.newBuilder()
                                        .setNamespace("default")
                                        .setName("web")))
                        .addWishes(AddressWish.newBuilder().setFamily(IpFamily.IP_FAMILY_IPV4))
                        .build())
                .getAddresses(0)
                .getAddress();
        ForgetNodeResponse forgotten = forget(request("n1"));
        assertThat(forgotten.getAddressesList()).containsExactly(pod);
        Address now = addresses.getAddress(
                GetAddressRequest.newBuilder().setAddress(pod).build());
        assertThat(now.getState()).isEqualTo(AddressState.ADDRESS_STATE_COOLING);
    }

    @Test
    void manyBlocksAreForgottenInSeveralWrites() {
        NodeEpoch life = node("n1", "u1", 1);
        IntStream.range(0, 70).forEach(i -> claim(life, "r" + i));
        assertThat(forget(request("n1")).getBlocksCount()).isEqualTo(70);
        assertThat(list("")).isEmpty();
    }

    @Test
    void aNameThatIsNoneIsRefused() {
        assertThat(failure(() -> forget(request("No Node"))).reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT);
    }
}
