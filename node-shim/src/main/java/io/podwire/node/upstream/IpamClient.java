package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.Backoff;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.AddressBook;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.journal.Attachment;
import io.podwire.node.journal.Journal;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.ipam.v1.Block;
import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ClaimBlockRequest;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
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
    /** After these nobody knows whether a claim was granted: it is repeated with its id. */
    private static final Set<Status.Code> UNANSWERED =
            Set.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.CANCELLED, Status.Code.UNKNOWN);

    private final ManagedChannel channel;
    private final BlocksGrpc.BlocksBlockingStub blocks;
    private final EventLoop loop;
    private final TimeSource time;
    private final NodeIdentity self;
    private final Journal journal;
    private final AddressBook<EndpointKey> book;
    private final List<Supply> supplies;
    /** Claims for pods that name a pool, by pool and family, whose answer was lost. */
    private final Map<String, Supply> named = new HashMap<>();

    private final int lowWater;
    private final Runnable changed;
    private boolean reconciled;

    /** One family's blocks: the one may run out while the other does not. */
    private static final class Supply {
        private final IpFamily family;
        private final String pool;
        private final Backoff backoff =
                new Backoff(Duration.ofMillis(100), Duration.ofSeconds(5), ThreadLocalRandom.current());
        private boolean waiting;
        private String claim = UUID.randomUUID().toString();
        private volatile String problem = "ipam-service was not asked yet";

        Supply(IpFamily family, String pool) {
            this.family = family;
            this.pool = pool;
        }
    }

    /**
     * A client that has not called yet.
     *
     * @param pools families to claim blocks of, each with the pool to claim from; empty for any
     * @param lowWater claim a further block when fewer addresses of a family are free
     * @param changed called on the loop after the set of blocks changed
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
            Runnable changed) {
        this.channel = channel;
        this.blocks = BlocksGrpc.newBlockingStub(channel);
        this.loop = loop;
        this.time = time;
        this.self = self;
        this.journal = journal;
        this.book = book;
        this.supplies = pools.entrySet().stream()
                .map(entry -> new Supply(entry.getKey(), entry.getValue()))
                .toList();
        this.lowWater = lowWater;
        this.changed = changed;
    }

    /** Begins: compares the journal's blocks with the service's, then keeps the book above its low water. */
    public void start() {
        loop.execute(this::lookAll);
        loop.every(LOOK, this::lookAll);
    }

    /** Looks now: an ADD has taken addresses. */
    public void used() {
        if (supplies.stream().anyMatch(supply -> free(supply) < lowWater)) {
            loop.execute(this::lookAll);
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
            lookAll();
            supplied.complete(supplies.stream().allMatch(supply -> free(supply) > 0));
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
            Supply supply = named.computeIfAbsent(claim, _ -> new Supply(any.family, pool));
            boolean answered = true;
            try {
                if (!reconciled) {
                    reconcile();
                    reconciled = true;
                }
                claimOne(supply);
                return "";
            } catch (StatusRuntimeException e) {
                answered = !UNANSWERED.contains(e.getStatus().getCode());
                problem = GrpcErrors.fromGrpc("asking ipam-service for a block of pool " + pool, e)
                        .getMessage();
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
            return loop.submit(() -> OwnershipAudit.compare(book.blocks(), owned().keySet(), attachments))
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

    /** True when the last call to ipam-service for each family succeeded. */
    public boolean connected() {
        return problem().isEmpty();
    }

    /** What is wrong with the supply of addresses, one sentence for each family; empty when nothing is. */
    public String problem() {
        return supplies.stream()
                .map(supply -> supply.problem)
                .filter(problem -> !problem.isEmpty())
                .distinct()
                .collect(Collectors.joining("; "));
    }

    private int free(Supply supply) {
        return book.free(supply.family, time.monotonic());
    }

    private void lookAll() {
        supplies.forEach(this::look);
    }

    private void look(Supply supply) {
        if (supply.waiting || (reconciled && supply.problem.isEmpty() && free(supply) >= lowWater)) {
            return;
        }
        try {
            if (!reconciled) {
                reconcile();
                reconciled = true;
            }
            while (free(supply) < lowWater) {
                claimOne(supply);
            }
            supply.problem = "";
            supply.backoff.reset();
        } catch (StatusRuntimeException e) {
            failed(supply, GrpcErrors.fromGrpc("asking ipam-service for addresses", e));
        } catch (ServiceException e) {
            failed(supply, e);
        }
    }

    private void failed(Supply supply, ServiceException failure) {
        if (!failure.getMessage().equals(supply.problem)) {
            log.warn("{}; {} {} addresses are left", failure.getMessage(), free(supply), supply.family.label());
        }
        supply.problem = failure.getMessage();
        supply.waiting = true;
        loop.schedule(supply.backoff.next(), () -> {
            supply.waiting = false;
            // Its own pause between two tries grows to two minutes.
            channel.resetConnectBackoff();
            look(supply);
        });
    }

    /** What ipam-service says are this node's blocks. */
    private Map<IpPrefix, Block> owned() {
        Map<IpPrefix, Block> owned = new TreeMap<>();
        String token = "";
        do {
            ListBlocksResponse page = stub().listBlocks(ListBlocksRequest.newBuilder()
                    .setNode(self.name().value())
                    .setPageToken(token)
                    .build());
            for (Block block : page.getBlocksList()) {
                if (block.getOwner().getNodeUid().equals(self.uid())) {
                    owned.put(IpPrefix.parse(block.getCidr()), block);
                }
            }
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        return owned;
    }

    private void reconcile() {
        Map<IpPrefix, Block> owned = owned();
        for (IpPrefix known : journal.blocks().keySet()) {
            if (!owned.containsKey(known)) {
                log.error(
                        "block {} is in the journal, but ipam-service does not name this node as its owner: no"
                                + " address of it is given to a new pod; pods that have one keep it",
                        known);
                journal.removeBlock(known);
                book.removeBlock(known);
            }
        }
        owned.forEach(this::add);
        changed.run();
    }

    private void claimOne(Supply supply) {
        Block block = stub().claimBlock(ClaimBlockRequest.newBuilder()
                .setNode(self.toProto())
                .setPool(supply.pool)
                .setRequestId(supply.claim)
                .setFamily(StreamMapping.family(supply.family))
                .build());
        IpPrefix cidr = IpPrefix.parse(block.getCidr());
        add(cidr, block);
        changed.run();
        if (cidr.family() != supply.family) {
            // The same id again gives the same block again: no second one is lost to this claim.
            throw new ServiceException(
                    ErrorReason.FAILED_PRECONDITION,
                    "ipam-service gave block " + cidr + " of pool " + block.getPool() + " for a claim of "
                            + supply.family.label() + ": name a pool of that family by --pool, and upgrade an"
                            + " ipam-service that is older than this node");
        }
        // Only an answer ends a claim: until then each retry repeats its id and gets the same block.
        supply.claim = UUID.randomUUID().toString();
        log.info("claimed block {} of pool {}", block.getCidr(), block.getPool());
    }

    private void add(IpPrefix cidr, Block block) {
        journal.putBlock(cidr, block.getPool());
        if (block.hasCoolDown()) {
            book.addBlock(
                    cidr,
                    block.getPool(),
                    Duration.ofSeconds(
                            block.getCoolDown().getSeconds(),
                            block.getCoolDown().getNanos()));
        } else {
            book.addBlock(cidr, block.getPool());
        }
    }

    private BlocksGrpc.BlocksBlockingStub stub() {
        return blocks.withDeadlineAfter(CALL.toMillis(), TimeUnit.MILLISECONDS);
    }
}
