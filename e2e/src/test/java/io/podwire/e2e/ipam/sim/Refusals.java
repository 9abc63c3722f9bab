package io.podwire.e2e.ipam.sim;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/** Why single addresses cannot be had, found out for itself: what a refusal says has to be one of these reasons. */
final class Refusals {
    /** What is said of an address that is reserved. */
    static final String RESERVED = " is reserved for ";

    private Refusals() {}

    /** True when an owner cannot have what it asks for, and the refusal says why. */
    static boolean isTrue(
            ServiceException refusal,
            Ledger ledger,
            AddressOwner owner,
            List<AddressWish> wishes,
            Optional<Workload> workload) {
        return reasons(ledger, owner, wishes, workload).stream().anyMatch(reason -> reason.isToldBy(refusal));
    }

    /** True when these workloads cannot have an address of each wish, and the refusal says why. */
    static boolean isTrue(
            ServiceException refusal, Ledger ledger, List<Workload> workloads, List<AddressWish.Any> wishes) {
        List<AddressWish> missing = new ArrayList<>();
        for (Workload workload : workloads) {
            wishes.stream()
                    .filter(wish -> ledger.addressesFor(workload).stream().noneMatch(wish::granted))
                    .forEach(missing::add);
        }
        return ofWishes(ledger, missing).stream().anyMatch(reason -> reason.isToldBy(refusal));
    }

    /**
     * A reason.
     *
     * @param words that tell it
     * @param facts that tell it to programs
     */
    private record Reason(ErrorReason of, String words, Map<String, String> facts) {
        private Reason(ErrorReason of, String words) {
            this(of, words, Map.of());
        }

        private boolean isToldBy(ServiceException refusal) {
            return refusal.reason() == of
                    && refusal.getMessage().contains(": " + words)
                    && refusal.facts().entrySet().containsAll(facts.entrySet());
        }
    }

    private static List<Reason> reasons(
            Ledger ledger, AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload) {
        List<SingleAddress> held = ledger.addressesOf(owner.id());
        if (!held.isEmpty()) {
            List<IpAddress> addresses =
                    held.stream().map(SingleAddress::address).toList();
            boolean others = !Wanted.fulfil(wishes, new TreeSet<>(addresses), new TreeSet<>())
                    || (workload.isPresent()
                            && held.stream()
                                    .anyMatch(one -> !one.use().reserved().equals(workload)));
            return others
                    ? List.of(new Reason(
                            ErrorReason.FAILED_PRECONDITION,
                            "it has other addresses already, "
                                    + String.join(
                                            ", ",
                                            addresses.stream()
                                                    .map(IpAddress::toString)
                                                    .toList())
                                    + ";"))
                    : List.of();
        }
        return workload.map(of -> ofReserved(ledger, wishes, of)).orElseGet(() -> ofWishes(ledger, wishes));
    }

    private static List<Reason> ofReserved(Ledger ledger, List<AddressWish> wishes, Workload workload) {
        List<Reason> reasons = new ArrayList<>();
        List<SingleAddress> all = ledger.addressesFor(workload);
        for (AddressWish wish : wishes) {
            List<SingleAddress> fitting = all.stream().filter(wish::granted).toList();
            if (fitting.isEmpty()) {
                reasons.add(new Reason(
                        ErrorReason.NOT_FOUND,
                        "no " + wish.family().label() + " address is reserved for " + workload + ";"));
            } else if (fitting.stream().allMatch(one -> one.use().user().isPresent())) {
                fitting.forEach(one -> reasons.add(held(one)));
            }
        }
        return reasons;
    }

    private static Reason held(SingleAddress one) {
        AddressOwner by = one.use().user().orElseThrow();
        return new Reason(
                ErrorReason.OWNED_BY_OTHER,
                one.address() + " belongs to " + by + " since " + one.since() + ";",
                Map.of("owner", by.id(), "address", one.address().toString()));
    }

