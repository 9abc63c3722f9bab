package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.TimeSource;
import io.podwire.common.net.IpAddress;
import io.podwire.ipam.binding.BindingTable;
import io.podwire.ipam.core.AddressDecision;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressRules.Forgotten;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NamespaceQuotas;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives single addresses to owners and workloads, and takes them back. Stateless, for any number of threads. */
public final class AddressFlow {
    private static final Logger log = LoggerFactory.getLogger(AddressFlow.class);

    private final CasFlow flow;
    private final TimeSource time;
    private final NamespaceUse namespaces;

    /** A flow of single addresses without quotas. */
    public AddressFlow(CasFlow flow, TimeSource time) {
        this(flow, time, new NamespaceUse(flow, new BindingTable(), NamespaceQuotas.NONE));
    }

    /**
     * A flow of single addresses.
     *
     * @param time tells since when an address is what it is; nothing is decided by it
     * @param namespaces what the owners' namespaces have and may have
     */
    public AddressFlow(CasFlow flow, TimeSource time, NamespaceUse namespaces) {
        this.flow = flow;
        this.time = time;
        this.namespaces = namespaces;
    }

    /**
     * Gives an owner all addresses that it wishes for, or none; the same owner asking again gets the same.
     *
     * @param wishes 1 to 16
     * @param workload with it, only what is reserved for it is given
     * @return in the order of the wishes
     * @throws ServiceException OWNED_BY_OTHER (naming who has it), FAILED_PRECONDITION (it cools down, is reserved or a
     *     node's, or the owner has others), INVALID_ARGUMENT (it is in no pool), NOT_FOUND (pool or reservation), EXHAUSTED
     *     (no address is free, or the namespace is at its quota), CONTENTION, UNAVAILABLE
     */
    public List<SingleAddress> allocate(AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload) {
        String attempted = allocation(owner, workload);
        return flow.run(attempted, snapshot -> allocateStep(attempted, snapshot, owner, wishes, workload));
    }

    /** As {@link #allocate}, without waiting: see {@link CasFlow#begin}. */
    CompletableFuture<List<SingleAddress>> beginAllocate(
            AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload) {
        String attempted = allocation(owner, workload);
        return flow.begin(attempted, snapshot -> allocateStep(attempted, snapshot, owner, wishes, workload));
    }

    private static String allocation(AddressOwner owner, Optional<Workload> workload) {
        return "allocation for " + owner + workload.map(w -> " as " + w).orElse("");
    }

    private Step<List<SingleAddress>> allocateStep(
            String attempted,
            LedgerSnapshot snapshot,
            AddressOwner owner,
            List<AddressWish> wishes,
            Optional<Workload> workload) {
        AddressDecision decision = AddressRules.allocate(snapshot.ledger(), owner, wishes, workload, now());
        return switch (decision) {
            case AddressDecision.Assign(List<SingleAddress> addresses, List<Block> blocks) -> {
                namespaces.check(attempted, snapshot.ledger(), addresses);
                yield new Step.Write<>(
                        snapshot.allocate(owner.id(), addresses, blocks),
                        addresses,
                        atDebug(() -> log.debug("{} now has {}", owner, text(addresses))));
            }
            case AddressDecision.AlreadyHeld(List<SingleAddress> addresses) -> new Step.Done<>(addresses);
            default -> throw refused(attempted, decision);
        };
    }

    private static Runnable atDebug(Runnable line) {
        return log.isDebugEnabled() ? line : Step.NOTHING;
    }

    /**
     * Takes an owner's addresses back; what it does not have is left as it is, which is success.
     *
     * @param addresses which; none: all
     * @throws ServiceException CONTENTION, UNAVAILABLE
     */
    public void release(String ownerId, Collection<IpAddress> addresses) {
        var _ = flow.run(releaseBy(ownerId), snapshot -> releaseStep(snapshot, ownerId, addresses));
    }

    /** As {@link #release}, without waiting: see {@link CasFlow#begin}. */
    CompletableFuture<Boolean> beginRelease(String ownerId, Collection<IpAddress> addresses) {
        return flow.begin(releaseBy(ownerId), snapshot -> releaseStep(snapshot, ownerId, addresses));
    }

    private static String releaseBy(String ownerId) {
        return "release by " + ownerId;
    }

    private Step<Boolean> releaseStep(LedgerSnapshot snapshot, String ownerId, Collection<IpAddress> addresses) {
        List<SingleAddress> released = AddressRules.release(snapshot.ledger(), ownerId, addresses, now());
        return turned(snapshot, released, atDebug(() -> log.debug("{} released {}", ownerId, text(released))));
    }

    /**
     * Reserves an address of each wish for each of these workloads, all or none; what is reserved already stays.
     *
     * @param workloads 1 to 32
     * @param wishes 1 or 2
     * @throws ServiceException as {@link #allocate}
     */
    public void reserve(List<Workload> workloads, List<AddressWish.Any> wishes) {
        String attempted = "reservation for " + workloads.getFirst() + " to " + workloads.getLast();
        var _ = flow.run(attempted, snapshot -> {
            AddressDecision decision = AddressRules.reserve(snapshot.ledger(), workloads, wishes, now());
            return switch (decision) {
                case AddressDecision.Assign(List<SingleAddress> addresses, List<Block> blocks) ->
                    new Step.Write<>(
                            snapshot.reserve(addresses, blocks),
                            true,
                            () -> log.info("{}: {}", attempted, text(addresses)));
                case AddressDecision.AlreadyHeld _ -> new Step.Done<>(false);
                default -> throw refused(attempted, decision);
            };
        });
    }

