package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.FieldMask;
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
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.CreatePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolRequest;
import io.podwire.proto.ipam.v1.GetAddressRequest;
import io.podwire.proto.ipam.v1.GetPoolRequest;
import io.podwire.proto.ipam.v1.ListAddressesRequest;
import io.podwire.proto.ipam.v1.ListAddressesResponse;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.ListPoolsResponse;
import io.podwire.proto.ipam.v1.Pool;
import io.podwire.proto.ipam.v1.PoolPurpose;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import io.podwire.proto.ipam.v1.ReleaseAddressesRequest;
import io.podwire.proto.ipam.v1.ReleaseBlockRequest;
import io.podwire.proto.ipam.v1.ReserveAddressesRequest;
import io.podwire.proto.ipam.v1.UnreserveAddressesRequest;
import io.podwire.proto.ipam.v1.UpdatePoolRequest;
import io.podwire.proto.ipam.v1.WatchPoolsRequest;
import io.podwire.proto.ipam.v1.WatchPoolsResponse;
import io.podwire.proto.ipam.v1.Workload;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The service as a node sees it, over a real channel, on each store. */
abstract class IpamServiceContract {
    private static final String POOL = "--pool=default=10.1.0.0/24/26";

    private RunningService service;
    private ManagedChannel channel;

    /** Options that name the store, empty at the start of a test. */
    abstract List<String> storeOptions();

    @BeforeEach
    void startService() throws Exception {
        start(POOL);
    }

    @AfterEach
    void stopService() {
        if (service != null) {
            channel.shutdownNow();
            service.close();
            service = null;
        }
    }

    private void start(String... more) throws Exception {
        IpamOptions options = new IpamOptions();
        List<String> args = Stream.of(
                        List.of("--listen=127.0.0.1:0", "--http-listen=127.0.0.1:0"), storeOptions(), List.of(more))
                .flatMap(List::stream)
                .toList();
        var _ = ServiceRunner.command("ipam-service", options, Map.of()).parseArgs(args.toArray(String[]::new));
        options.check();
        service = ServiceRunner.start("ipam-service", options, Main::wire);
        channel = service.channel();
    }

    BlocksGrpc.BlocksBlockingStub blocks() {
        return BlocksGrpc.newBlockingStub(channel).withDeadlineAfter(Duration.ofSeconds(20));
    }

    private PoolsGrpc.PoolsBlockingStub pools() {
        return PoolsGrpc.newBlockingStub(channel).withDeadlineAfter(Duration.ofSeconds(20));
    }

    static NodeEpoch node(String name, String uid, long counter) {
        return NodeEpoch.newBuilder()
                .setNode(name)
                .setNodeUid(uid)
                .setBootId("boot-" + counter)
                .setCounter(counter)
                .build();
    }

    private static NodeEpoch node(int i) {
        return node("n" + i, "uid-" + i, 1);
    }

    Block claim(NodeEpoch node, String requestId) {
        return claim(node, requestId, "", IpFamily.IP_FAMILY_UNSPECIFIED);
    }

    private Block claim(NodeEpoch node, String requestId, String pool, IpFamily family) {
        return blocks().claimBlock(ClaimBlockRequest.newBuilder()
                .setNode(node)
                .setPool(pool)
                .setFamily(family)
                .setRequestId(requestId)
                .build());
    }

    private void release(NodeEpoch node, String cidr) {
        var _ = blocks().releaseBlock(ReleaseBlockRequest.newBuilder()
                .setNode(node)
                .setCidr(cidr)
                .build());
    }

    List<Block> list(String node) {
        return blocks().listBlocks(ListBlocksRequest.newBuilder().setNode(node).build())
                .getBlocksList();
    }