    private static List<Reason> ofWishes(Ledger ledger, List<AddressWish> wishes) {
        List<Reason> reasons = new ArrayList<>();
        for (AddressWish wish : wishes) {
            switch (wish) {
                case AddressWish.This(IpAddress address, String _) ->
                    ofOne(ledger, address).ifPresent(reasons::add);
                case AddressWish.Any any ->
                    Stream.concat(ofPool(ledger, any.pool()).stream(), ofNone(ledger, any, wishes).stream())
                            .forEach(reasons::add);
            }
        }
        return reasons;
    }

    private static Optional<Reason> ofPool(Ledger ledger, String name) {
        Optional<Pool> pool = ledger.pool(name);
        if (name.equals(AddressWish.ANY_POOL)) {
            return Optional.empty();
        }
        return pool.isEmpty()
                ? Optional.of(new Reason(ErrorReason.NOT_FOUND, "there is no pool " + name))
                : closed(pool.get());
    }

    private static Optional<Reason> closed(Pool pool) {
        return pool.state() == PoolState.ACTIVE
                ? Optional.empty()
                : Optional.of(new Reason(
                        ErrorReason.FAILED_PRECONDITION, "pool " + pool.name() + " is " + pool.state() + ";"));
    }

    private static Optional<Reason> ofOne(Ledger ledger, IpAddress address) {
        Optional<SingleAddress> known = ledger.address(address);
        if (known.isPresent()) {
            return Optional.of(
                    switch (known.get().use()) {
                        case AddressUse.InUse _ -> held(known.get());
                        case AddressUse.Cooling _ ->
                            new Reason(
                                    ErrorReason.FAILED_PRECONDITION,
                                    address + " was released at " + known.get().since() + ",");
                        case AddressUse.Reserved(Workload workload) ->
                            new Reason(ErrorReason.FAILED_PRECONDITION, address + RESERVED + workload + ";");
                    });
        }
        Optional<Pool> pool = ledger.pools().stream()
                .filter(one -> one.cidr().contains(address))
                .findFirst();
        if (pool.isEmpty()) {
            return Optional.of(new Reason(ErrorReason.INVALID_ARGUMENT, address + " is in no pool"));
        }
        return closed(pool.get())
                .or(() -> ledger.blocksOf(pool.get().name()).stream()
                        .filter(block -> block.cidr().contains(address) && !AddressRules.isOwn(block))
                        .map(block -> new Reason(
                                ErrorReason.FAILED_PRECONDITION,
                                address + " is in block " + block.cidr() + " of node "
                                        + block.owner().node() + ","))
                        .findFirst());
    }

    /** What is wanted of one pool, or of any, is more than others leave who want just these addresses, or this pool. */
    private static Optional<Reason> ofNone(Ledger ledger, AddressWish.Any any, List<AddressWish> wishes) {
        List<Pool> from = ledger.pools().stream()
                .filter(pool -> pool.state() == PoolState.ACTIVE && pool.family() == any.family())
                .filter(pool ->
                        any.pool().equals(AddressWish.ANY_POOL) || any.pool().equals(pool.name()))
                .toList();
        long free = from.stream().mapToLong(pool -> free(ledger, pool)).sum();
        long wanted = wishes.stream()
                .filter(wish -> switch (wish) {
                    case AddressWish.This(IpAddress address, String _) ->
                        from.stream().anyMatch(pool -> pool.cidr().contains(address));
                    case AddressWish.Any(IpFamily family, String pool) ->
                        family == any.family()
                                && (any.pool().equals(AddressWish.ANY_POOL)
                                        || any.pool().equals(pool));
                })
                .count();
        return wanted > free
                ? Optional.of(
                        new Reason(ErrorReason.EXHAUSTED, "no " + any.family().label() + " address is free "))
                : Optional.empty();
    }

    /** How many addresses of a pool somebody could get, one by one. */
    private static long free(Ledger ledger, Pool pool) {
        long free = pool.cidr().size().longValueExact();
        for (Block block : ledger.blocksOf(pool.name())) {
            IpPrefix cidr = block.cidr();
            free -= AddressRules.isOwn(block)
                    ? ledger.addressesIn(cidr).size()
                    : cidr.size().longValueExact();
        }
        return free;
    }
}
