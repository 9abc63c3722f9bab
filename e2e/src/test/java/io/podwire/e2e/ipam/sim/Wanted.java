package io.podwire.e2e.ipam.sim;

import static io.podwire.e2e.ipam.sim.Checker.require;

import io.podwire.common.net.IpAddress;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.AddressWish;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What owners and workloads have asked for of single addresses, whatever became of the call, and so what a write may make
 * of an address. What was reserved for a workload stays so until the end of that is asked for.
 */
final class Wanted {
    private final Map<String, List<Asked>> asked = new HashMap<>();
    /** Owners that have released all, and what others have released one by one. */
    private final Set<String> released = new HashSet<>();

    private final Map<String, Set<IpAddress>> parts = new HashMap<>();
    private final Set<Workload> reserved = new HashSet<>();
    private final Set<Workload> ended = new HashSet<>();
    /** What is reserved for each workload, from the answer to when the end of it is asked for. */
    private final Map<Workload, Set<IpAddress>> kept = new TreeMap<>();

    /** All of this, or nothing. */
    private record Asked(List<AddressWish> wishes, Optional<Workload> workload) {}

    /** An owner asks for addresses. */
    void asks(AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload) {
        asked.computeIfAbsent(owner.id(), _ -> new ArrayList<>()).add(new Asked(wishes, workload));
    }

    /**
     * An owner releases addresses.
     *
     * @param addresses which; none: all
     */
    void releases(String owner, Collection<IpAddress> addresses) {
        if (addresses.isEmpty()) {
            released.add(owner);
        } else {
            parts.computeIfAbsent(owner, _ -> new TreeSet<>()).addAll(addresses);
        }
    }

    /** Addresses are to be reserved for a workload. */
    void reserves(Workload workload) {
        reserved.add(workload);
    }

    /** They are, and stay so. */
    void keeps(Workload workload, Ledger ledger) {
        kept.put(workload, addresses(ledger.addressesFor(workload)));
    }

    /** And are not to be any more. */
    void ends(Workload workload) {
        ended.add(workload);
        kept.remove(workload);
    }

    /** A write has made one of the other. */
    void turned(Ledger before, Ledger after) {
        Set<String> gained = new TreeSet<>();
        for (SingleAddress was : before.addresses()) {
            if (after.address(was.address()).isEmpty()) {
                require(
                        was.use() instanceof AddressUse.Cooling,
                        () -> was + " is free now, and has not cooled down since somebody had a right to it");
            }
        }
        for (SingleAddress is : after.addresses()) {
            Optional<SingleAddress> was = before.address(is.address());
            if (!was.equals(Optional.of(is))) {
                checkTurn(was.map(SingleAddress::use), is);
                is.use().user().map(AddressOwner::id).ifPresent(gained::add);
            }
        }
        gained.forEach(owner -> checkAll(owner, before, after));
        kept.forEach((workload, addresses) -> {
            Set<IpAddress> now = addresses(after.addressesFor(workload));
            require(now.equals(addresses), () -> addresses + " were reserved for " + workload + ", and now are " + now);
        });
    }

    private void checkTurn(Optional<AddressUse> was, SingleAddress is) {
        boolean may = switch (is.use()) {
            case AddressUse.InUse(AddressOwner owner, Optional<Workload> workload) ->
                was.map(use -> mayPassTo(owner, workload, use, is.address())).orElse(true);
            case AddressUse.Cooling _ ->
                was.map(use -> mayEnd(use, is.address())).orElse(true);
            case AddressUse.Reserved(Workload workload) ->
                reserved.contains(workload)
                        && was.map(use -> mayReturn(workload, use, is.address()))
                                .orElse(true);
        };
        require(
                may,
                () -> is.address() + " was " + was + " and is " + is.use() + ", which nobody had a right to ask for");
    }