    Pool create(String name, String cidr, int blockLength) {
        return pools().createPool(CreatePoolRequest.newBuilder()
                .setPool(Pool.newBuilder().setName(name).setCidr(cidr).setBlockLength(blockLength))
                .build());
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
    void claimsAreIdempotentAndReleasedBlocksAreFreeAgain() {
        Block first = claim(node(1), "r1");
        assertThat(first.getCidr()).isEqualTo("10.1.0.0/26");
        assertThat(first.getPool()).isEqualTo("default");
        assertThat(first.getOwner()).isEqualTo(node(1));
        assertThat(claim(node(1), "r1")).as("a retry").isEqualTo(first);
        assertThat(claim(node(2), "r2").getCidr()).isEqualTo("10.1.0.64/26");
        assertThat(failure(() -> claim(node(2), "r1")).reason()).isEqualTo(ErrorReason.OWNED_BY_OTHER);

        release(node(2), "10.1.0.0/26");
        assertThat(list("n1")).as("not n2's to release").containsExactly(first);
        release(node(1), "10.1.0.0/26");
        release(node(1), "10.1.0.0/26");
        assertThat(list("n1")).isEmpty();
        assertThat(claim(node(2), "r3").getCidr()).as("lowest free").isEqualTo("10.1.0.0/26");
        assertThat(list("")).extracting(Block::getCidr).containsExactly("10.1.0.0/26", "10.1.0.64/26");
    }

    @Test
    void newLifeFencesTheOldOneAndAReinstalledNodeInheritsNothing() {
        claim(node("n1", "uid-1", 1), "r1");
        Block again = claim(node("n1", "uid-1", 2), "r1");
        assertThat(again.getCidr()).as("same installation, next boot").isEqualTo("10.1.0.0/26");
        ServiceException stale = failure(() -> claim(node("n1", "uid-1", 1), "r2"));
        assertThat(stale.reason()).isEqualTo(ErrorReason.STALE_EPOCH);
        assertThat(stale).hasMessageContaining("start 2 in boot boot-2");
        assertThat(list("n1"))
                .extracting(b -> b.getOwner().getCounter())
                .as("the newest life is shown")
                .containsExactly(2L);

        NodeEpoch reinstalled = node("n1", "uid-new", 1);
        assertThat(claim(reinstalled, "r3").getCidr()).isEqualTo("10.1.0.64/26");
        ServiceException refused = failure(() -> {
            release(reinstalled, "10.1.0.0/26");
            return null;
        });
        assertThat(refused.reason()).isEqualTo(ErrorReason.OWNED_BY_OTHER);
        release(list("n1").getFirst().getOwner(), "10.1.0.0/26");
        assertThat(list("n1")).as("an operator released it in the old name").hasSize(1);
    }

    @Test
    void manyNodesAtOnceGetDifferentBlocksUntilThePoolIsFull() throws Exception {
        List<String> cidrs = new ArrayList<>();
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Block>> claims = IntStream.range(0, 4)
                    .mapToObj(i -> executor.submit(() -> claim(node(i), "r" + i)))
                    .toList();
            for (Future<Block> claim : claims) {
                cidrs.add(claim.get().getCidr());
            }
        }
        assertThat(cidrs).containsExactlyInAnyOrder("10.1.0.0/26", "10.1.0.64/26", "10.1.0.128/26", "10.1.0.192/26");
        ServiceException full = failure(() -> claim(node(9), "r9"));
        assertThat(full.reason()).isEqualTo(ErrorReason.EXHAUSTED);
        assertThat(full).hasMessageContaining("no block is free in pool default; add a pool");
    }

    @Test
    void dualStackNodeGetsABlockOfEachFamily() {
        Pool six = create("six", "fd00:10:1::/48", 0);
        assertThat(six.getBlockLength()).as("chosen").isEqualTo(122);
        assertThat(Integer.toUnsignedLong(six.getTotalBlocks()))
                .as("told of 2^74")
                .isEqualTo(4_294_967_295L);
        assertThat(claim(node(1), "r4").getCidr()).as("no family is IPv4").isEqualTo("10.1.0.0/26");
        Block first = claim(node(1), "r6", "", IpFamily.IP_FAMILY_IPV6);
        assertThat(first.getCidr()).isEqualTo("fd00:10:1::/122");
        assertThat(claim(node(1), "r6", "", IpFamily.IP_FAMILY_IPV6))
                .as("a retry")
                .isEqualTo(first);
        assertThat(claim(node(2), "s6", "six", IpFamily.IP_FAMILY_IPV6).getCidr())
                .isEqualTo("fd00:10:1::40/122");
        assertThat(failure(() -> claim(node(1), "r6")).reason())
                .as("that request id took a block of the other family")
                .isEqualTo(ErrorReason.OWNED_BY_OTHER);
        assertThat(list("n1")).extracting(Block::getCidr).containsExactly("10.1.0.0/26", "fd00:10:1::/122");
        assertThat(blocks().listBlocks(ListBlocksRequest.newBuilder()
                                .setPageToken("six/fd00:10:1::/122")
                                .build())
                        .getBlocksList())
                .extracting(Block::getCidr)
                .containsExactly("fd00:10:1::40/122");

        release(node(1), "fd00:10:1::/122");
        assertThat(claim(node(2), "t6", "", IpFamily.IP_FAMILY_IPV6).getCidr())
                .as("lowest free")
                .isEqualTo("fd00:10:1::/122");
    }

    @Test
    void poolOfTheOtherFamilyIsRefusedWithBothNames() {
        create("six", "fd00:10:1::/48", 122);
        ServiceException six = failure(() -> claim(node(1), "r1", "six", IpFamily.IP_FAMILY_UNSPECIFIED));
        assertThat(six.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT);
        assertThat(six).hasMessageContaining("pool six (fd00:10:1::/48) is IPv6, and the block shall be IPv4");
        ServiceException four = failure(() -> claim(node(1), "r1", "default", IpFamily.IP_FAMILY_IPV6));
        assertThat(four.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT);
        assertThat(four).hasMessageContaining("pool default (10.1.0.0/24) is IPv4, and the block shall be IPv6");
        assertThat(list("")).isEmpty();
    }

    @Test
    void familyWithoutAPoolSaysSo() {
        ServiceException none = failure(() -> claim(node(1), "r1", "", IpFamily.IP_FAMILY_IPV6));
        assertThat(none.reason()).isEqualTo(ErrorReason.EXHAUSTED);
        assertThat(none).hasMessageContaining("there is no IPv6 pool; create one");
    }

