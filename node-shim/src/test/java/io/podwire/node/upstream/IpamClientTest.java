package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.node.address.AddressBook;
import io.podwire.node.address.BlockUse;
import io.podwire.node.address.NamespacePools;
import io.podwire.node.address.Taking;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.journal.Journal;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.testing.ManualTime;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.PoolNamespaces;
import io.podwire.proto.ipam.v1.PoolState;
import io.podwire.proto.ipam.v1.ReleaseBlockRequest;
import io.podwire.proto.ipam.v1.ReleaseBlockResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class IpamClientTest {
    private static final Duration SOON = Duration.ofSeconds(8);
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3);

    @TempDir
    Path folder;

    private final Ipam ipam = new Ipam();
    private final LoopbackServer server = new LoopbackServer(ipam);
    private final EventLoop loop = new EventLoop("ipam-test");
    private final ManagedChannel channel = Channels.open(server.target());
    private final ManualTime time = new ManualTime();
    private final AddressBook<EndpointKey> book = new AddressBook<>(Duration.ofSeconds(60));
    private final AtomicInteger changes = new AtomicInteger();
    private volatile CompletableFuture<Void> told = CompletableFuture.completedFuture(null);
    private Journal journal;

    /** ipam-service with blocks of 4 addresses: the same request id gives the same block. */
    private static final class Ipam extends BlocksGrpc.BlocksImplBase {
        private final List<ClaimBlockRequest> claims = new CopyOnWriteArrayList<>();
        private final List<ListBlocksRequest> lists = new CopyOnWriteArrayList<>();
        private final Map<String, Block> owned = new ConcurrentHashMap<>();
        private volatile int size = 100;
        /** An ipam-service that does not know families gives IPv4 to every claim. */
        private volatile boolean old;
        /** Further IPv6 blocks. */
        private volatile int size6 = 100;

        /** IPv4 pools beside "default". */
        private volatile Set<String> others = Set.of();

        private final AtomicInteger loseReplies = new AtomicInteger();

        /** Pools of these names have a namespace selector. */
        private volatile List<PoolNamespaces> selected = List.of();

        private volatile String namespacesVersion = "";

        /** Blocks whose pool drains. */
        private volatile Set<String> draining = Set.of();
        /** A newer life of every node is known. */
        private volatile boolean stale;

        private final List<String> releases = new CopyOnWriteArrayList<>();
        private final List<String> releasedClaims = new CopyOnWriteArrayList<>();
        private final AtomicInteger loseReleases = new AtomicInteger();
        private volatile Runnable duringRelease = () -> {};
        /** What happens right after a list was read, once. */
        private final AtomicReference<Runnable> afterList = new AtomicReference<>(() -> {});

        private Block told(Block block) {
            return block.toBuilder()
                    .setPoolState(
                            draining.contains(block.getCidr())
                                    ? PoolState.POOL_STATE_DRAINING
                                    : PoolState.POOL_STATE_ACTIVE)
                    .setNamespaceSelected(
                            selected.stream().anyMatch(pool -> pool.getPool().equals(block.getPool())))
                    .build();
        }

        @Override
        public void releaseBlock(ReleaseBlockRequest request, StreamObserver<ReleaseBlockResponse> reply) {
            duringRelease.run();
            releases.add(request.getCidr());
            if (owned.containsKey(request.getRequestId())) {
                releasedClaims.add(request.getRequestId());
            }
            owned.values().removeIf(block -> block.getCidr().equals(request.getCidr()));
            if (loseReleases.getAndDecrement() > 0) {
                reply.onError(
                        Status.UNAVAILABLE.withDescription("the reply was lost").asRuntimeException());
                return;
            }
            reply.onNext(ReleaseBlockResponse.getDefaultInstance());
            reply.onCompleted();
        }

        @Override
        public void claimBlock(ClaimBlockRequest request, StreamObserver<Block> reply) {
            claims.add(request);
            if (stale) {
                reply.onError(GrpcErrors.toGrpc(
                        new ServiceException(ErrorReason.STALE_EPOCH, "a newer life of that node is known, start 9")));
                return;
            }
            if (others.contains(request.getPool())) {
                if (request.getFamily() != io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4) {
                    reply.onError(GrpcErrors.toGrpc(new ServiceException(
                            ErrorReason.INVALID_ARGUMENT, "pool " + request.getPool() + " is of the other family")));
                    return;
                }
            } else if (!Set.of("", "default", "six").contains(request.getPool())) {
                reply.onError(GrpcErrors.toGrpc(
                        new ServiceException(ErrorReason.NOT_FOUND, "there is no pool " + request.getPool())));
                return;
            }
            boolean v6 = !old && request.getFamily() == io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6;
            long given = owned.values().stream()
                    .filter(block -> block.getCidr().contains(":") == v6)
                    .count();
            if (given >= (v6 ? size6 : size) && !owned.containsKey(request.getRequestId())) {
                String pool = v6 ? "pool six" : "pool default";
                reply.onError(
                        GrpcErrors.toGrpc(new ServiceException(ErrorReason.EXHAUSTED, pool + " has no free block")));
                return;
            }
            Block block = owned.computeIfAbsent(
                    request.getRequestId(),
                    _ ->
                            block(v6 ? "fd00:0:0:" + given + "::/126" : "10.1." + given + ".0/30", request.getNode())
                                    .toBuilder()
                                    .setPool(request.getPool())
                                    .setRequestId(request.getRequestId())
                                    .build());
            if (loseReplies.getAndDecrement() > 0) {
                reply.onError(
                        Status.UNAVAILABLE.withDescription("the reply was lost").asRuntimeException());
                return;
            }
            reply.onNext(told(block));
            reply.onCompleted();
        }

        @Override
        public void listBlocks(ListBlocksRequest request, StreamObserver<ListBlocksResponse> reply) {
            lists.add(request);
            // One block a page, in order.
            List<Block> all = owned.values().stream()
                    .sorted(java.util.Comparator.comparing(Block::getCidr))
                    .toList();
            int page = request.getPageToken().isEmpty() ? 0 : Integer.parseInt(request.getPageToken());
            ListBlocksResponse.Builder response = ListBlocksResponse.newBuilder();
            if (page < all.size()) {
                response.addBlocks(told(all.get(page)));
            }
            if (page == 0) {
                response.setNamespacesVersion(namespacesVersion);
                if (namespacesVersion.isEmpty() || !namespacesVersion.equals(request.getNamespacesVersion())) {
                    response.addAllPoolNamespaces(selected);
                }
            }
            if (page + 1 < all.size()) {
                response.setNextPageToken(Integer.toString(page + 1));
            } else {
                afterList.getAndSet(() -> {}).run();
            }
            reply.onNext(response.build());
            reply.onCompleted();
        }
    }

    private static Block block(String cidr, NodeEpoch owner) {
        return Block.newBuilder()
                .setCidr(cidr)
                .setPool("default")
                .setOwner(owner)
                .build();
    }

    @BeforeEach
    void prepare() {
        journal = Journal.open(folder.resolve("journal.mv"));
        journal.begin("boot-1", Optional.empty());
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        loop.close();
        server.close();
        journal.close();
    }

    private IpamClient client(int lowWater) {
        return client(Map.of(IpFamily.V4, "default"), lowWater);
    }

    private IpamClient dual(int lowWater) {
        return client(new TreeMap<>(Map.of(IpFamily.V4, "default", IpFamily.V6, "six")), lowWater);
    }

    private IpamClient client(Map<IpFamily, String> pools, int lowWater) {
        return new IpamClient(channel, loop, time, SELF, journal, book, pools, lowWater, () -> {
            changes.incrementAndGet();
            return told;
        });
    }

    @Test
    void anAuditComparesWithTheServiceAndSaysWhenItCannot() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(client.audit(List.of(), SOON)).as("as claimed").isEmpty();
        ipam.owned.clear();
        assertThat(client.audit(List.of(), SOON))
                .as("the service knows of no block")
                .extracting(Finding::object, Finding::name)
                .containsExactly(tuple("block", book.blocks().getFirst().toString()));
        assertThat(book.blocks()).as("nothing is changed").hasSize(1);
        server.close();
        assertThat(client.audit(List.of(), SOON))
                .as("the service is away")
                .extracting(Finding::object, Finding::name)
                .containsExactly(tuple("service", "ipam-service"));
    }

    @Test
    void blocksAreClaimedUntilTheBookIsAboveItsLowWater() {
        IpamClient client = client(6);
        assertThat(client.problem()).as("before the first call").isNotEmpty();
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(book.blocks()).as("4 are fewer than 6").hasSize(2);
        assertThat(journal.blocks()).containsOnlyKeys(book.blocks());
        assertThat(client.problem()).isEmpty();
        assertThat(changes).hasPositiveValue();
        assertThat(ipam.claims).extracting(ClaimBlockRequest::getRequestId).doesNotHaveDuplicates();
        assertThat(ipam.claims.getFirst().getNode()).isEqualTo(SELF.toProto());
        assertThat(ipam.claims.getFirst().getPool()).isEqualTo("default");
    }

    @Test
    void addressesCoolDownAsTheirBlocksSay() {
        Block tenMinutes = block("10.1.0.0/30", SELF.toProto()).toBuilder()
                .setCoolDown(com.google.protobuf.Duration.newBuilder().setSeconds(600))
                .build();
        ipam.owned.put("a", tenMinutes);
        book.addBlock(IpPrefix.parse("10.1.0.0/30"), "default");
        client(4).start();
        await().atMost(SOON).until(() -> book.shortestCoolDown().equals(Duration.ofMinutes(10)));
        assertThat(ipam.claims).as("4 addresses are enough").isEmpty();
    }

    @Test
    void anotherCoolDownOfAPoolIsLearnedWithTheNextReadOfTheBlocks() {
        Block mine = block("10.1.0.0/30", SELF.toProto());
        ipam.owned.put("a", mine);
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(book.shortestCoolDown()).as("the node's own").isEqualTo(Duration.ofSeconds(60));
        ipam.owned.put(
                "a",
                mine.toBuilder()
                        .setCoolDown(com.google.protobuf.Duration.newBuilder().setSeconds(7))
                        .build());
        awaitLater(() -> book.shortestCoolDown().equals(Duration.ofSeconds(7)));
        ipam.owned.put("a", mine);
        awaitLater(() -> book.shortestCoolDown().equals(Duration.ofSeconds(60)));
    }

    @Test
    void aLostReplyIsAskedForAgainWithTheSameId() {
        ipam.loseReplies.set(2);
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(ipam.claims).hasSize(3);
        assertThat(ipam.claims.stream().map(ClaimBlockRequest::getRequestId).distinct())
                .as("one claim")
                .hasSize(1);
        assertThat(ipam.owned).as("one block, none leaked").hasSize(1);
        assertThat(book.blocks()).hasSize(1);
    }

    @Test
    void exhaustionIsAProblemInWordsAndEndsWithTheNextBlock() {
        ipam.size = 0;
        IpamClient client = client(1);
        client.start();
        await().atMost(SOON).until(() -> client.problem().contains("pool default has no free block"));
        assertThat(client.connected()).isFalse();
        assertThat(client.supply(Duration.ofSeconds(2))).as("none to give").isFalse();
        ipam.size = 1;
        await().atMost(SOON).until(client::connected);
        assertThat(book.blocks()).hasSize(1);
        assertThat(client.supply(Duration.ofSeconds(2))).isTrue();
    }

    @Test
    void theJournalsBlocksAreComparedWithTheServicesFirst() {
        NodeEpoch other = SELF.toProto().toBuilder()
                .setNodeUid("uid-of-the-old-installation")
                .build();
        ipam.owned.put("a", block("10.1.0.0/30", SELF.toProto()));
        ipam.owned.put("b", block("10.1.7.0/30", SELF.toProto()));
        ipam.owned.put("c", block("10.1.9.0/30", other));
        IpPrefix lost = IpPrefix.parse("10.1.5.0/30");
        IpPrefix taken = IpPrefix.parse("10.1.9.0/30");
        for (IpPrefix known : List.of(lost, taken, IpPrefix.parse("10.1.0.0/30"))) {
            journal.putBlock(known, "default");
            book.addBlock(known);
        }
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(book.blocks())
                .as("what is not this node's gives no address; what a lost reply gave is used")
                .containsExactly(IpPrefix.parse("10.1.0.0/30"), IpPrefix.parse("10.1.7.0/30"));
        assertThat(journal.blocks()).containsOnlyKeys(book.blocks());
        assertThat(ipam.claims).as("8 addresses are enough").isEmpty();
        assertThat(ipam.lists).as("every page").hasSize(3);
        assertThat(ipam.lists.getFirst().getNode()).isEqualTo("node-1");
    }

    /** Blocks that the node knows, and that ipam-service has as its own. */
    private void owns(String... cidrs) {
        for (String cidr : cidrs) {
            String claim = cidr.replaceAll("[./]", "-");
            ipam.owned.put(
                    claim,
                    block(cidr, SELF.toProto()).toBuilder().setRequestId(claim).build());
            journal.putBlock(IpPrefix.parse(cidr), "default");
            book.addBlock(IpPrefix.parse(cidr), "default");
        }
    }

    @Test
    void aStartBelievesTheListThatFollowsAConfirmationAlone() {
        owns("10.1.0.0/30", "10.1.7.0/30", "10.1.8.0/30");
        ipam.afterList.set(() -> ipam.owned.remove("10-1-7-0-30"));
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(book.blocks())
                .as("what was taken back right after the first list gives no address, though no time has passed")
                .containsExactly(IpPrefix.parse("10.1.0.0/30"), IpPrefix.parse("10.1.8.0/30"));
        assertThat(ipam.claims)
                .as("the claim that took the first block, repeated")
                .extracting(ClaimBlockRequest::getRequestId, ClaimBlockRequest::getPool, ClaimBlockRequest::getNode)
                .containsExactly(tuple("10-1-0-0-30", "default", SELF.toProto()));
        int lists = ipam.lists.size();
        time.advance(IpamClient.READ);
        await().atMost(SOON).until(() -> ipam.lists.size() > lists);
        assertThat(ipam.claims).as("once in a life").hasSize(1);
    }

    @Test
    void aStartWhoseBlocksAreTakenBackAfterItsListHasNone() {
        owns("10.1.0.0/30", "10.1.7.0/30");
        ipam.afterList.set(() -> {
            ipam.owned.clear();
            ipam.size = 0;
        });
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(() -> client.problem().contains("no free block") && ipam.lists.size() > 2);
        await("the second list agrees").atMost(SOON).until(() -> book.free(IpFamily.V4, time.monotonic()) == 0);
        ipam.size = 100;
        awaitLater(() -> !book.blocks().contains(IpPrefix.parse("10.1.7.0/30")));
        await().atMost(SOON).until(client::connected);
        assertThat(journal.blocks().keySet())
                .as("what it has now it has claimed")
                .isEqualTo(Set.copyOf(book.blocks()))
                .hasSize(ipam.owned.size());
    }

    @Test
    void aStaleStartIsFencedThoughItNeedsNoBlock() {
        owns("10.1.0.0/30");
        ipam.stale = true;
        IpamClient client = client(1);
        client.start();
        await().atMost(SOON).until(client::fenced);
        assertThat(book.free(IpFamily.V4, time.monotonic())).isZero();
    }

    @Test
    void theOthersAreToldOfAFenceAtOnceThoughNoListCanBeRead() {
        owns("10.1.0.0/30");
        IpamClient client = client(1);
        client.start();
        await().atMost(SOON).until(client::connected);
        server.kill();
        await().atMost(SOON).until(() -> !client.connected());
        int before = changes.get();
        client.over("that node was taken for gone for good");
        await("what is announced").atMost(SOON).until(() -> changes.get() == before + 1);
        assertThat(client.fenced()).isTrue();
        assertThat(book.blocks()).as("no list has said whose they are").hasSize(1);
    }

    @Test
    void whileTheServiceIsAwayAStartGoesOnFromItsJournalAndConfirmsOnceItIsBack() {
        owns("10.1.0.0/30");
        server.kill();
        IpamClient client = client(1);
        client.start();
        await().atMost(SOON).until(() -> client.problem().contains("reading this node's blocks"));
        take(1);
        assertThat(client.fenced()).isFalse();
        server.revive();
        await().atMost(SOON).until(client::connected);
        assertThat(ipam.claims).extracting(ClaimBlockRequest::getRequestId).containsExactly("10-1-0-0-30");
        assertThat(book.heldBy(pod(0))).hasSize(1);
    }

    @Test
    void addressesGoOnWhileTheServiceIsAway() {
        IpamClient client = client(1);
        client.start();
        await().atMost(SOON).until(client::connected);
        server.kill();
        for (int i = 0; i < 4; i++) {
            assertThat(book.take(new EndpointKey("c" + i, "eth0"), Set.of(IpFamily.V4), time.monotonic()))
                    .isPresent();
        }
        client.used();
        await().atMost(SOON).until(() -> !client.problem().isEmpty());
        server.revive();
        await().atMost(SOON).until(() -> book.blocks().size() == 2);
        await().atMost(SOON).until(client::connected);
    }

    @Test
    void eachFamilyHasItsBlocksFromItsPool() {
        IpamClient client = dual(6);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(book.blocks().stream().filter(b -> b.family() == IpFamily.V4))
                .hasSize(2);
        assertThat(book.blocks().stream().filter(b -> b.family() == IpFamily.V6))
                .hasSize(2);
        assertThat(ipam.claims)
                .extracting(ClaimBlockRequest::getFamily, ClaimBlockRequest::getPool)
                .containsOnly(
                        tuple(io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4, "default"),
                        tuple(io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV6, "six"));
        assertThat(ipam.claims).extracting(ClaimBlockRequest::getRequestId).doesNotHaveDuplicates();
        for (int i = 0; i < 3; i++) {
            assertThat(book.take(new EndpointKey("c" + i, "eth0"), Set.of(IpFamily.V6), time.monotonic()))
                    .isPresent();
        }
        client.used();
        await().atMost(SOON).until(() -> book.blocks().size() == 5);
        assertThat(book.free(IpFamily.V6, time.monotonic()))
                .as("the family that ran low")
                .isEqualTo(9);
        assertThat(book.free(IpFamily.V4, time.monotonic())).isEqualTo(8);
    }

    @Test
    void aFamilyThatIsExhaustedKeepsNoBlocksFromTheOther() {
        ipam.size6 = 0;
        IpamClient client = dual(1);
        client.start();
        await().atMost(SOON).until(() -> client.problem().contains("pool six has no free block"));
        assertThat(book.free(IpFamily.V4, time.monotonic())).isEqualTo(4);
        assertThat(client.supply(Duration.ofSeconds(2)))
                .as("a pod needs one of each")
                .isFalse();
        assertThat(client.problem()).as("of the one that has one").doesNotContain("pool default");
        ipam.size6 = 1;
        await().atMost(SOON).until(client::connected);
        assertThat(client.supply(Duration.ofSeconds(2))).isTrue();
    }

    @Test
    void anIpamServiceThatKnowsNoFamiliesIsToldAndLosesNoBlocks() {
        ipam.old = true;
        IpamClient client = dual(1);
        client.start();
        await().atMost(SOON).until(() -> client.problem().contains("for a claim of IPv6"));
        int claims = ipam.claims.size();
        await().atMost(SOON).until(() -> ipam.claims.size() > claims + 1);
        assertThat(ipam.owned).as("its retries ask for the same block").hasSize(2);
        assertThat(book.blocks()).as("it is the node's all the same").hasSize(2);
    }

    @Test
    void supplyWaitsForTheAnswerOfAClaim() {
        IpamClient client = client(1);
        assertThat(client.supply(SOON)).as("asked before it was started").isTrue();
        assertThat(book.free(IpFamily.V4, time.monotonic())).isEqualTo(4);
    }

    @Test
    void aPoolThatAPodNamesGivesABlockOnceAndOnlyWhileNoneOfItIsFree() {
        ipam.others = Set.of("blue");
        IpamClient client = dual(1);
        assertThat(client.supplyOf("blue", SOON)).isEmpty();
        assertThat(book.free(IpFamily.V4, "blue", time.monotonic())).isEqualTo(4);
        assertThat(journal.blocks()).containsValue("blue");
        assertThat(client.supplyOf("blue", SOON)).isEmpty();
        assertThat(ipam.claims).extracting(ClaimBlockRequest::getPool).containsExactly("blue");
        assertThat(client.supplyOf("green", SOON)).contains("there is no pool green");
        assertThat(changes).as("the others learn of the block").hasPositiveValue();
    }

    @Test
    void aClaimOfANamedPoolWhoseAnswerWasLostIsRepeatedWithItsId() {
        ipam.others = Set.of("blue");
        ipam.loseReplies.set(1);
        IpamClient client = client(1);
        assertThat(client.supplyOf("blue", SOON)).contains("the reply was lost");
        assertThat(client.supplyOf("blue", SOON)).isEmpty();
        assertThat(ipam.claims.stream().map(ClaimBlockRequest::getRequestId).distinct())
                .as("one claim")
                .hasSize(1);
        assertThat(book.blocks()).as("none lost").hasSize(1);
    }

    private void take(int pods) {
        for (int i = 0; i < pods; i++) {
            assertThat(book.take(pod(i), Set.of(IpFamily.V4), time.monotonic())).isPresent();
        }
    }

    private static EndpointKey pod(int i) {
        return new EndpointKey("c" + i, "eth0");
    }

    /** Four blocks of four addresses, of which none is in use, and two are enough. */
    private IpamClient withUnusedBlocks() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        for (int i = 0; i < 9; i++) {
            EndpointKey key = pod(i);
            await().atMost(SOON).until(() -> {
                client.used();
                return book.take(key, Set.of(IpFamily.V4), time.monotonic()).isPresent();
            });
        }
        client.used();
        await().atMost(SOON).until(() -> book.blocks().size() == 4);
        assertThat(client.supply(SOON)).as("the claims are over").isTrue();
        for (int i = 0; i < 9; i++) {
            book.release(pod(i), time.monotonic());
        }
        return client;
    }

    /** Time goes on from look to look. */
    private void awaitLater(Callable<Boolean> condition) {
        await().atMost(SOON).until(() -> {
            time.advance(Duration.ofSeconds(5));
            return condition.call();
        });
    }

    @Test
    void unusedBlocksGoBackDownToLowWaterAndOneMore() {
        IpamClient client = withUnusedBlocks();
        awaitLater(() -> client.returned() == 2);
        assertThat(ipam.releases).containsExactlyInAnyOrder("10.1.2.0/30", "10.1.3.0/30");
        assertThat(ipam.releasedClaims).as("each by the claim that took it").hasSize(2);
        assertThat(book.blocks()).containsExactly(IpPrefix.parse("10.1.0.0/30"), IpPrefix.parse("10.1.1.0/30"));
        assertThat(journal.blocks()).containsOnlyKeys(book.blocks());
        assertThat(journal.returning()).isEmpty();
        int claims = ipam.claims.size();
        int lists = ipam.lists.size();
        awaitLater(() -> ipam.lists.size() > lists + 3);
        assertThat(ipam.releases).as("and no further").hasSize(2);
        assertThat(ipam.claims).as("none is claimed again").hasSize(claims);
    }

    @Test
    void aBlockGoesBackOnceTheOthersKnowAndALostAnswerIsRepeated() {
        IpamClient client = withUnusedBlocks();
        ipam.loseReleases.set(1);
        CompletableFuture<Void> others = new CompletableFuture<>();
        told = others;
        // The one that no pod ever had; the others were unused a minute later.
        IpPrefix leaving = IpPrefix.parse("10.1.3.0/30");
        awaitLater(() -> client.returning().contains(leaving));
        assertThat(book.blocks()).as("no address of it is given").doesNotContain(leaving);
        assertThat(journal.returning()).as("known after a kill").containsExactly(leaving);
        int lists = ipam.lists.size();
        awaitLater(() -> ipam.lists.size() > lists + 3);
        assertThat(ipam.releases).as("still announced").isEmpty();
        assertThat(book.blocks()).as("listed as the node's, and not used").doesNotContain(leaving);
        others.complete(null);
        awaitLater(() -> client.returned() == 2);
        assertThat(ipam.releases).as("one of them twice").hasSize(3);
        assertThat(Set.copyOf(ipam.releases)).isEqualTo(Set.of("10.1.2.0/30", "10.1.3.0/30"));
        await().atMost(SOON).until(client::connected);
    }

    /** A burst takes all that is free while the node waits for the answer to a return. */
    @Test
    void whatOthersTookMeanwhileIsNoRefusal() {
        IpamClient client = withUnusedBlocks();
        CompletableFuture<Void> others = new CompletableFuture<>();
        told = others;
        awaitLater(() -> !client.returning().isEmpty());
        AtomicInteger taken = new AtomicInteger(100);
        ipam.duringRelease = () -> {
            while (book.take(pod(taken.getAndIncrement()), Set.of(IpFamily.V4), time.monotonic())
                    .isPresent()) {
                assertThat(taken.get()).isLessThan(200);
            }
        };
        others.complete(null);
        assertThat(client.supply(SOON)).as("nobody has refused").isTrue();
        assertThat(client.problem()).isEmpty();
    }

    @Test
    void aReturnThatAKillCutOffIsDoneBeforeAnythingElse() {
        IpPrefix leaving = IpPrefix.parse("10.1.0.0/30");
        ipam.owned.put("a", block("10.1.0.0/30", SELF.toProto()));
        ipam.owned.put("b", block("10.1.7.0/30", SELF.toProto()));
        journal.putBlock(leaving, "default");
        assertThat(journal.beginReturn(leaving)).isTrue();
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(() -> client.returned() == 1);
        assertThat(ipam.releases).containsExactly("10.1.0.0/30");
        assertThat(book.blocks()).containsExactly(IpPrefix.parse("10.1.7.0/30"));
        // An earlier life's release may arrive still: what is the node's again is not used before that is over.
        ipam.owned.put("c", block("10.1.0.0/30", SELF.toProto()));
        int lists = ipam.lists.size();
        time.advance(IpamClient.READ);
        await().atMost(SOON).until(() -> ipam.lists.size() >= lists + 2);
        assertThat(book.blocks()).hasSize(1);
        awaitLater(() -> book.blocks().contains(leaving));
        assertThat(journal.returning()).isEmpty();
    }

    @Test
    void aDrainingBlockGivesNothingIsReplacedAndGoesBackOnceItIsEmpty() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        IpPrefix drained = book.blocks().getFirst();
        take(1);
        ipam.draining = Set.of(drained.toString());
        awaitLater(() -> client.draining().contains(drained));
        await().atMost(SOON).until(() -> book.free(IpFamily.V4, time.monotonic()) == 4);
        assertThat(book.take(pod(7), Set.of(IpFamily.V4), time.monotonic())
                        .orElseThrow()
                        .list())
                .as("of the other block")
                .noneMatch(drained::contains);
        assertThat(ipam.releases).as("a pod has an address of it").isEmpty();
        assertThat(client.problem()).isEmpty();

        ipam.draining = Set.of();
        awaitLater(() -> client.draining().isEmpty());
        assertThat(book.take(pod(8), Set.of(IpFamily.V4), time.monotonic())
                        .orElseThrow()
                        .list())
                .as("a pool that is active again is used again")
                .allMatch(drained::contains);

        ipam.draining = Set.of(drained.toString());
        book.release(pod(0), time.monotonic());
        book.release(pod(8), time.monotonic());
        awaitLater(() -> client.returned() == 1);
        assertThat(ipam.releases).containsExactly(drained.toString());
        assertThat(book.blocks()).doesNotContain(drained);
        assertThat(journal.blocks()).doesNotContainKey(drained);
    }

    @Test
    void aStartKnowsWhatDrainedBefore() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        IpPrefix drained = book.blocks().getFirst();
        take(1);
        ipam.draining = Set.of(drained.toString());
        awaitLater(() -> client.draining().contains(drained));
        book.close(Set.of());
        assertThat(client(4).draining()).as("before it has asked").containsExactly(drained);
        assertThat(book.takeThis(
                        pod(5), Set.of(IpFamily.V4), List.of(drained.address().plus(3)), "", time.monotonic()))
                .isInstanceOf(Taking.Closed.class);
    }

    @Test
    void aStaleLifeGivesNothingAndKeepsItsBlocks() {
        IpPrefix known = IpPrefix.parse("10.1.0.0/30");
        ipam.owned.put("a", block("10.1.0.0/30", SELF.toProto()));
        journal.putBlock(known, "default");
        book.addBlock(known, "default");
        take(1);
        ipam.stale = true;
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::fenced);
        assertThat(client.problem()).contains("newer life", "start 3", "start 9", "running pods keep theirs");
        assertThat(client.connected()).isFalse();
        assertThat(book.free(IpFamily.V4, time.monotonic())).isZero();
        assertThat(book.blocks()).as("still announced: its pods go on").containsExactly(known);
        assertThat(book.heldBy(pod(0))).hasSize(1);
        assertThat(client.supplyOf("default", SOON)).contains("newer life");
        int claims = ipam.claims.size();
        assertThat(client.supply(SOON)).isFalse();
        assertThat(ipam.claims).as("it does not ask again").hasSize(claims);
    }

    @Test
    void aLifeThatIsOverGivesNothingAndGivesUpWhatIsNotListedAtOnce() {
        owns("10.1.0.0/30", "10.1.7.0/30", "10.1.8.0/30");
        take(1);
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        int claims = ipam.claims.size();
        ipam.owned.remove("10-1-0-0-30");
        ipam.owned.remove("10-1-7-0-30");
        int before = changes.get();
        client.over("that node was taken for gone for good");
        await("no time has passed, and no second list agrees")
                .atMost(SOON)
                .until(() -> book.blocks().equals(List.of(IpPrefix.parse("10.1.8.0/30"))));
        await("the others are told").atMost(SOON).until(() -> changes.get() > before);
        assertThat(client.fenced()).isTrue();
        assertThat(client.problem()).contains("taken for gone for good", "start 3", "delete its pods");
        assertThat(book.free(IpFamily.V4, time.monotonic()))
                .as("of what it still owns too")
                .isZero();
        assertThat(book.heldBy(pod(0))).as("a pod keeps its address").hasSize(1);
        assertThat(journal.blocks()).containsOnlyKeys(book.blocks());
        ipam.owned.clear();
        awaitLater(() -> book.blocks().isEmpty());
        assertThat(client.supply(SOON)).isFalse();
        assertThat(ipam.claims).as("it claims nothing any more").hasSize(claims);
    }

    @Test
    void aListThatNamesANewerLifeIsEnough() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        ipam.owned.replaceAll((_, block) -> block.toBuilder()
                .setOwner(block.getOwner().toBuilder().setCounter(SELF.counter() + 1))
                .build());
        awaitLater(client::fenced);
        assertThat(book.free(IpFamily.V4, time.monotonic())).isZero();
        assertThat(client.problem()).contains("it lists start 4");
    }

    @Test
    void theBlocksAreReadAgainAfterEachReconnect() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        server.kill();
        await().atMost(SOON).until(() -> !client.connected());
        ipam.draining = Set.of(book.blocks().getFirst().toString());
        server.revive();
        await("no time has passed").atMost(SOON).until(() -> client.draining().size() == 1);
        await().atMost(SOON).until(client::connected);
    }

    @Test
    void aListThatIsEmptyAllAtOnceIsNotBelievedTheFirstTime() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        IpPrefix first = book.blocks().getFirst();
        Map<String, Block> all = Map.copyOf(ipam.owned);
        ipam.size = 0;
        ipam.owned.clear();
        time.advance(IpamClient.READ);
        await().atMost(SOON)
                .until(() -> book.usage(time.monotonic()).stream()
                        .anyMatch(use -> use.block().equals(first) && !use.gives()));
        assertThat(book.blocks()).as("announced, and it gives nothing").contains(first);
        ipam.owned.putAll(all);
        time.advance(IpamClient.READ);
        await().atMost(SOON).until(() -> book.usage(time.monotonic()).stream().allMatch(BlockUse::gives));
        assertThat(book.blocks()).contains(first);
    }

    @Test
    void aBlockThatIsClaimedAgainIsDoubtedNoMore() {
        owns("10.1.0.0/30");
        ipam.owned.clear();
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(ipam.owned)
                .as("one claim, as for a node that was taken for gone")
                .hasSize(1);
        assertThat(book.blocks()).containsExactly(IpPrefix.parse("10.1.0.0/30"));
        assertThat(book.free(IpFamily.V4, time.monotonic()))
                .as("it gives addresses")
                .isEqualTo(4);
    }

    private static PoolNamespaces selected(String pool, String... namespaces) {
        return PoolNamespaces.newBuilder()
                .setPool(pool)
                .setFamily(io.podwire.proto.common.v1.IpFamily.IP_FAMILY_IPV4)
                .addAllNamespaces(List.of(namespaces))
                .build();
    }

    private Taking<EndpointKey> ofRed(int pod, String namespace) {
        return book.takeThis(pod(pod), Set.of(IpFamily.V4), List.of(), "red", namespace, time.monotonic());
    }

    private Taking<EndpointKey> take(int pod, String namespace) {
        return book.takeThis(pod(pod), Set.of(IpFamily.V4), List.of(), "", namespace, time.monotonic());
    }

    @Test
    void aPoolForSomeNamespacesIsClaimedForThemAndCountsForNobodyElse() {
        ipam.others = Set.of("red");
        ipam.namespacesVersion = "1";
        ipam.selected = List.of(selected("red", "shop"));
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(take(1, "shop")).isEqualTo(new Taking.NamespaceExhausted<>(IpFamily.V4, List.of("red")));
        assertThat(client.supplyOf("red", SOON)).isEmpty();
        assertThat(take(1, "shop")).isInstanceOf(Taking.Taken.class);
        assertThat(book.free(IpFamily.V4, "red", time.monotonic())).isEqualTo(3);
        assertThat(book.free(IpFamily.V4, time.monotonic()))
                .as("of the other pool")
                .isEqualTo(4);
        assertThat(take(2, "web")).isInstanceOf(Taking.Taken.class);
        client.used();
        await("it is below its low water, whatever red has")
                .atMost(SOON)
                .until(() -> book.blocks().size() == 3);

        ipam.namespacesVersion = "2";
        ipam.selected = List.of(selected("red", "web"));
        awaitLater(() -> ofRed(3, "web") instanceof Taking.Taken);
        assertThat(ipam.lists)
                .extracting(ListBlocksRequest::getNamespacesVersion)
                .contains("", "1");
        ipam.namespacesVersion = "";
        ipam.selected = List.of();
        int reads = ipam.lists.size();
        awaitLater(() -> ipam.lists.size() > reads);
        assertThat(take(4, "shop"))
                .as("a replica that knows nothing changes nothing")
                .isInstanceOf(Taking.Taken.class);
        book.serve(NamespacePools.NONE);
        assertThat(client(4).connected()).as("the next life has not asked yet").isFalse();
        assertThat(ofRed(5, "shop")).as("and knows").isEqualTo(new Taking.NotForNamespace<>("red"));
    }

    @Test
    void aNamespaceThatIsNewerThanTheLastReadingIsAskedForOnce() {
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        int reads = ipam.lists.size();
        client.meet("shop");
        assertThat(ipam.lists).as("no pool selects anyone").hasSize(reads);
        ipam.namespacesVersion = "1";
        ipam.selected = List.of(selected("red", "web"));
        awaitLater(() -> book.takeThis(pod(9), Set.of(IpFamily.V4), List.of(), "red", "shop", time.monotonic())
                instanceof Taking.NotForNamespace);
        ipam.namespacesVersion = "2";
        ipam.selected = List.of(selected("red", "shop", "web"));
        client.meet("web");
        assertThat(take(1, "shop")).as("it is not met yet").isInstanceOf(Taking.Taken.class);
        client.meet("shop");
        assertThat(take(2, "shop")).isEqualTo(new Taking.NamespaceExhausted<>(IpFamily.V4, List.of("red")));
        reads = ipam.lists.size();
        client.meet("shop");
        client.meet("other");
        client.meet("other");
        assertThat(ipam.lists.size()).as("other, once, in pages").isBetween(reads + 1, reads + 3);
        server.kill();
        client.meet("third");
        assertThat(take(2, "shop")).as("what is known holds").isInstanceOf(Taking.NamespaceExhausted.class);
    }

    @Test
    void aSelectorThatIsNewerThanTheLastReadingHoldsForTheFirstBlock() {
        ipam.others = Set.of("red");
        IpamClient client = client(4);
        client.start();
        await().atMost(SOON).until(client::connected);
        ipam.namespacesVersion = "1";
        ipam.selected = List.of(selected("red", "shop"));
        int reads = ipam.lists.size();
        assertThat(client.supplyOf("red", SOON)).isEmpty();
        assertThat(ipam.lists.size()).as("no time has passed").isGreaterThan(reads);
        assertThat(book.free(IpFamily.V4, time.monotonic())).as("for any pod").isEqualTo(4);
        assertThat(book.free(IpFamily.V4, "red", time.monotonic())).isEqualTo(4);
    }

    @Test
    void aPoolOfTheNodesOwnIsKeptAboveLowWaterThoughItIsForSomeNamespaces() {
        ipam.others = Set.of("red");
        ipam.namespacesVersion = "1";
        ipam.selected = List.of(selected("red", "shop"));
        IpamClient client = client(Map.of(IpFamily.V4, "red"), 4);
        client.start();
        await().atMost(SOON).until(client::connected);
        assertThat(book.blocks()).as("one is enough").hasSize(1);
        assertThat(take(1, "shop")).isInstanceOf(Taking.Taken.class);
        assertThat(take(2, "web")).isEqualTo(new Taking.Exhausted<>(IpFamily.V4, ""));
    }
}