    private boolean mayPassTo(AddressOwner owner, Optional<Workload> workload, AddressUse was, IpAddress address) {
        Optional<Workload> before = was.reserved();
        boolean sameRight = before.equals(workload)
                || (workload.isEmpty() && isEnded(before))
                // Free, reserved and taken in one write.
                || (was instanceof AddressUse.Cooling
                        && workload.filter(reserved::contains).isPresent());
        return sameRight
                && switch (was) {
                    case AddressUse.InUse(AddressOwner last, Optional<Workload> _) ->
                        last.equals(owner) || (before.isPresent() && releases(last, address));
                    // What cooled down may be free and taken again in one write.
                    case AddressUse.Reserved _, AddressUse.Cooling _ -> true;
                };
    }

    private boolean mayEnd(AddressUse was, IpAddress address) {
        return (was.reserved().isEmpty() || isEnded(was.reserved()))
                && was.user().map(owner -> releases(owner, address)).orElse(true);
    }

    private boolean mayReturn(Workload workload, AddressUse was, IpAddress address) {
        return switch (was) {
            case AddressUse.InUse(AddressOwner owner, Optional<Workload> of) ->
                of.equals(Optional.of(workload)) && releases(owner, address);
            case AddressUse.Reserved(Workload of) -> of.equals(workload);
            case AddressUse.Cooling _ -> true;
        };
    }

    private boolean isEnded(Optional<Workload> workload) {
        return workload.filter(ended::contains).isPresent();
    }

    /** True when an owner has released an address, be it all that it has. */
    boolean releases(AddressOwner owner, IpAddress address) {
        return released.contains(owner.id())
                || parts.getOrDefault(owner.id(), Set.of()).contains(address);
    }

    /** Whoever gets addresses has none but all that it has asked for once. */
    private void checkAll(String owner, Ledger before, Ledger after) {
        List<SingleAddress> all = after.addressesOf(owner);
        if (addresses(before.addressesOf(owner)).containsAll(addresses(all))) {
            return;
        }
        List<Asked> wishes = asked.getOrDefault(owner, List.of());
        require(
                wishes.stream().anyMatch(one -> isAllOf(one, all, owner)),
                () -> owner + " has " + all + ", and has asked for " + wishes);
    }

    private boolean isAllOf(Asked one, List<SingleAddress> all, String owner) {
        return all.stream()
                        .map(address -> address.use().reserved())
                        .allMatch(workload ->
                                workload.equals(one.workload()) || (workload.isEmpty() && isEnded(one.workload())))
                && fulfil(
                        one.wishes(),
                        new TreeSet<>(addresses(all)),
                        new TreeSet<>(parts.getOrDefault(owner, Set.of())));
    }

    /**
     * True when these addresses are each one wish's, and none is left over.
     *
     * @param besides what wishes may have got that was given back since
     */
    static boolean fulfil(List<AddressWish> wishes, Set<IpAddress> addresses, Set<IpAddress> besides) {
        if (wishes.isEmpty()) {
            return addresses.isEmpty();
        }
        List<AddressWish> others = wishes.subList(1, wishes.size());
        return anyFits(wishes.getFirst(), addresses, () -> fulfil(others, addresses, besides))
                || anyFits(wishes.getFirst(), besides, () -> fulfil(others, addresses, besides));
    }

    private interface Rest {
        boolean fits();
    }

    private static boolean anyFits(AddressWish wish, Set<IpAddress> from, Rest rest) {
        for (IpAddress address : List.copyOf(from)) {
            if (grants(wish, address)) {
                from.remove(address);
                boolean fits = rest.fits();
                from.add(address);
                if (fits) {
                    return true;
                }
            }
        }
        return false;
    }

    private static boolean grants(AddressWish wish, IpAddress address) {
        boolean ofPool = wish.pool().equals(AddressWish.ANY_POOL)
                || IpamSimulation.POOLS.stream()
                        .anyMatch(pool ->
                                pool.name().equals(wish.pool()) && pool.cidr().contains(address));
        return ofPool
                && switch (wish) {
                    case AddressWish.Any any -> any.family() == address.family();
                    case AddressWish.This one -> one.address().equals(address);
                };
    }

    private static Set<IpAddress> addresses(Collection<SingleAddress> singles) {
        Set<IpAddress> addresses = new TreeSet<>();
        singles.forEach(single -> addresses.add(single.address()));
        return addresses;
    }
}