    @Test
    void listsComeInPages() {
        create("a", "10.9.0.0/25", 26);
        IntStream.range(0, 5).forEach(i -> claim(node(i % 2), "r" + i));
        List<String> seen = new ArrayList<>();
        ListBlocksRequest.Builder request = ListBlocksRequest.newBuilder().setPageSize(2);
        ListBlocksResponse page;
        do {
            page = blocks().listBlocks(request.build());
            assertThat(page.getBlocksCount()).isLessThanOrEqualTo(2);
            page.getBlocksList().forEach(b -> seen.add(b.getPool() + " " + b.getCidr()));
            request.setPageToken(page.getNextPageToken());
        } while (!page.getNextPageToken().isEmpty());
        assertThat(seen)
                .containsExactly(
                        "a 10.9.0.0/26",
                        "a 10.9.0.64/26",
                        "default 10.1.0.0/26",
                        "default 10.1.0.64/26",
                        "default 10.1.0.128/26");
        ListPoolsResponse first =
                pools().listPools(ListPoolsRequest.newBuilder().setPageSize(1).build());
        assertThat(first.getPoolsList()).extracting(Pool::getName).containsExactly("a");
        ListPoolsResponse rest = pools().listPools(ListPoolsRequest.newBuilder()
                .setPageToken(first.getNextPageToken())
                .build());
        assertThat(rest.getPoolsList()).extracting(Pool::getOwnedBlocks).containsExactly(3);
        assertThat(rest.getNextPageToken()).isEmpty();
        assertThat(failure(() -> blocks().listBlocks(ListBlocksRequest.newBuilder()
                                .setPageSize(10_001)
                                .build()))
                        .reason())
                .isEqualTo(ErrorReason.INVALID_ARGUMENT);
    }

    @Test
    void poolsAreCreatedOnceAndDeletedWhenFree() {
        assertThat(create("other", "10.2.0.0/16", 26).getTotalBlocks()).isEqualTo(1024);
        assertThat(create("other", "10.2.0.0/16", 26).getOwnedBlocks())
                .as("again")
                .isZero();
        assertThat(failure(() -> create("other", "10.2.0.0/16", 27)).reason()).isEqualTo(ErrorReason.ALREADY_EXISTS);
        assertThat(failure(() -> create("c", "10.1.0.128/25", 26)))
                .hasMessageContaining("overlaps pool default=10.1.0.0/24/26");
        assertThat(failure(() -> create("c", "10.3.0.0/16", 15))).hasMessageContaining("must be 16 to 32, got 15");
        assertThat(failure(() -> create("c", "fd00::/48", 64))).hasMessageContaining("must be 112 to 128, got 64");
        create("six", "fd00:10:1::/48", 122);
        assertThat(failure(() -> create("c", "fd00:10::/32", 122)))
                .hasMessageContaining("overlaps pool six=fd00:10:1::/48/122");

        claim(node(1), "r1");
        DeletePoolRequest delete =
                DeletePoolRequest.newBuilder().setName("default").build();
        ServiceException owned = failure(() -> pools().deletePool(delete));
        assertThat(owned.reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);
        assertThat(owned).hasMessageContaining("1 of its blocks are owned, by n1");
        release(node(1), "10.1.0.0/26");
        var _ = pools().deletePool(delete);
        var _ = pools().deletePool(delete);
        assertThat(failure(() -> pools().getPool(GetPoolRequest.newBuilder()
                                .setName("default")
                                .build()))
                        .reason())
                .isEqualTo(ErrorReason.NOT_FOUND);
    }

    private Pool update(Pool.Builder pool, String... paths) {
        return pools().updatePool(UpdatePoolRequest.newBuilder()
                .setPool(pool.setName("default"))
                .setUpdateMask(FieldMask.newBuilder().addAllPaths(List.of(paths)))
                .build());
    }

    private Pool state(PoolState state) {
        return update(Pool.newBuilder().setState(state), "state");
    }

    @Test
    void drainingPoolGivesNothingKeepsItsOwnersAndRetiresWhenEmpty() throws Exception {
        Block held = claim(node(1), "r1");
        Pool draining = state(PoolState.POOL_STATE_DRAINING);
        assertThat(draining.getState()).isEqualTo(PoolState.POOL_STATE_DRAINING);
        assertThat(draining.getOwnedBlocks()).as("left to move").isEqualTo(1);
        assertThat(draining.getDrainingFromBlocks()).as("of").isEqualTo(1);
        ServiceException any = failure(() -> claim(node(2), "r2"));
        assertThat(any.reason()).isEqualTo(ErrorReason.EXHAUSTED);
        assertThat(any).hasMessageContaining("pool default is DRAINING");
        ServiceException named = failure(() -> claim(node(2), "r2", "default", IpFamily.IP_FAMILY_IPV4));
        assertThat(named.reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);
        Block told =
                held.toBuilder().setPoolState(PoolState.POOL_STATE_DRAINING).build();
        assertThat(held.getPoolState()).isEqualTo(PoolState.POOL_STATE_ACTIVE);
        assertThat(claim(node(1), "r1")).as("a retry").isEqualTo(told);
        assertThat(list("")).as("its owner learns that it is to move off").containsExactly(told);

        ServiceException owned = failure(() -> state(PoolState.POOL_STATE_RETIRED));
        assertThat(owned.reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);
        assertThat(owned).hasMessageContaining("1 blocks owned by n1 are left, first 10.1.0.0/26");
        stopService();
        start(POOL);
        release(node(1), held.getCidr());
        Pool drained =
                pools().getPool(GetPoolRequest.newBuilder().setName("default").build());
        assertThat(drained.getOwnedBlocks() + "/" + drained.getDrainingFromBlocks())
                .isEqualTo("0/1");
        assertThat(failure(() -> claim(node(1), "r1")).reason())
                .as("not given again")
                .isEqualTo(ErrorReason.EXHAUSTED);
        assertThat(state(PoolState.POOL_STATE_RETIRED).getOwnedBlocks()).isZero();
        assertThat(failure(() -> create("c", "10.1.0.0/25", 26)))
                .as("a retired pool keeps its addresses")
                .hasMessageContaining("overlaps pool default");
        state(PoolState.POOL_STATE_ACTIVE);
        assertThat(claim(node(2), "r2").getCidr()).isEqualTo(held.getCidr());
    }

