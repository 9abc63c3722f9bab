package io.podwire.node.upstream;

import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.node.address.AddressBook;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Journal;
import io.podwire.node.journal.SingleHold;
import io.podwire.node.plan.EndpointKey;
import io.podwire.node.plan.SingleAnswer;
import io.podwire.node.plan.SingleWish;
import io.podwire.node.plan.SingleWish.What;
import io.podwire.proto.ipam.v1.AddressesGrpc;
import io.podwire.proto.ipam.v1.ReleaseAddressesRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Addresses that pods of this node have of ipam-service's own blocks. An ADD asks for them on its own thread; what is on its
 * way back is the loop's, which tries until ipam-service has taken it.
 *
 * <p>Before anything is asked for, the journal knows under which owner's id: whatever is killed, each id is either of an
 * attachment or on its way back. An id is of one ADD alone, so that a release that comes late takes nothing from the next
 * ADD of the same container. Where the answer to an ADD was lost, what it asked for may still be given after its release:
 * that is repeated once that cannot be any more.
 *
 * <p>An address goes back so: no pod has it, the others are told that it is not this node's, ipam-service takes it, the
 * journal forgets it.
 */
public final class SingleAddresses {
    private static final Logger log = LoggerFactory.getLogger(SingleAddresses.class);
    private static final Duration CALL = Duration.ofSeconds(5);
    private static final Duration LOOK = Duration.ofSeconds(1);
    /** An ADD waits so long for what goes back just now: it may be what the pod wants, as after the restart of its sandbox. */
    private static final Duration GOING = Duration.ofSeconds(1);
    /** How long after an ADD whose answer was lost ipam-service may still be at it, at most. */
    static final Duration LATE = OwnBlocks.WITHHELD_FOR;

    /** After these nobody knows whether addresses were given. */
    private static final Set<Status.Code> UNANSWERED = Set.of(
            Status.Code.UNAVAILABLE,
            Status.Code.DEADLINE_EXCEEDED,
            Status.Code.CANCELLED,
            Status.Code.UNKNOWN,
            Status.Code.INTERNAL);

    private final AddressesGrpc.AddressesBlockingStub addresses;
    private final EventLoop loop;
    private final TimeSource time;
    private final NodeIdentity self;
    private final Journal journal;
    private final AddressBook<EndpointKey> book;
    private final BooleanSupplier fenced;
    private final Supplier<CompletableFuture<Void>> changed;
    private final Retrying releasing;

    /** By attachment, whose lock its callers hold. */
    private final Map<EndpointKey, SingleHold> held = new ConcurrentHashMap<>();
    /** By owner's id. The loop's. */
    private final Map<String, Going> going = new LinkedHashMap<>();
    /** The loop's. */
    private boolean lookComes;

    /** For those that wait: what ipam-service has not taken yet, by owner's id. */
    private final Map<String, CompletableFuture<Void>> untaken = new ConcurrentHashMap<>();

    /** What goes back before {@link #start}; null from then on. */
    private List<Runnable> early = new ArrayList<>();

    /** What is on its way back. */
    private static final class Going {
        private final SingleHold hold;
        private final Duration lateUntil;
        private final CompletableFuture<Void> taken;
        private CompletableFuture<Void> told;

        Going(SingleHold hold, Duration lateUntil, CompletableFuture<Void> taken, CompletableFuture<Void> told) {
            this.hold = hold;
            this.lateUntil = lateUntil;
            this.taken = taken;
            this.told = told;
        }
    }

    /**
     * One that has not called yet.
     *
     * @param book that has what the journal knows
     * @param attachments of the journal
     * @param fenced true when ipam-service serves this life of the node no more
     * @param changed tells the others which addresses are this node's; its result is done once they are told
     */
    public SingleAddresses(
            ManagedChannel channel,
            EventLoop loop,
            TimeSource time,
            NodeIdentity self,
            Journal journal,
            AddressBook<EndpointKey> book,
            Collection<Attachment> attachments,
            BooleanSupplier fenced,
            Supplier<CompletableFuture<Void>> changed) {
        this.addresses = AddressesGrpc.newBlockingStub(channel);
        this.loop = loop;
        this.time = time;
        this.self = self;
        this.journal = journal;
        this.book = book;
        this.fenced = fenced;
        this.changed = changed;
        this.releasing = new Retrying(loop, "");
        List<SingleHold> noted = journal.singles();
        held.putAll(SingleHold.used(noted, attachments));
        noted.stream()
                .filter(hold -> !hold.equals(held.get(hold.key())))
                .forEach(hold -> sendBack(hold, hold.addresses().isEmpty()));
    }

    /** Begins to give back what is to go. Call once the others can be told. */
    public void start() {
        List<Runnable> waiting;
        synchronized (this) {
            waiting = early;
            early = null;
        }
        waiting.forEach(Runnable::run);
    }