    /**
     * Ends the reservations of these workloads; an address in use stays its owner's.
     *
     * @throws ServiceException CONTENTION, UNAVAILABLE
     */
    public void unreserve(List<Workload> workloads) {
        String attempted = "end of reservation for " + workloads.getFirst() + " to " + workloads.getLast();
        var _ = flow.run(attempted, snapshot -> {
            List<SingleAddress> ended = AddressRules.unreserve(snapshot.ledger(), workloads, now());
            return turned(snapshot, ended, () -> log.info("{}: {}", attempted, text(ended)));
        });
    }

    /**
     * Makes addresses free that have cooled down.
     *
     * @param cooled with the version that each had all the while; one that has another now is left alone
     * @return false when all have
     */
    boolean forget(Map<SingleAddress, Long> cooled) {
        return flow.run("end of the cool-down of " + cooled.size() + " addresses", snapshot -> {
            List<SingleAddress> same = cooled.entrySet().stream()
                    .filter(entry -> snapshot.version(entry.getKey().address()) == entry.getValue())
                    .map(Map.Entry::getKey)
                    .toList();
            Forgotten forgotten = AddressRules.forgotten(snapshot.ledger(), same);
            return forgotten.addresses().isEmpty()
                    ? new Step.Done<>(false)
                    : new Step.Write<>(
                            snapshot.forget(forgotten.addresses(), forgotten.blocks()),
                            true,
                            atDebug(() -> log.debug("free again: {}", text(forgotten.addresses()))));
        });
    }

    /** What the store holds now. */
    LedgerSnapshot read() {
        return flow.read();
    }

    /** See {@link CasFlow#recent}. */
    LedgerSnapshot recent(Duration age) {
        return flow.recent(age);
    }

    /** What this process knew at its last write or reading. */
    Ledger known() {
        return flow.known().ledger();
    }

    /** As the store keeps it. */
    private Instant now() {
        return time.wall().truncatedTo(ChronoUnit.MILLIS);
    }

    private static Step<Boolean> turned(LedgerSnapshot snapshot, List<SingleAddress> addresses, Runnable applied) {
        return addresses.isEmpty() ? new Step.Done<>(false) : new Step.Write<>(snapshot.turn(addresses), true, applied);
    }

    private static String text(List<SingleAddress> addresses) {
        return addresses.stream().map(a -> a.address().toString()).collect(Collectors.joining(", "));
    }

    private static ServiceException refused(String attempted, AddressDecision decision) {
        return switch (decision) {
            case AddressDecision.Assign _,
                    AddressDecision.AlreadyHeld _,
                    AddressDecision.NotForServices _,
                    AddressDecision.NotForNamespace _,
                    AddressDecision.NoPoolForService _ ->
                throw new IllegalArgumentException(decision + " is no refusal of a call");
            case AddressDecision.HasOthers(List<SingleAddress> addresses) ->
                precondition(attempted + ": it has other addresses already, " + text(addresses)
                        + "; release these first, or ask for just these");
            case AddressDecision.Held(SingleAddress by) -> {
                AddressOwner owner = by.use().user().orElseThrow();
                yield new ServiceException(
                        ErrorReason.OWNED_BY_OTHER,
                        attempted + ": " + by.address() + " belongs to " + owner + " since " + by.since()
                                + "; it can be had once that has released it",
                        Map.of(
                                "owner",
                                owner.id(),
                                "node",
                                owner.node(),
                                "address",
                                by.address().toString()));
            }
            case AddressDecision.Cooling(SingleAddress address) ->
                precondition(attempted + ": " + address.address() + " was released at " + address.since()
                        + ", and nobody gets it before the cool-down of pool " + address.pool() + " is over");
            case AddressDecision.ReservedFor(SingleAddress address, Workload workload) ->
                precondition(attempted + ": " + address.address() + " is reserved for " + workload
                        + "; end that reservation, or choose another address");
            case AddressDecision.NothingReserved(AddressWish wish, Workload workload) ->
                new ServiceException(
                        ErrorReason.NOT_FOUND,
                        attempted + ": no " + wish.family().label() + " address is reserved for " + workload
                                + "; reserve one first");
            case AddressDecision.OfNode(IpAddress address, Block block) ->
                precondition(attempted + ": " + address + " is in block " + block.cidr() + " of node "
                        + block.owner().node() + ", which hands it out itself; choose an address of another block");
            case AddressDecision.InReservedRange(IpAddress address, Pool pool) ->
                precondition(attempted + ": " + address + " is in a reserved range of pool " + pool.name() + ", "
                        + pool.reserved() + "; choose another address");
            case AddressDecision.Outside(IpAddress address, String pool) ->
                new ServiceException(
                        ErrorReason.INVALID_ARGUMENT,
                        attempted + ": " + address + " is in no pool"
                                + (pool.isEmpty() ? "" : " named " + pool)
                                + "; choose an address of a pool, or create one");
            case AddressDecision.NoSuchPool(String pool) ->
                new ServiceException(
                        ErrorReason.NOT_FOUND, attempted + ": there is no pool " + pool, Map.of("pool", pool));
            case AddressDecision.Closed(Pool pool) ->
                precondition(attempted + ": pool " + pool.name() + " is " + pool.state() + "; name another pool");
            case AddressDecision.NoneFree(AddressWish wish, List<Pool> pools) ->
                new ServiceException(
                        ErrorReason.EXHAUSTED,
                        attempted + ": no " + wish.family().label() + " address is free "
                                + (pools.isEmpty()
                                        ? "in any pool of that family that is for everyone; name a pool, or create one"
                                        : "in pool "
                                                + pools.stream().map(Pool::name).collect(Collectors.joining(", "))
                                                + ": its blocks are nodes', and what is the service's is in use or"
                                                + " cools down; add a pool"));
        };
    }

    private static ServiceException precondition(String message) {
        return new ServiceException(ErrorReason.FAILED_PRECONDITION, message);
    }
}