    @Test
    void poolsChangeAroundWhatIsOwned() {
        claim(node(1), "r1");
        Pool reserved = update(Pool.newBuilder().addReserved("10.1.0.64/30"), "reserved");
        assertThat(reserved.getReservedBlocks()).isEqualTo(1);
        assertThat(claim(node(2), "r2").getCidr())
                .as("behind the reserved block")
                .isEqualTo("10.1.0.128/26");
        assertThat(failure(() -> update(Pool.newBuilder().addReserved("10.1.0.0/32"), "reserved")))
                .hasMessageContaining("1 blocks owned by n1 would be reserved, first 10.1.0.0/26");
        assertThat(update(Pool.newBuilder().setCidr("10.1.0.0/22"), "cidr").getTotalBlocks())
                .isEqualTo(16);
        assertThat(failure(() -> update(Pool.newBuilder().setCidr("10.1.0.0/25"), "cidr")))
                .hasMessageContaining("1 blocks owned by n2 would lie outside of it");
        assertThat(failure(() -> update(Pool.newBuilder().setBlockLength(27), "block_length")))
                .hasMessageContaining("2 blocks owned by n1, n2 have the size of now");
        assertThat(failure(() -> update(Pool.newBuilder(), "name")).reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT);
        assertThat(failure(() -> pools().updatePool(UpdatePoolRequest.newBuilder()
                                .setPool(Pool.newBuilder().setName("nowhere"))
                                .setUpdateMask(FieldMask.newBuilder().addPaths("reserved"))
                                .build()))
                        .reason())
                .isEqualTo(ErrorReason.NOT_FOUND);
    }

    @Test
    void nodesAreChosenByTheirLabels() {
        update(Pool.newBuilder().putNodeSelector("zone", "a"), "node_selector");
        ServiceException other = failure(() -> claim(node(1), "r1", "default", IpFamily.IP_FAMILY_IPV4));
        assertThat(other.reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);
        assertThat(other).hasMessageContaining("pool default is for nodes with zone=a, which n1 has not");
        Block block = blocks().claimBlock(ClaimBlockRequest.newBuilder()
                .setNode(node(1))
                .putNodeLabels("zone", "a")
                .setRequestId("r1")
                .build());
        assertThat(block.getCidr()).isEqualTo("10.1.0.0/26");
        assertThat(update(Pool.newBuilder().putNodeSelector("podwire.io/node", "n2"), "node_selector")
                        .getNodeSelectorMap())
                .isEqualTo(Map.of("podwire.io/node", "n2"));
        assertThat(claim(node(2), "r2").getCidr()).isEqualTo("10.1.0.64/26");
    }

    @Test
    void purposeNamespacesAndCoolDownHold() throws Exception {
        com.google.protobuf.Duration tenMinutes =
                com.google.protobuf.Duration.newBuilder().setSeconds(600).build();
        update(Pool.newBuilder().setCoolDown(tenMinutes), "cool_down");
        Block block = claim(node(1), "r1");
        assertThat(block.getCoolDown()).isEqualTo(tenMinutes);
        assertThat(claim(node(1), "r1")).as("a retry").isEqualTo(block);
        assertThat(list("n1")).containsExactly(block);
        ServiceException inUse =
                failure(() -> update(Pool.newBuilder().setPurpose(PoolPurpose.POOL_PURPOSE_STATIC), "purpose"));
        assertThat(inUse.reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);
        assertThat(inUse)
                .hasMessageContaining("to purpose STATIC: 1 blocks owned by n1 serve the purpose of now, first 10.1.0");
        update(Pool.newBuilder(), "cool_down");
        assertThat(list("n1").getFirst().hasCoolDown()).isFalse();

        update(Pool.newBuilder().putNamespaceSelector("team", "a"), "namespace_selector");
        ServiceException any = failure(() -> claim(node(2), "r2"));
        assertThat(any.reason()).isEqualTo(ErrorReason.EXHAUSTED);
        assertThat(any)
                .hasMessageContaining(
                        "pool default is for namespaces with team=a and gives blocks to claims alone that name it");
        release(node(1), block.getCidr());
        update(Pool.newBuilder().setPurpose(PoolPurpose.POOL_PURPOSE_LOAD_BALANCER), "purpose");
        ServiceException named = failure(() -> claim(node(2), "r2", "default", IpFamily.IP_FAMILY_IPV4));
        assertThat(named.reason()).isEqualTo(ErrorReason.FAILED_PRECONDITION);
        assertThat(named).hasMessageContaining("pool default has the purpose LOAD_BALANCER, not PODS");
        stopService();
        start(POOL);
        assertThat(pools().getPool(
                                GetPoolRequest.newBuilder().setName("default").build())
                        .getPurpose())
                .as("after a restart")
                .isEqualTo(PoolPurpose.POOL_PURPOSE_LOAD_BALANCER);
    }

