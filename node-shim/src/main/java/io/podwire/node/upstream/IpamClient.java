package io.podwire.node.upstream;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.LifoThreads;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.AddressBook;
import io.podwire.node.address.NamespacePools;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Journal;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import io.podwire.proto.ipam.v1.ReleaseBlockRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the node's address book supplied with blocks of each family from ipam-service. ADD takes addresses from the
 * book alone, so it goes on while ipam-service is away. The loop given to the constructor owns all
 * state; its calls block it, and nobody else uses it.
 */
public final class IpamClient {
    private static final Logger log = LoggerFactory.getLogger(IpamClient.class);
    private static final Duration CALL = Duration.ofSeconds(5);
    private static final Duration LOOK = Duration.ofSeconds(1);
    /** Between two readings of the node's blocks, at most; a part of it is left to chance. */
    static final Duration READ = Duration.ofSeconds(30);

    private static final Duration READ_SPREAD = Duration.ofSeconds(6);
    /** An ADD waits no longer for what a namespace is to pools. */
    private static final Duration MEETING = Duration.ofSeconds(2);

    private static final String NOT_ASKED = "ipam-service was not asked yet";
    /** After these nobody knows whether a claim was granted: it is repeated with its id. */
    private static final Set<Status.Code> UNANSWERED =
            Set.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.CANCELLED, Status.Code.UNKNOWN);

    private final ManagedChannel channel;
    private final BlocksGrpc.BlocksBlockingStub blocks;
    private final EventLoop loop;
    private final TimeSource time;
    private final NodeIdentity self;
    private final AddressBook<EndpointKey> book;
    private final OwnBlocks own;
    private final List<Supply> supplies;
    /** What the release of a block names: the id of the claim that took it. */
    private final Map<IpPrefix, String> claims = new HashMap<>();
    /** Claims for pods that name a pool, by pool and family, whose answer was lost. */
    private final Map<String, Supply> named = new HashMap<>();

    /** Namespaces that were asked for, as no pool selected them when their first pod came. */
    private final Set<String> met = ConcurrentHashMap.newKeySet();

    /** True from an ADD that took one of the last addresses to the look that is to come for it; any thread. */
    private final AtomicBoolean asked = new AtomicBoolean();

    private final Supplier<CompletableFuture<Void>> changed;
    private final Retrying reading;
    private final Retrying returns;
    private Optional<Duration> readAgain = Optional.empty();
    private boolean away;
    /** Done when the others know which blocks are this node's. */
    private CompletableFuture<Void> told = CompletableFuture.completedFuture(null);

    /** One family's blocks: the one may run out while the other does not. */
    private static final class Supply {
        private final IpFamily family;
        private final String pool;
        private final Retrying retrying;
        private String claim = UUID.randomUUID().toString();

        Supply(EventLoop loop, IpFamily family, String pool) {
            this.family = family;
            this.pool = pool;
            this.retrying = new Retrying(loop, NOT_ASKED);
        }
    }

    /**
     * A client that has not called yet.
     *
     * @param pools families to claim blocks of, each with the pool to claim from; empty for any
     * @param lowWater claim a further block when fewer addresses of a family are free
     * @param changed called on the loop after the set of blocks changed, or which of them give addresses, or this life
     *     is served no more; its result is done once nobody takes other blocks for this node's
     */
    public IpamClient(
            ManagedChannel channel,
            EventLoop loop,
            TimeSource time,
            NodeIdentity self,
            Journal journal,
            AddressBook<EndpointKey> book,
            Map<IpFamily, String> pools,
            int lowWater,
            Supplier<CompletableFuture<Void>> changed) {
        this.channel = channel;
        this.blocks = BlocksGrpc.newBlockingStub(channel);
        this.loop = loop;
        this.time = time;
        this.self = self;
        this.book = book;
        this.own = new OwnBlocks(self, journal, book, Set.copyOf(pools.values()), lowWater);
        this.supplies = pools.entrySet().stream()
                .map(entry -> new Supply(loop, entry.getKey(), entry.getValue()))
                .toList();
        this.changed = changed;
        this.reading = new Retrying(loop, NOT_ASKED);
        this.returns = new Retrying(loop, "");
    }

    /**
     * Begins: compares the journal's blocks with the service's, which has to confirm them, then keeps the book above its low
     * water. Until the service answers, the journal's blocks give addresses.
     */
    public void start() {
        loop.execute(this::look);
        loop.every(LOOK, this::look);
    }

    /** Looks now whether more are needed: an ADD has taken addresses. One look is for all of a burst. */
    public void used() {
        if (supplies.stream().anyMatch(this::low) && asked.compareAndSet(false, true)) {
            loop.execute(() -> {
                asked.set(false);
                var _ = keepSupplied();
            });
        }
    }

    /**
     * Asks for addresses now and waits for the answer.
     *
     * @param longest how long to wait
     * @return true when there may be addresses of each family now, false when ipam-service gave none
     */
    public boolean supply(Duration longest) {
        CompletableFuture<Boolean> supplied = new CompletableFuture<>();
        loop.execute(() -> {
            var _ = keepSupplied();
            boolean heard = own.fence().isEmpty() && reading.problem().isEmpty();
            // Others may have taken already what was claimed: whoever asked without a refusal asks again.
            supplied.complete(supplies.stream()
                    .allMatch(supply -> free(supply) > 0
                            || (heard && supply.retrying.problem().isEmpty())));
        });
        try {
            return supplied.get(Math.max(0, longest.toNanos()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            log.debug("no answer on the supply of addresses", e);
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /**
     * Asks for a block of a pool now and waits for the answer; none is claimed while an address of it is free.
     *
     * @param longest how long to wait
     * @return why there is none, one sentence; empty when there may be addresses of the pool now
     */
    public String supplyOf(String pool, Duration longest) {
        CompletableFuture<String> supplied = new CompletableFuture<>();
        loop.execute(() -> supplied.complete(claimOf(pool)));
        try {
            return supplied.get(Math.max(0, longest.toNanos()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            log.debug("no answer on the supply of addresses of pool {}", pool, e);
            return "ipam-service has not answered in time";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "node-shim is stopping";
        }
    }

    /**
     * Asks which pools select a namespace, where pools have selectors and neither they nor this life of node-shim know
     * the namespace: it may be newer than the last reading. Else does nothing; without an answer in 2 s what is known
     * holds.
     */
    public void meet(String namespace) {
        NamespacePools known = own.namespaces();
        if (known.isNone() || known.selects(namespace) || !met.add(namespace)) {
            return;
        }
        try (var _ = LifoThreads.stepAside()) {
            loop.submit(() -> {
                        read();
                        return true;
                    })
                    .get(MEETING.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            met.remove(namespace);
            log.debug("no answer on namespace {}", namespace, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A pool is of one family, and only ipam-service knows of which: the first that it gives a block of. */
    private String claimOf(String pool) {
        String problem = "";
        for (Supply any : supplies) {
            if (book.free(any.family, pool, time.monotonic()) > 0) {
                return "";
            }
        }
        for (Supply any : supplies) {
            String claim = pool + " " + any.family;
            Supply supply = named.computeIfAbsent(claim, _ -> new Supply(loop, any.family, pool));
            boolean answered = true;
            try {
                if (readAgain.isEmpty()) {
                    read();
                }
                if (own.fence().isPresent()) {
                    return own.fence().get();
                }
                claimOne(supply);
                return "";
            } catch (StatusRuntimeException e) {
                answered = !UNANSWERED.contains(e.getStatus().getCode());
                ServiceException failure = understood("asking ipam-service for a block of pool " + pool, e);
                // That the pool is of the other family says nothing of why it gives none.
                if (problem.isEmpty() || failure.reason() != ErrorReason.INVALID_ARGUMENT) {
                    problem = failure.getMessage();
                }
            } catch (ServiceException e) {
                problem = e.getMessage();
            } finally {
                if (answered) {
                    named.remove(claim);
                }
            }
        }
        return problem;
    }

    /**
     * Compares what this node gives addresses of with what ipam-service says is its own, and attachments with both.
     * Changes nothing.
     *
     * @param longest how long to wait for ipam-service
     */
    public List<Finding> audit(List<Attachment> attachments, Duration longest) {
        try {
            return loop.submit(() -> OwnershipAudit.compare(book.blocks(), ownCidrs(), book.lent(), attachments))
                    .get(longest.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            String why = e.getCause() instanceof StatusRuntimeException status
                    ? GrpcErrors.fromGrpc("asking it", status).getMessage()
                    : String.valueOf(e.getCause());
            return List.of(unasked(why));
        } catch (TimeoutException e) {
            log.debug("no answer on the blocks of this node", e);
            return List.of(unasked("it has not answered within " + longest.toSeconds() + " s"));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of(unasked("node-shim is stopping"));
        }
    }

    private static Finding unasked(String why) {
        return new Finding("service", "ipam-service", "cannot be compared with: " + why);
    }

    /** True when the last call to ipam-service for each purpose succeeded. */
    public boolean connected() {
        return problem().isEmpty();
    }

    /** What is wrong with the supply of addresses, one sentence for each cause; empty when nothing is. */
    public String problem() {
        if (own.fence().isPresent()) {
            return own.fence().get();
        }
        return Stream.concat(supplies.stream().map(supply -> supply.retrying), Stream.of(reading, returns))
                .map(Retrying::problem)
                .filter(problem -> !problem.isEmpty())
                .distinct()
                .collect(Collectors.joining("; "));
    }

    /** Blocks of pools that drain: they give no address to a new pod, and go back when they are empty. */
    public Set<IpPrefix> draining() {
        return own.draining();
    }

    /** Blocks on their way back to ipam-service. */
    public Set<IpPrefix> returning() {
        return own.returning();
    }

    /** How many blocks this life of node-shim gave back. */
    public long returned() {
        return own.returned();
    }

    /** True when ipam-service serves this life of the node no more: no address is given. */
    public boolean fenced() {
        return own.fence().isPresent();
    }

    /**
     * ipam-service serves this life of the node no more: no address is given from here on. What it does not list as this
     * node's is given up; it is asked at once.
     *
     * @param why what it said
     */
    public void over(String why) {
        loop.execute(() -> {
            fence(why);
            look();
        });
    }

    private void fence(String why) {
        if (own.fence().isEmpty()) {
            own.fence(why);
            readAgain = Optional.empty();
            // At once: what the others may no more take for this node's does not wait for a list of blocks.
            told = changed.get();
        }
    }

    private int free(Supply supply) {
        return own.free(supply.family, supply.pool, time.monotonic());
    }

    private boolean low(Supply supply) {
        return own.low(supply.family, supply.pool, time.monotonic());
    }

    /** What is true now decides: whether the blocks are to be read, more to be claimed, others to be given back. */
    private void look() {
        if (keepSupplied()) {
            tried(returns, "giving blocks back to ipam-service", this::giveBack);
        }
    }

    /**
     * The part that pods may wait for.
     *
     * @return false when nothing more is to be done now
     */
    private boolean keepSupplied() {
        boolean awayBefore = away;
        away = channel.getState(true) != ConnectivityState.READY;
        if (awayBefore && !away) {
            reading.now();
        }
        boolean due = away
                || !reading.problem().isEmpty()
                || readAgain.filter(at -> at.compareTo(time.monotonic()) > 0).isEmpty();
        if (due && !tried(reading, "reading this node's blocks from ipam-service", this::read)) {
            return false;
        }
        if (own.fence().isPresent()) {
            reading.succeeded();
            return false;
        }
        if (due && !reading.problem().isEmpty()) {
            supplies.forEach(supply -> supply.retrying.now());
            returns.now();
        }
        for (Supply supply : supplies) {
            if (low(supply) || !supply.retrying.problem().isEmpty()) {
                tried(supply.retrying, "asking ipam-service for addresses", () -> claim(supply));
            }
        }
        if (due) {
            reading.succeeded();
        }
        return true;
    }

    /**
     * Tries now, unless it waits for its next try.
     *
     * @return true when it succeeded
     */
    private boolean tried(Retrying what, String attempted, Runnable action) {
        if (what.waiting()) {
            return false;
        }
        try {
            action.run();
            if (!what.equals(reading)) {
                what.succeeded();
            }
            return true;
        } catch (StatusRuntimeException e) {
            failed(what, understood(attempted, e));
        } catch (ServiceException e) {
            failed(what, e);
        }
        return false;
    }

    private void failed(Retrying what, ServiceException failure) {
        boolean news = what.failed(failure.getMessage(), () -> {
            // Its own pause between two tries grows to two minutes.
            channel.resetConnectBackoff();
            look();
        });
        if (news) {
            log.warn(
                    "{}; {} addresses are left",
                    failure.getMessage(),
                    supplies.stream()
                            .map(supply -> free(supply) + " " + supply.family.label())
                            .collect(Collectors.joining(" and ")));
        }
    }

    /** A failed call; one that says that this life is over ends the giving of addresses. */
    private ServiceException understood(String attempted, StatusRuntimeException e) {
        ServiceException failure = GrpcErrors.fromGrpc(attempted, e);
        if (failure.reason() == ErrorReason.STALE_EPOCH) {
            fence(failure.getMessage());
        }
        return failure;
    }

    private void read() {
        boolean first = readAgain.isEmpty();
        Listing listing = first && own.fence().isEmpty() ? confirmed(list()) : list();
        // Before the blocks: one of such a pool is for nobody else from the start.
        own.namespaces(listing.namespaces());
        boolean served = own.fence().isEmpty();
        boolean others = own.listed(listing.blocks(), time.monotonic());
        if (others || first || served != own.fence().isEmpty()) {
            told = changed.get();
        }
        readAgain = Optional.of(time.monotonic()
                .plus(READ)
                .minusNanos(ThreadLocalRandom.current().nextLong(READ_SPREAD.toNanos())));
    }

    private void claim(Supply supply) {
        while (low(supply)) {
            claimOne(supply);
        }
    }

    private void giveBack() {
        if (told.isCompletedExceptionally()) {
            told = changed.get();
        }
        if (!told.isDone()) {
            return;
        }
        if (own.beginReturns(time.monotonic())) {
            told = changed.get();
        }
        if (told.isDone() && !told.isCompletedExceptionally()) {
            own.finishReturns(time.monotonic(), this::release);
        }
    }

    private void release(IpPrefix block) {
        try {
            var _ = stub().releaseBlock(ReleaseBlockRequest.newBuilder()
                    .setNode(self.toProto())
                    .setCidr(block.toString())
                    .setRequestId(claims.getOrDefault(block, ""))
                    .build());
            claims.remove(block);
        } catch (StatusRuntimeException e) {
            ServiceException failure = understood("giving block " + block + " back to ipam-service", e);
            if (failure.reason() != ErrorReason.OWNED_BY_OTHER) {
                throw failure;
            }
            log.warn("{}: it is not this node's to give back", failure.getMessage());
        }
    }

    /**
     * What ipam-service says.
     *
     * @param blocks of this node's name
     * @param namespaces pools with a namespace selector
     */
    private record Listing(List<ListedBlock> blocks, NamespacePools namespaces) {}

    private Listing list() {
        List<ListedBlock> all = new ArrayList<>();
        NamespacePools namespaces = own.namespaces();
        String token = "";
        do {
            ListBlocksResponse page = stub().listBlocks(ListBlocksRequest.newBuilder()
                    .setNode(self.name().value())
                    .setPageToken(token)
                    .setNamespacesVersion(own.namespaces().version())
                    .build());
            if (token.isEmpty()) {
                namespaces = StreamMapping.namespaces(page, namespaces);
            }
            page.getBlocksList().forEach(block -> all.add(StreamMapping.block(block)));
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        all.forEach(this::remember);
        return new Listing(all, namespaces);
    }

    /**
     * What ipam-service says once it has heard of this life. A list says what was so when it was read: where the node was
     * taken for gone, its blocks may be taken back right after it, and until the next list it would give addresses of them.
     * The claim of a listed block, repeated, is a write that a reclaim cannot meet: what is listed after it stays
     * this node's. Without a listed block there is nothing to lose.
     */
    private Listing confirmed(Listing listing) {
        Optional<ListedBlock> any = listing.blocks().stream()
                .filter(block -> block.owner().uid().equals(self.uid()))
                // A service that does not tell the claim cannot be asked.
                .filter(block -> !block.claim().isEmpty() && !own.withheld(block.cidr(), time.monotonic()))
                .findFirst();
        if (any.isEmpty()) {
            return listing;
        }
        // Another block, or a refusal: it was taken back meanwhile. The list, this one or the next try's, knows.
        var _ = stub().claimBlock(claim(
                any.get().pool(), any.get().claim(), any.get().cidr().family()));
        return list();
    }

    private ClaimBlockRequest claim(String pool, String id, IpFamily family) {
        return ClaimBlockRequest.newBuilder()
                .setNode(self.toProto())
                .setPool(pool)
                .setRequestId(id)
                .setFamily(StreamMapping.family(family))
                .build();
    }

    /** What is on its way back goes back under the claim that was known when that was decided. */
    private void remember(ListedBlock block) {
        if (!claims.containsKey(block.cidr()) || !own.withheld(block.cidr(), time.monotonic())) {
            claims.put(block.cidr(), block.claim());
        }
    }

    /** Those of this installation that are not on their way back. */
    private Set<IpPrefix> ownCidrs() {
        return list().blocks().stream()
                .filter(block -> block.owner().uid().equals(self.uid()))
                .map(ListedBlock::cidr)
                .filter(block -> !own.withheld(block, time.monotonic()))
                .collect(Collectors.toSet());
    }

    private void claimOne(Supply supply) {
        Block message = stub().claimBlock(claim(supply.pool, supply.claim, supply.family));
        ListedBlock block = StreamMapping.block(message);
        remember(block);
        if (message.getNamespaceSelected() != own.namespaces().restricts(block.pool())) {
            // The selector is newer than the last reading: nobody gets an address of the block before the next.
            read();
        }
        if (own.claimed(block, time.monotonic())) {
            told = changed.get();
        }
        IpPrefix cidr = block.cidr();
        if (cidr.family() != supply.family) {
            // The same id again gives the same block again: no second one is lost to this claim.
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "ipam-service gave block " + cidr + " of pool " + block.pool() + " for a claim of "
                            + supply.family.label() + ": name a pool of that family by --pool, and upgrade an"
                            + " ipam-service that is older than this node");
        }
        // Only an answer ends a claim: until then each retry repeats its id and gets the same block.
        supply.claim = UUID.randomUUID().toString();
        log.info("claimed block {} of pool {}", cidr, block.pool());
    }

    private BlocksGrpc.BlocksBlockingStub stub() {
        return blocks.withDeadlineAfter(CALL.toMillis(), TimeUnit.MILLISECONDS);
    }
}