    /**
     * Asks for single addresses and waits for the answer. Given, they are in the book and in the journal.
     *
     * @param longest how long to wait
     */
    public SingleAnswer allocate(SingleWish wish, Duration longest) {
        if (fenced.getAsBoolean()) {
            return new SingleAnswer.NotNow("ipam-service serves this life of the node no more: see STATUS");
        }
        Duration most = longest.compareTo(CALL) < 0 ? longest : CALL;
        Deadline deadline = Deadline.after(most.toNanos(), TimeUnit.NANOSECONDS);
        awaitTaken(most.compareTo(GOING) < 0 ? most : GOING);
        String add = UUID.randomUUID().toString().substring(0, 8);
        SingleHold asked =
                SingleHold.asked(SingleMapping.ownerId(self.name(), wish.key(), wish.network(), add), wish.key());
        if (!journal.beginSingle(asked)) {
            return new SingleAnswer.NotNow(
                    journal.problem().orElse("the journal cannot be forced to the disk, see node-shim's log"));
        }
        try {
            List<IpAddress> given = ask(wish, asked.ownerId(), deadline);
            SingleHold hold = asked.given(given);
            journal.putSingle(hold);
            book.lend(wish.key(), given);
            held.put(wish.key(), hold);
            log.info("{} of {} has {} of ipam-service's own blocks", wish.key(), wish.pod(), given);
            return new SingleAnswer.Given(given);
        } catch (StatusRuntimeException e) {
            ServiceException failure = GrpcErrors.fromGrpc("asking ipam-service for " + wish.what(), e);
            if (UNANSWERED.contains(e.getStatus().getCode())) {
                sendBack(asked, true);
            } else {
                journal.endSingle(asked);
            }
            return failure.reason() == ErrorReason.INVALID_ARGUMENT
                    ? new SingleAnswer.Never(failure.getMessage())
                    : new SingleAnswer.NotNow(failure.getMessage());
        } catch (IllegalArgumentException | IllegalStateException e) {
            log.error("what ipam-service gave for {} cannot be used, it goes back", wish.what(), e);
            sendBack(asked, false);
            return new SingleAnswer.NotNow("what ipam-service gave cannot be used: " + e.getMessage());
        }
    }

    private List<IpAddress> ask(SingleWish wish, String ownerId, Deadline deadline) {
        AddressesGrpc.AddressesBlockingStub stub = addresses.withDeadline(deadline);
        var request = SingleMapping.allocate(ownerId, self.name(), wish);
        try {
            return SingleMapping.given(wish, stub.allocateAddresses(request).getAddressesList());
        } catch (StatusRuntimeException e) {
            if (e.getStatus().getCode() != Status.Code.NOT_FOUND
                    || !(wish.what() instanceof What.ReservedFor reserved)) {
                throw e;
            }
            log.info("nothing is reserved for {} yet: reserving it", reserved.replica());
            var _ = stub.reserveAddresses(SingleMapping.reserve(wish, reserved));
            return SingleMapping.given(wish, stub.allocateAddresses(request).getAddressesList());
        }
    }

    private void awaitTaken(Duration longest) {
        CompletableFuture<?>[] now = untaken.values().toArray(CompletableFuture[]::new);
        if (now.length == 0) {
            return;
        }
        try {
            CompletableFuture.allOf(now).get(Math.max(0, longest.toNanos()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            log.debug("asking for addresses while others are on their way back still", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * An attachment is gone, and the book has no address of it any more: what it had goes back. Without such an address
     * nothing is done.
     */
    public void release(EndpointKey key) {
        SingleHold hold = held.remove(key);
        if (hold != null) {
            sendBack(hold, false);
        }
    }

    /** So many owners' addresses are on their way back, and why none went; empty when all is well. For any thread. */
    public String problem() {
        String why = releasing.problem();
        int waiting = untaken.size();
        return why.isEmpty() || waiting == 0
                ? ""
                : "single addresses of " + waiting + " pods that are gone are not released yet: " + why;
    }

    /**
     * Sends addresses back.
     *
     * @param unanswered they may be given still
     */
    private void sendBack(SingleHold hold, boolean unanswered) {
        SingleHold leaving = hold.going();
        journal.putSingle(leaving);
        Duration lateUntil = unanswered ? time.monotonic().plus(LATE) : time.monotonic();
        CompletableFuture<Void> taken = new CompletableFuture<>();
        untaken.put(leaving.ownerId(), taken);
        Runnable send = () -> {
            CompletableFuture<Void> told = changed.get();
            loop.execute(() -> {
                going.put(leaving.ownerId(), new Going(leaving, lateUntil, taken, told));
                var _ = told.whenComplete((_, _) -> loop.execute(this::look));
            });
        };
        synchronized (this) {
            if (early != null) {
                early.add(send);
                return;
            }
        }
        send.run();
    }

    /** Again in a while as long as anything is on its way: a node without such has no thread for it. */
    private void look() {
        sendOn();
        if (!going.isEmpty() && !lookComes) {
            lookComes = true;
            loop.schedule(LOOK, () -> {
                lookComes = false;
                look();
            });
        }
    }

    private void sendOn() {
        for (Going one : List.copyOf(going.values())) {
            if (releasing.waiting() || fenced.getAsBoolean()) {
                return;
            }
            if (one.told.isCompletedExceptionally()) {
                one.told = changed.get();
            }
            boolean late = one.lateUntil.compareTo(time.monotonic()) > 0;
            boolean due = one.told.isDone() && !one.told.isCompletedExceptionally();
            if (due && !(late && one.taken.isDone()) && released(one.hold)) {
                one.taken.complete(null);
                untaken.remove(one.hold.ownerId());
                if (!late) {
                    journal.endSingle(one.hold);
                    going.remove(one.hold.ownerId());
                }
            }
        }
    }

    private boolean released(SingleHold hold) {
        try {
            var _ = addresses
                    .withDeadlineAfter(CALL.toMillis(), TimeUnit.MILLISECONDS)
                    .releaseAddresses(ReleaseAddressesRequest.newBuilder()
                            .setOwnerId(hold.ownerId())
                            .build());
            releasing.succeeded();
            log.info("{} is ipam-service's again, {} is gone", hold.addresses(), hold.key());
            return true;
        } catch (StatusRuntimeException e) {
            ServiceException failure = GrpcErrors.fromGrpc("releasing addresses of " + hold.key(), e);
            if (releasing.failed(failure.getMessage(), this::look)) {
                log.warn("{}; trying again until it is done", failure.getMessage());
            }
            return false;
        }
    }
}