    @Test
    void watchersAreToldOfEveryPoolAtOnceAndAfterEachChange() {
        Iterator<WatchPoolsResponse> watch = pools().watchPools(WatchPoolsRequest.getDefaultInstance());
        WatchPoolsResponse first = watch.next();
        assertThat(first.getSequence()).isEqualTo(1);
        assertThat(first.getPoolsList()).extracting(Pool::getName).containsExactly("default");
        claim(node(1), "r1");
        WatchPoolsResponse claimed = nextChange(watch, first);
        assertThat(claimed.getPoolsList()).extracting(Pool::getOwnedBlocks).containsExactly(1);
        state(PoolState.POOL_STATE_DRAINING);
        WatchPoolsResponse draining = nextChange(watch, claimed);
        assertThat(draining.getPoolsList()).extracting(Pool::getState).containsExactly(PoolState.POOL_STATE_DRAINING);
        create("a", "10.9.0.0/25", 26);
        assertThat(nextChange(watch, draining).getPoolsList())
                .extracting(Pool::getName)
                .containsExactly("a", "default");
    }

    /** The next message that is not a mere sign of life. */
    private static WatchPoolsResponse nextChange(Iterator<WatchPoolsResponse> watch, WatchPoolsResponse last) {
        WatchPoolsResponse before = last;
        while (true) {
            WatchPoolsResponse next = watch.next();
            assertThat(next.getSequence()).isEqualTo(before.getSequence() + 1);
            if (!next.getPoolsList().equals(last.getPoolsList())) {
                return next;
            }
            before = next;
        }
    }

    private AddressesGrpc.AddressesBlockingStub addresses() {
        return AddressesGrpc.newBlockingStub(channel).withDeadlineAfter(Duration.ofSeconds(20));
    }

    private List<Address> addresses(ListAddressesRequest.Builder request) {
        return addresses().listAddresses(request.build()).getAddressesList();
    }

    private ReportStream report(NodeEpoch node, Binding... bindings) {
        ReportStream stream = new ReportStream(channel, node);
        stream.full(bindings);
        return stream;
    }

    @Test
    void addressesAreThoseThatNodesReportWithPoolBlockNodeAndPod() {
        claim(node(1), "r1");
        claim(node(2), "r2");
        Binding web = ReportStream.inUse("10.1.0.5", "web");
        Binding cooling = ReportStream.cooling("10.1.0.66");
        ReportStream one = report(node(1), web, ReportStream.inUse("10.1.0.9", "db"));
        ReportStream two = report(node(2), cooling, ReportStream.inUse("10.1.0.5", "thief"));
        one.awaitAck(1);
        two.awaitAck(1);

        List<Address> all = addresses(ListAddressesRequest.newBuilder());
        assertThat(all)
                .extracting(a ->
                        a.getAddress() + " " + a.getNode() + " " + a.getPod().getName() + " " + a.getBlock() + " "
                                + a.getState().getNumber() + " " + a.getOutsideOwnBlock())
                .containsExactly(
                        "10.1.0.5 n1 web 10.1.0.0/26 1 false",
                        "10.1.0.5 n2 thief 10.1.0.0/26 1 true",
                        "10.1.0.9 n1 db 10.1.0.0/26 1 false",
                        "10.1.0.66 n2  10.1.0.64/26 2 false");
        Address first = all.getFirst();
        assertThat(first.getPool()).isEqualTo("default");
        assertThat(first.getPod()).isEqualTo(web.getPod());
        assertThat(first.getContainerId()).isEqualTo(web.getContainerId());
        assertThat(first.getIfname()).isEqualTo("eth0");
        assertThat(first.getNetwork()).isEqualTo("podwire");
        assertThat(first.getSince()).isEqualTo(web.getSince());
        assertThat(first.getReported().getConnected()).isTrue();
        assertThat(first.getReported().getAge().getSeconds()).isLessThan(20);
        assertThat(all.getLast().getSince()).isEqualTo(cooling.getSince());

        one.delta(List.of(ReportStream.inUse("10.1.0.7", "new")), List.of("10.1.0.9"));
        one.awaitAck(2);
        assertThat(addresses(ListAddressesRequest.newBuilder().setNode("n1")))
                .extracting(Address::getAddress)
                .containsExactly("10.1.0.5", "10.1.0.7");
        one.abandon();
        await("n1 is away")
                .untilAsserted(() -> assertThat(
                                addresses(ListAddressesRequest.newBuilder().setNode("n1")))
                        .as("what it reported stays")
                        .hasSize(2)
                        .allSatisfy(
                                a -> assertThat(a.getReported().getConnected()).isFalse()));
    }

