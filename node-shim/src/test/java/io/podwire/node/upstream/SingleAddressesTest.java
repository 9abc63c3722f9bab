package io.podwire.node.upstream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.NodeName;
import io.podwire.node.address.AddressBook;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Journal;
import io.podwire.node.journal.SingleHold;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.PodName;
import io.podwire.node.plan.Replica;
import io.podwire.node.plan.SingleAnswer;
import io.podwire.node.plan.SingleWish;
import io.podwire.node.plan.SingleWish.What;
import io.podwire.node.testing.Attachments;
import io.podwire.node.testing.ManualTime;
import io.podwire.proto.ipam.v1.Address;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.AllocateAddressesRequest;
import io.podwire.proto.ipam.v1.AllocateAddressesResponse;
import io.podwire.proto.ipam.v1.ReleaseAddressesRequest;
import io.podwire.proto.ipam.v1.ReleaseAddressesResponse;
import io.podwire.proto.ipam.v1.ReserveAddressesRequest;
import io.podwire.proto.ipam.v1.ReserveAddressesResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SingleAddressesTest {
    private static final Duration SOON = Duration.ofSeconds(8);
    private static final NodeIdentity SELF = new NodeIdentity(new NodeName("node-1"), "uid-1", "boot-1", 3);
    private static final EndpointKey C1 = new EndpointKey("c1", "eth0");
    private static final IpAddress FIVE = IpAddress.parse("10.9.0.5");
    private static final IpAddress SIX = IpAddress.parse("fd00:9::5");
    private static final String RESERVED = "10.9.0.9";

    @TempDir
    Path folder;

    private final Ipam ipam = new Ipam();
    private final LoopbackServer server = new LoopbackServer(ipam);
    private final EventLoop loop = new EventLoop("singles-test");
    private final ManagedChannel channel = Channels.open(server.target());
    private final ManualTime time = new ManualTime();
    private final AtomicInteger changes = new AtomicInteger();
    private final AddressBook<EndpointKey> book = new AddressBook<>(Duration.ofSeconds(60));
    private volatile CompletableFuture<Void> told = CompletableFuture.completedFuture(null);
    private volatile boolean fenced;
    private Journal journal;

    /** ipam-service: one owner for each address, and an address for each replica. */
    private static final class Ipam extends AddressesGrpc.AddressesImplBase {
        private final Map<String, String> owners = new ConcurrentHashMap<>();
        private final List<AllocateAddressesRequest> asked = new CopyOnWriteArrayList<>();
        private final List<String> released = new CopyOnWriteArrayList<>();
        private final AtomicInteger loseAnswers = new AtomicInteger();
        private final AtomicInteger refuseReleases = new AtomicInteger();
        private final AtomicInteger reservations = new AtomicInteger();
        private volatile Runnable beforeAllocate = () -> {};

        @Override
        public synchronized void allocateAddresses(
                AllocateAddressesRequest request, StreamObserver<AllocateAddressesResponse> reply) {
            beforeAllocate.run();
            asked.add(request);
            String owner = request.getOwner().getId();
            if (request.hasWorkload() && reservations.get() == 0) {
                fail(reply, ErrorReason.NOT_FOUND, "nothing is reserved for it");
                return;
            }
            List<String> wanted = request.hasWorkload()
                    ? List.of(RESERVED)
                    : request.getWishesList().stream()
                            .map(wish -> wish.getAddress())
                            .toList();
            for (String address : wanted) {
                if (address.startsWith("192.")) {
                    fail(reply, ErrorReason.INVALID_ARGUMENT, address + " is in no pool");
                    return;
                }
                String holder = owners.getOrDefault(address, owner);
                if (!holder.equals(owner)) {
                    fail(reply, ErrorReason.OWNED_BY_OTHER, address + " belongs to " + holder);
                    return;
                }
            }
            wanted.forEach(address -> owners.put(address, owner));
            if (loseAnswers.getAndDecrement() > 0) {
                reply.onError(Status.UNAVAILABLE.withDescription("lost").asRuntimeException());
                return;
            }
            AllocateAddressesResponse.Builder answer = AllocateAddressesResponse.newBuilder();
            wanted.forEach(address -> answer.addAddresses(Address.newBuilder().setAddress(address)));
            reply.onNext(answer.build());
            reply.onCompleted();
        }

        @Override
        public synchronized void reserveAddresses(
                ReserveAddressesRequest request, StreamObserver<ReserveAddressesResponse> reply) {
            reservations.incrementAndGet();
            reply.onNext(ReserveAddressesResponse.getDefaultInstance());
            reply.onCompleted();
        }

        @Override
        public synchronized void releaseAddresses(
                ReleaseAddressesRequest request, StreamObserver<ReleaseAddressesResponse> reply) {
            if (refuseReleases.getAndDecrement() > 0) {
                fail(reply, ErrorReason.UNAVAILABLE, "the store is away");
                return;
            }
            released.add(request.getOwnerId());
            owners.values().removeIf(request.getOwnerId()::equals);
            reply.onNext(ReleaseAddressesResponse.getDefaultInstance());
            reply.onCompleted();
        }

        private static void fail(StreamObserver<?> reply, ErrorReason reason, String message) {
            reply.onError(GrpcErrors.toGrpc(new ServiceException(reason, message)));
        }
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

    private SingleAddresses singles(Attachment... attachments) {
        return new SingleAddresses(channel, loop, time, SELF, journal, book, List.of(attachments), () -> fenced, () -> {
            changes.incrementAndGet();
            return told;
        });
    }

    private SingleAddresses started(Attachment... attachments) {
        SingleAddresses singles = singles(attachments);
        singles.start();
        return singles;
    }

    private static SingleWish wish(EndpointKey key, What what) {
        return new SingleWish(key, "podwire", new PodName("shop", "web-0"), "", what);
    }

    private static What these(IpAddress... addresses) {
        return new What.These(List.of(addresses));
    }

    private static What reserved() {
        return new What.ReservedFor(new Replica("shop", "web", 0), EnumSet.of(IpFamily.V4));
    }

    private SingleAnswer ask(SingleAddresses singles, EndpointKey key, What what) {
        return singles.allocate(wish(key, what), SOON);
    }

    /** An attachment ends as its DEL ends it. */
    private void end(SingleAddresses singles, EndpointKey key) {
        book.release(key, time.monotonic());
        singles.release(key);
    }

    @Test
    void whatIsGivenIsInJournalAndBookAndGoesBackWithItsAttachment() {
        SingleAddresses singles = started();
        ipam.beforeAllocate = () ->
                assertThat(journal.singles()).as("noted before it is asked for").hasSize(1);
        assertThat(ask(singles, C1, these(SIX, FIVE))).isEqualTo(new SingleAnswer.Given(List.of(FIVE, SIX)));
        assertThat(book.lent()).containsExactly(FIVE, SIX);
        SingleHold hold = journal.singles().getFirst();
        assertThat(hold.addresses()).containsExactly(FIVE, SIX);
        assertThat(hold.ownerId()).startsWith("node-1/c1/eth0/podwire@");
        assertThat(ipam.owners)
                .containsOnly(Map.entry("10.9.0.5", hold.ownerId()), Map.entry("fd00:9::5", hold.ownerId()));
        assertThat(ipam.asked.getFirst().getOwner().getNode()).isEqualTo("node-1");
        assertThat(ipam.asked.getFirst().getOwner().getPod().getName()).isEqualTo("web-0");
        assertThat(ipam.released).isEmpty();

        end(singles, C1);
        await().atMost(SOON).until(() -> ipam.owners.isEmpty());
        await().atMost(SOON).until(() -> journal.singles().isEmpty());
        assertThat(changes).as("the others were told").hasPositiveValue();
        end(singles, C1);
        assertThat(ipam.released).as("once is enough").hasSize(1);
    }

    @Test
    void aRefusalNamesTheHolderAndLeavesNothing() {
        SingleAddresses singles = started();
        ipam.owners.put("10.9.0.5", "vm-7");
        assertThat(ask(singles, C1, these(FIVE, SIX)))
                .isInstanceOfSatisfying(
                        SingleAnswer.NotNow.class, no -> assertThat(no.why()).contains("10.9.0.5 belongs to vm-7"));
        assertThat(ask(singles, C1, these(IpAddress.parse("192.0.2.1"))))
                .isInstanceOfSatisfying(
                        SingleAnswer.Never.class, no -> assertThat(no.why()).contains("is in no pool"));
        assertThat(journal.singles()).isEmpty();
        assertThat(book.lent()).isEmpty();
        assertThat(ipam.owners).containsOnlyKeys("10.9.0.5");
    }

    @Test
    void nothingIsAskedForByAStaleLifeAndNothingStaysWhileTheServiceIsAway() {
        SingleAddresses singles = started();
        fenced = true;
        assertThat(ask(singles, C1, these(FIVE))).isInstanceOf(SingleAnswer.NotNow.class);
        assertThat(ipam.asked).isEmpty();
        fenced = false;
        server.kill();
        assertThat(ask(singles, C1, these(FIVE))).isInstanceOf(SingleAnswer.NotNow.class);
        assertThat(book.lent()).isEmpty();
        assertThat(journal.singles())
                .as("nobody knows")
                .extracting(SingleHold::leaving)
                .containsExactly(true);
        server.revive();
        channel.resetConnectBackoff();
        await().atMost(SOON).until(() -> ipam.released.size() == 1);
    }

    @Test
    void whatALostAnswerMayStillGiveIsReleasedOnceMore() {
        SingleAddresses singles = started();
        ipam.loseAnswers.set(1);
        assertThat(ask(singles, C1, these(FIVE))).isInstanceOf(SingleAnswer.NotNow.class);
        await().atMost(SOON).until(() -> ipam.owners.isEmpty());
        String owner = ipam.released.getFirst();
        // As a call that was on its way all the while.
        ipam.owners.put("10.9.0.5", owner);
        assertThat(journal.singles()).extracting(SingleHold::ownerId).containsExactly(owner);
        time.advance(SingleAddresses.LATE);
        await().atMost(SOON).until(() -> ipam.owners.isEmpty());
        await().atMost(SOON).until(() -> journal.singles().isEmpty());
        assertThat(ask(singles, C1, these(FIVE))).isInstanceOf(SingleAnswer.Given.class);
        assertThat(ipam.owners.get("10.9.0.5")).as("of the next ADD alone").isNotEqualTo(owner);
    }

    @Test
    void aReleaseIsTriedUntilItIsDoneAndNotBeforeTheOthersAreTold() {
        SingleAddresses singles = started();
        assertThat(ask(singles, C1, these(FIVE))).isInstanceOf(SingleAnswer.Given.class);
        told = new CompletableFuture<>();
        ipam.refuseReleases.set(2);
        end(singles, C1);
        assertThat(loop.submit(() -> true).join()).isTrue();
        assertThat(ipam.refuseReleases)
                .as("the others may still route to this node")
                .hasValue(2);
        told.complete(null);
        await().atMost(SOON).until(() -> singles.problem().contains("the store is away"));
        await().atMost(SOON).until(() -> ipam.owners.isEmpty());
        await().atMost(SOON).until(() -> singles.problem().isEmpty());
    }

    @Test
    void aReplicaGetsWhatIsReservedForItAndIsReservedAtItsFirstAdd() {
        SingleAddresses singles = started();
        assertThat(ask(singles, C1, reserved())).isEqualTo(new SingleAnswer.Given(List.of(IpAddress.parse(RESERVED))));
        assertThat(ipam.reservations).hasValue(1);
        assertThat(ipam.asked.getLast().getWorkload().getName()).isEqualTo("web");
        end(singles, C1);
        EndpointKey next = new EndpointKey("c2", "eth0");
        assertThat(ask(singles, next, reserved()))
                .as("at once, after what goes back")
                .isEqualTo(new SingleAnswer.Given(List.of(IpAddress.parse(RESERVED))));
        assertThat(ipam.reservations).as("it was reserved").hasValue(1);
    }

    @Test
    void afterAKillEachIsOfAnAttachmentOrGoesBack() {
        Attachment attached = Attachments.of("c1", "10.9.0.5");
        SingleHold used = new SingleHold("used", C1, List.of(FIVE), false);
        List<SingleHold> others = List.of(
                new SingleHold("leaving", C1, List.of(FIVE), true),
                SingleHold.asked("asked", C1),
                new SingleHold("other", C1, List.of(IpAddress.parse("10.9.0.6")), false),
                new SingleHold("gone", new EndpointKey("c9", "eth0"), List.of(FIVE), false));
        journal.putSingle(used);
        others.forEach(journal::putSingle);
        book.lend(C1, List.of(FIVE));
        SingleAddresses singles = singles(attached);
        assertThat(changes).as("nobody can be told yet").hasValue(0);
        singles.start();
        await().atMost(SOON).until(() -> ipam.released.size() == others.size());
        assertThat(ipam.released).containsExactlyInAnyOrder("leaving", "asked", "other", "gone");
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(journal.singles())
                        .as("an answer may have been lost")
                        .extracting(SingleHold::ownerId)
                        .containsExactlyInAnyOrder("used", "asked"));
        end(singles, C1);
        await().atMost(SOON).until(() -> ipam.released.contains("used"));
    }

    @Test
    void anIdHasTheCharactersThatItMayHave() {
        NodeName node = new NodeName("node-1");
        assertThat(SingleMapping.ownerId(node, C1, "pod net", "1"))
                .isEqualTo(SingleMapping.ownerId(node, C1, "pod net", "1"))
                .isNotEqualTo(SingleMapping.ownerId(node, C1, "pod net", "2"))
                .matches("sha256:[0-9a-f]{64}");
        assertThat(SingleMapping.ownerId(node, new EndpointKey("c".repeat(255), "eth0"), "n", "1"))
                .startsWith("sha256:");
    }
}