    @Test
    void addressesAreFilteredAndPaged() {
        update(Pool.newBuilder().addReserved("10.1.0.192/31"), "reserved");
        create("tiny", "10.9.0.0/30", 31);
        claim(node(1), "r1", "default", IpFamily.IP_FAMILY_IPV4);
        claim(node(1), "r2", "tiny", IpFamily.IP_FAMILY_IPV4);
        claim(node(2), "r3", "tiny", IpFamily.IP_FAMILY_IPV4);
        report(
                        node(1),
                        ReportStream.inUse("10.1.0.1", "a"),
                        ReportStream.inUse("10.1.0.2", "b"),
                        ReportStream.cooling("10.1.0.3"),
                        ReportStream.inUse("10.9.0.1", "c"))
                .awaitAck(1);
        assertThat(texts(ListAddressesRequest.newBuilder().setPod("default/b"))).containsExactly("10.1.0.2 IN_USE");
        assertThat(texts(ListAddressesRequest.newBuilder().setNamespace("default")))
                .hasSize(3);
        assertThat(texts(ListAddressesRequest.newBuilder().setPool("tiny"))).containsExactly("10.9.0.1 IN_USE");
        assertThat(texts(ListAddressesRequest.newBuilder().setPrefix("10.1.0.2/31")))
                .containsExactly("10.1.0.2 IN_USE", "10.1.0.3 COOLING");
        assertThat(texts(ListAddressesRequest.newBuilder().addStates(AddressState.ADDRESS_STATE_RESERVED)))
                .containsExactly("10.1.0.192 RESERVED", "10.1.0.193 RESERVED");
        assertThat(texts(ListAddressesRequest.newBuilder()
                        .addStates(AddressState.ADDRESS_STATE_FREE)
                        .setPool("tiny")))
                .as("free in blocks whose owner has reported")
                .containsExactly("10.9.0.0 FREE");
        assertThat(texts(ListAddressesRequest.newBuilder().setAddress("10.1.0.8")))
                .containsExactly("10.1.0.8 FREE");
        assertThat(texts(ListAddressesRequest.newBuilder().setAddress("10.9.0.2")))
                .as("its owner has not reported")
                .containsExactly("10.9.0.2 UNKNOWN");
        assertThat(texts(ListAddressesRequest.newBuilder().setAddress("10.1.0.193")))
                .containsExactly("10.1.0.193 RESERVED");
        assertThat(texts(ListAddressesRequest.newBuilder().setAddress("10.1.0.130")))
                .as("in no block")
                .containsExactly("10.1.0.130 FREE");
        assertThat(texts(ListAddressesRequest.newBuilder().setAddress("192.0.2.1")))
                .as("in no pool")
                .isEmpty();

        List<String> paged = new ArrayList<>();
        ListAddressesRequest.Builder request = ListAddressesRequest.newBuilder().setPageSize(3);
        ListAddressesResponse page;
        do {
            page = addresses().listAddresses(request.build());
            page.getAddressesList().forEach(a -> paged.add(a.getAddress()));
            request.setPageToken(page.getNextPageToken());
        } while (!page.getNextPageToken().isEmpty());
        assertThat(paged).containsExactly("10.1.0.1", "10.1.0.2", "10.1.0.3", "10.9.0.1");
        for (ListAddressesRequest.Builder bad : List.of(
                ListAddressesRequest.newBuilder().setPod("b"),
                ListAddressesRequest.newBuilder().setPod("default/b").setNamespace("kube-system"),
                ListAddressesRequest.newBuilder().setAddress("10.1.0.0/26"),
                ListAddressesRequest.newBuilder().setPrefix("10.1.0.1/26"),
                ListAddressesRequest.newBuilder().setPageToken("x"),
                ListAddressesRequest.newBuilder().setPageSize(10_001),
                ListAddressesRequest.newBuilder().addStatesValue(9))) {
            assertThat(failure(() -> addresses(bad)).reason()).as("%s", bad).isEqualTo(ErrorReason.INVALID_ARGUMENT);
        }
    }

    private List<String> texts(ListAddressesRequest.Builder request) {
        return addresses(request).stream()
                .map(a -> a.getAddress() + " " + a.getState().name().replace("ADDRESS_STATE_", ""))
                .toList();
    }

    @Test
    void reportsAreFencedByEpochAndGapsEndThem() {
        ReportStream second = report(node("n1", "uid-1", 2), ReportStream.inUse("10.1.0.1", "a"));
        second.awaitAck(1);
        ServiceException stale = report(node("n1", "uid-1", 1)).awaitFailure();
        assertThat(stale.reason()).isEqualTo(ErrorReason.STALE_EPOCH);
        assertThat(stale).hasMessageContaining("start 2) in boot boot-2");
        ServiceException other = report(node("n1", "uid-new", 1)).awaitFailure();
        assertThat(other.reason()).isEqualTo(ErrorReason.OWNED_BY_OTHER);
        assertThat(texts(ListAddressesRequest.newBuilder())).containsExactly("10.1.0.1 IN_USE");

        second.deltaOf(node("n2", "uid-2", 1), 2);
        assertThat(second.awaitFailure()).hasMessageContaining("this stream belongs to n1");
        ReportStream third = report(node("n1", "uid-1", 3), ReportStream.inUse("10.1.0.2", "b"));
        third.awaitAck(1);
        assertThat(texts(ListAddressesRequest.newBuilder()))
                .as("the newer life replaces")
                .containsExactly("10.1.0.2 IN_USE");
        third.deltaOf(node("n1", "uid-1", 3), 3);
        assertThat(third.awaitFailure()).hasMessageContaining("came where 2 was expected");
        ReportStream again = report(node("n1", "uid-1", 3), ReportStream.inUse("10.1.0.3", "c"));
        again.awaitAck(1);
        assertThat(texts(ListAddressesRequest.newBuilder())).containsExactly("10.1.0.3 IN_USE");
        ReportStream newer = report(node("n1", "uid-1", 3));
        newer.awaitAck(1);
        assertThat(again.awaitFailure()).hasMessageContaining("a newer stream of n1");

        ReportStream mute = new ReportStream(channel, node(4));
        mute.deltaOf(node(4), 1);
        assertThat(mute.awaitFailure()).hasMessageContaining("the first message of a stream has full");
        ReportStream bad = report(
                node(5),
                ReportStream.inUse("10.1.0.1", "a").toBuilder().setAddress("x").build());
        assertThat(bad.awaitFailure()).hasMessageContaining("address: 'x' is not an IP address");
    }

    @Test
    void bindingsAreCounted() throws Exception {
        report(node(1), ReportStream.inUse("10.1.0.1", "a"), ReportStream.cooling("10.1.0.2"))
                .awaitAck(1);
        ReportStream two = report(node(2));
        two.awaitAck(1);
        two.abandon();
        addresses(ListAddressesRequest.newBuilder());
        await().untilAsserted(() -> assertThat(metrics())
                .contains("podwire_ipam_nodes{state=\"connected\"} 1.0")
                .contains("podwire_ipam_nodes{state=\"away\"} 1.0")
                .contains("podwire_ipam_bindings{state=\"in_use\"} 1.0")
                .contains("podwire_ipam_bindings{state=\"cooling\"} 1.0")
                .contains("podwire_ipam_list_addresses_seconds_count 1"));
    }

    @Test
    void badFieldsAreNamed() {
        assertThat(failure(() -> claim(node("N1", "u", 1), "r1"))).hasMessageContaining("'N1' is not a node name");
        assertThat(failure(() -> claim(node("n1", "u", 0), "r1"))).hasMessageContaining("got 0");
        assertThat(failure(() -> claim(node("n1", "u", 1), "r/1"))).hasMessageContaining("'r/1' is not a request id");
        assertThat(failure(() -> claim(NodeEpoch.getDefaultInstance(), "r1")).reason())
                .isEqualTo(ErrorReason.INVALID_ARGUMENT);
        assertThat(failure(() -> blocks().listBlocks(ListBlocksRequest.newBuilder()
                                .setPageToken("x")
                                .build()))
                        .reason())
                .isEqualTo(ErrorReason.INVALID_ARGUMENT);
        assertThat(failure(() -> claim(node(1), "r", "nowhere", IpFamily.IP_FAMILY_UNSPECIFIED))
                        .reason())
                .isEqualTo(ErrorReason.NOT_FOUND);
    }

    @Test
    void restartKeepsEverythingAndContradictingPoolsStopIt() throws Exception {
        Block block = claim(node(1), "r1");
        stopService();
        start(POOL);
        assertThat(claim(node(1), "r1")).isEqualTo(block);
        stopService();
        assertThatThrownBy(() -> start("--pool=default=10.1.0.0/24/27"))
                .hasMessageContaining("--pool default=10.1.0.0/24/27 cannot be brought about")
                .hasMessageContaining("it exists with another content, default=10.1.0.0/24/26");
        start();
        assertThat(list("")).containsExactly(block);
    }

    @Test
    void metricsAndReadinessShowTheStore() throws Exception {
        claim(node(1), "r1");
        await().until(() -> service.unready().isEmpty());
        stopService();
        start();
        await("gauges are read at start")
                .untilAsserted(() -> assertThat(metrics())
                        .contains("podwire_ipam_blocks_owned{pool=\"default\"} 1.0")
                        .contains("podwire_ipam_blocks_reserved{pool=\"default\"} 0.0")
                        .contains("podwire_ipam_blocks_all{pool=\"default\"} 4.0"));
        claim(node(1), "r1");
        assertThat(metrics()).contains("podwire_ipam_claim_seconds_count{result=\"ok\"} 1");
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

    private static AllocateAddressesRequest allocation(String owner, AddressWish... wishes) {
        return AllocateAddressesRequest.newBuilder()
                .setOwner(AddressOwner.newBuilder()
                        .setId(owner)
                        .setNode("n7")
                        .setPod(PodRef.newBuilder().setNamespace("shop").setName("web")))
                .addAllWishes(List.of(wishes))
                .build();
    }

    @Test
    void aSingleAddressThatItsNodeReportsIsListedOnceAndOfItsBlock() {
        Address given = addresses()
                .allocateAddresses(allocation("n7/c1/eth0", anyFour()))
                .getAddresses(0);
        report(node(2), ReportStream.inUse(given.getAddress(), "thief")).awaitAck(1);
        ReportStream seven = report(node(7), ReportStream.inUse(given.getAddress(), "web"));
        seven.awaitAck(1);
        List<Address> listed = addresses(ListAddressesRequest.newBuilder());
        assertThat(listed)
                .extracting(a ->
                        a.getNode() + " " + a.getPod().getName() + " " + a.getOwnerId() + " " + a.getOutsideOwnBlock())
                .as("another node that reports it is shown too")
                .containsExactly("n2 thief  true", "n7 web n7/c1/eth0 false");
        assertThat(listed.getLast().getContainerId()).isNotEmpty();
        assertThat(listed.getLast().getBlock()).isEqualTo(given.getBlock());
        assertThat(addresses(ListAddressesRequest.newBuilder().setOwnerId("n7/c1/eth0")))
                .hasSize(1);

        seven.delta(List.of(), List.of(given.getAddress()));
        seven.awaitAck(2);
        assertThat(addresses(ListAddressesRequest.newBuilder().setNode("n7")))
                .as("not reported any more: as the service knows it")
                .extracting(Address::getOwnerId)
                .containsExactly("n7/c1/eth0");
    }

    private static AddressWish anyFour() {
        return AddressWish.newBuilder().setFamily(IpFamily.IP_FAMILY_IPV4).build();
    }

    @Test
    void singleAddressesAreGivenToOwnersListedAndTakenBack() {
        claim(node(1), "r1");
        Address given =
                addresses().allocateAddresses(allocation("vm-1", anyFour())).getAddresses(0);
        assertThat(given.getAddress()).as("of a block of the service's own").isEqualTo("10.1.0.64");
        assertThat(addresses().allocateAddresses(allocation("vm-1", anyFour())).getAddresses(0))
                .as("the same owner again")
                .isEqualTo(given);
        assertThatThrownBy(() -> addresses()
                        .allocateAddresses(allocation(
                                "vm-2",
                                AddressWish.newBuilder().setAddress("10.1.0.64").build())))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(GrpcErrors.fromGrpc("allocate", e).reason())
                                .isEqualTo(ErrorReason.OWNED_BY_OTHER))
                .hasMessageContaining("pod shop/web (vm-1) on node n7");
        Address listed =
                addresses(ListAddressesRequest.newBuilder().setOwnerId("vm-1")).getFirst();
        assertThat(listed.getAddress()).isEqualTo("10.1.0.64");
        assertThat(listed.getOwnerId()).isEqualTo("vm-1");
        assertThat(listed.getNode()).isEqualTo("n7");
        assertThat(listed.getPool()).isEqualTo("default");
        assertThat(listed.getBlock()).isEqualTo("10.1.0.64/26");
        assertThat(listed.getPod().getName()).isEqualTo("web");
        assertThat(listed.getState()).isEqualTo(AddressState.ADDRESS_STATE_IN_USE);
        assertThat(texts(ListAddressesRequest.newBuilder().setNode("n7"))).containsExactly("10.1.0.64 IN_USE");
        assertThat(texts(ListAddressesRequest.newBuilder().setNode("n1"))).isEmpty();
        assertThat(addresses()
                        .getAddress(GetAddressRequest.newBuilder()
                                .setAddress("10.1.0.64")
                                .build())
                        .getOwnerId())
                .isEqualTo("vm-1");

        var _ = addresses()
                .releaseAddresses(
                        ReleaseAddressesRequest.newBuilder().setOwnerId("vm-1").build());
        assertThat(texts(ListAddressesRequest.newBuilder())).containsExactly("10.1.0.64 COOLING");
        assertThat(addresses()
                        .allocateAddresses(allocation("vm-2", anyFour()))
                        .getAddresses(0)
                        .getAddress())
                .as("nobody gets it yet")
                .isEqualTo("10.1.0.65");
    }

    @Test
    void anAddressThatIsWishedForTwiceIsRefusedByTheNamesOfBothWishes() {
        AddressWish five = AddressWish.newBuilder().setAddress("10.1.0.5").build();
        AddressWish six = AddressWish.newBuilder().setAddress("10.1.0.6").build();
        for (AddressWish again :
                List.of(five, five.toBuilder().setPool("default").build())) {
            ServiceException refused =
                    failure(() -> addresses().allocateAddresses(allocation("vm-1", five, anyFour(), six, again)));
            assertThat(refused.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT);
            assertThat(refused).hasMessageContaining("wishes[0] and wishes[3]: both are for 10.1.0.5");
        }
        assertThat(texts(ListAddressesRequest.newBuilder()))
                .as("nothing was given")
                .isEmpty();
        assertThat(addresses()
                        .allocateAddresses(allocation("vm-1", five, anyFour(), six))
                        .getAddressesList())
                .extracting(Address::getAddress)
                .containsExactly("10.1.0.5", "10.1.0.0", "10.1.0.6");
    }

    @Test
    void reservedAddressesAreTheirWorkloadsAlone() {
        Workload first = Workload.newBuilder().setNamespace("db").setName("pg").build();
        List<Address> reserved = addresses()
                .reserveAddresses(ReserveAddressesRequest.newBuilder()
                        .setFirst(first)
                        .setCount(3)
                        .addWishes(anyFour())
                        .build())
                .getAddressesList();
        assertThat(reserved)
                .extracting(a -> a.getAddress() + " " + a.getReservedFor().getOrdinal())
                .containsExactly("10.1.0.0 0", "10.1.0.1 1", "10.1.0.2 2");
        assertThat(addresses()
                        .allocateAddresses(allocation("c1/eth0", anyFour()).toBuilder()
                                .setWorkload(first.toBuilder().setOrdinal(1))
                                .build())
                        .getAddresses(0)
                        .getAddress())
                .isEqualTo("10.1.0.1");
        assertThat(texts(ListAddressesRequest.newBuilder().addStates(AddressState.ADDRESS_STATE_RESERVED)))
                .containsExactly("10.1.0.0 RESERVED", "10.1.0.2 RESERVED");
        var _ = addresses()
                .unreserveAddresses(UnreserveAddressesRequest.newBuilder()
                        .setFirst(first)
                        .setCount(3)
                        .build());
        assertThat(texts(ListAddressesRequest.newBuilder()))
                .containsExactly("10.1.0.0 COOLING", "10.1.0.1 IN_USE", "10.1.0.2 COOLING");
    }

    @Test
    void noNodeHasTheNameOfTheServicesBlocks() {
        assertThatThrownBy(() -> claim(node("podwire-ipam-service", "service", 1), "r1"))
                .hasMessageContaining("no node may be named podwire-ipam-service");
    }
}
