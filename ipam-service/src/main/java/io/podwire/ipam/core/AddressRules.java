package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Who gets which single address. They are of blocks that the service owns itself, which no node hands out; an address
 * has one owner, and one that was released is nobody's before it is {@link #forgotten}.
 */
public final class AddressRules {
    /** Owner of the blocks that single addresses are taken from. */
    public static final NodeEpoch SERVICE =
            new NodeEpoch(new NodeName("podwire-ipam-service"), "service", "service", 1);

    private static final Comparator<Pool> STATIC_FIRST = Comparator.<Pool, Boolean>comparing(
                    pool -> pool.purpose() != PoolPurpose.STATIC)
            .thenComparing(Pool::name);

    private AddressRules() {}

    /**
     * Answers the wish for addresses, all of them or none. The same owner asking again gets the same.
     *
     * @param wishes at least one, none for an address that another is for
     * @param workload with it, the addresses are those that are reserved for it
     * @param now for {@link SingleAddress#since}
     */
    public static AddressDecision allocate(
            Ledger ledger, AddressOwner owner, List<AddressWish> wishes, Optional<Workload> workload, Instant now) {
        List<SingleAddress> held = ledger.addressesOf(owner.id());
        if (!held.isEmpty()) {
            return inOrder(wishes, held, workload)
                    .<AddressDecision>map(AddressDecision.AlreadyHeld::new)
                    .orElseGet(() -> new AddressDecision.HasOthers(held));
        }
        Map<Integer, SingleAddress> taken = new TreeMap<>();
        List<Block> blocks = new ArrayList<>();
        Ledger left = ledger;
        for (int i : narrowestFirst(wishes)) {
            AddressWish wish = wishes.get(i);
            AddressDecision one = workload.isPresent()
                    ? reserved(left, owner, wish, workload.get(), now)
                    : one(left, owner, wish, now);
            if (!(one instanceof AddressDecision.Assign(List<SingleAddress> addresses, List<Block> further))) {
                return one;
            }
            for (Block block : further) {
                left = left.with(block);
            }
            SingleAddress address = addresses.getFirst();
            left = left.with(address);
            taken.put(i, address);
            blocks.addAll(further);
        }
        return new AddressDecision.Assign(List.copyOf(taken.values()), blocks);
    }

    /**
     * The numbers of the wishes, in an order in which none takes what another one alone can be fulfilled with: for an
     * address, for one of a pool, for any.
     */
    private static List<Integer> narrowestFirst(List<AddressWish> wishes) {
        return IntStream.range(0, wishes.size())
                .boxed()
                .sorted(Comparator.comparingInt(i -> breadth(wishes.get(i))))
                .toList();
    }

    private static int breadth(AddressWish wish) {
        return switch (wish) {
            case AddressWish.This _ -> 0;
            case AddressWish.Any any -> any.pool().equals(AddressWish.ANY_POOL) ? 2 : 1;
        };
    }

    /** The addresses that fulfil the wishes, each one and none left over. */
    private static Optional<List<SingleAddress>> inOrder(
            List<AddressWish> wishes, List<SingleAddress> held, Optional<Workload> workload) {
        Set<SingleAddress> unused = new LinkedHashSet<>(held);
        Map<Integer, SingleAddress> ordered = new TreeMap<>();
        for (int i : narrowestFirst(wishes)) {
            Optional<SingleAddress> fits = unused.stream()
                    .filter(wishes.get(i)::granted)
                    .filter(a -> workload.isEmpty() || a.use().reserved().equals(workload))
                    .findFirst();
            if (fits.isEmpty()) {
                return Optional.empty();
            }
            unused.remove(fits.get());
            ordered.put(i, fits.get());
        }
        return unused.isEmpty() ? Optional.of(List.copyOf(ordered.values())) : Optional.empty();
    }

    private static AddressDecision reserved(
            Ledger ledger, AddressOwner owner, AddressWish wish, Workload workload, Instant now) {
        List<SingleAddress> fitting = ledger.addressesFor(workload).stream()
                .filter(wish::granted)
                .filter(a -> !a.use().user().equals(Optional.of(owner)))
                .toList();
        if (fitting.isEmpty()) {
            return new AddressDecision.NothingReserved(wish, workload);
        }
        return fitting.stream()
                .filter(a -> a.use().user().isEmpty())
                .findFirst()
                .<AddressDecision>map(free -> new AddressDecision.Assign(
                        List.of(free.turned(new AddressUse.InUse(owner, Optional.of(workload)), now)), List.of()))
                .orElseGet(() -> new AddressDecision.Held(fitting.getFirst()));
    }

    private static AddressDecision one(Ledger ledger, AddressOwner owner, AddressWish wish, Instant now) {
        AddressUse use = new AddressUse.InUse(owner, Optional.empty());
        return switch (wish) {
            case AddressWish.This(IpAddress address, String pool) -> thisOne(ledger, address, pool, use, now);
            case AddressWish.Any any -> any(ledger, any, use, now);
        };
    }

    /** The decision on this very address, whatever its pool is for. */
    static AddressDecision thisOne(Ledger ledger, IpAddress address, String named, AddressUse use, Instant now) {
        Optional<SingleAddress> known = ledger.address(address);
        if (known.isPresent()) {
            SingleAddress by = known.get();
            return switch (by.use()) {
                case AddressUse.InUse _ -> new AddressDecision.Held(by);
                case AddressUse.Cooling _ -> new AddressDecision.Cooling(by);
                case AddressUse.Reserved(Workload workload) -> new AddressDecision.ReservedFor(by, workload);
            };
        }
        Optional<Pool> found =
                ledger.pools().stream().filter(p -> p.cidr().contains(address)).findFirst();
        if (found.isEmpty()
                || !(named.equals(AddressWish.ANY_POOL)
                        || named.equals(found.get().name()))) {
            return new AddressDecision.Outside(address, named);
        }
        Pool pool = found.get();
        if (pool.state() != PoolState.ACTIVE) {
            return new AddressDecision.Closed(pool);
        }
        if (pool.reserved().stream().anyMatch(range -> range.contains(address))) {
            return new AddressDecision.InReservedRange(address, pool);
        }
        IpPrefix cidr = IpPrefix.containing(address, pool.blockLength());
        Optional<Block> block = ledger.block(cidr);
        if (block.isPresent() && !isOwn(block.get())) {
            return new AddressDecision.OfNode(address, block.get());
        }
        return assign(pool, address, use, now, block.isPresent() ? List.of() : List.of(own(pool, cidr)));
    }

    private static AddressDecision any(Ledger ledger, AddressWish.Any wish, AddressUse use, Instant now) {
        boolean named = !wish.pool().equals(AddressWish.ANY_POOL);
        Optional<Pool> byName = ledger.pool(wish.pool());
        if (named && byName.isEmpty()) {
            return new AddressDecision.NoSuchPool(wish.pool());
        }
        List<Pool> candidates = named
                ? byName.filter(pool -> pool.family() == wish.family()).stream().toList()
                : ledger.pools().stream()
                        .filter(pool -> pool.family() == wish.family() && forEveryone(pool))
                        .sorted(STATIC_FIRST)
                        .toList();
        if (named && byName.get().state() != PoolState.ACTIVE) {
            return new AddressDecision.Closed(byName.get());
        }
        return candidates.stream()
                .filter(pool -> pool.state() == PoolState.ACTIVE)
                .flatMap(pool -> free(ledger, pool, use, now).stream())
                .findFirst()
                .orElseGet(() -> new AddressDecision.NoneFree(wish, candidates));
    }

    /** What is for some alone has to be named. */
    private static boolean forEveryone(Pool pool) {
        return pool.purpose() != PoolPurpose.LOAD_BALANCER
                && pool.nodes().equals(NodeSelector.EVERY_NODE)
                && pool.namespaces().equals(NamespaceSelector.EVERY_NAMESPACE);
    }

    /** The lowest free address of the blocks that are the service's, or of the lowest that can become so. */
    static Optional<AddressDecision> free(Ledger ledger, Pool pool, AddressUse use, Instant now) {
        for (IpPrefix block : ledger.openBlocks(pool.name())) {
            Optional<IpAddress> free = lowest(ledger, pool, block);
            if (free.isPresent()) {
                return Optional.of(assign(pool, free.get(), use, now, List.of()));
            }
        }
        Optional<IpPrefix> next = FreeBlocks.lowestUnowned(pool, ledger.blocksByCidr(pool.name()));
        List<IpPrefix> whole = new ArrayList<>();
        while (next.isPresent()) {
            IpPrefix cidr = next.get();
            Optional<IpAddress> free = lowest(ledger, pool, cidr);
            if (free.isPresent()) {
                return Optional.of(assign(pool, free.get(), use, now, List.of(own(pool, cidr))));
            }
            // All of it is in reserved ranges.
            whole.add(cidr);
            next = FreeBlocks.lowest(
                    pool,
                    Stream.concat(ledger.blocksOf(pool.name()).stream().map(Block::cidr), whole.stream())
                            .sorted());
        }
        return Optional.empty();
    }

    private static Optional<IpAddress> lowest(Ledger ledger, Pool pool, IpPrefix block) {
        if (pool.reserved().stream().noneMatch(block::overlaps)) {
            return FreeBlocks.lowestAddress(block, ledger.singlesIn(block));
        }
        Stream<IpPrefix> taken = Stream.concat(
                ledger.addressesIn(block).stream().map(a -> IpPrefix.ofHost(a.address())),
                pool.reserved().stream().filter(block::overlaps));
        return FreeBlocks.lowest(block, block.family().bits(), taken.sorted()).map(IpPrefix::address);
    }

    private static AddressDecision assign(
            Pool pool, IpAddress address, AddressUse use, Instant now, List<Block> blocks) {
        return new AddressDecision.Assign(List.of(new SingleAddress(pool.name(), address, use, now)), blocks);
    }

    private static Block own(Pool pool, IpPrefix cidr) {
        return new Block(pool.name(), cidr, SERVICE, "service-" + cidr);
    }

    /** True for a block that single addresses are taken from. */
    public static boolean isOwn(Block block) {
        return block.owner().sameOwner(SERVICE);
    }

    /**
     * Takes addresses back. What the owner does not have is left as it is: a repeated release must not disturb the next
     * owner.
     *
     * @param wanted which of them; none: all
     * @return what they become
     */
    public static List<SingleAddress> release(
            Ledger ledger, String ownerId, Collection<IpAddress> wanted, Instant now) {
        return ledger.addressesOf(ownerId).stream()
                .filter(a -> wanted.isEmpty() || wanted.contains(a.address()))
                .map(a -> released(a, now))
                .toList();
    }

    /** What an address becomes that its owner has no more. */
    static SingleAddress released(SingleAddress address, Instant now) {
        return address.turned(
                address.use()
                        .reserved()
                        .<AddressUse>map(AddressUse.Reserved::new)
                        .orElseGet(AddressUse.Cooling::new),
                now);
    }

    /**
     * Reserves an address of each family for each of these workloads, all or none; what is reserved for one already
     * stays.
     *
     * @param wishes for each workload
     */
    public static AddressDecision reserve(
            Ledger ledger, List<Workload> workloads, List<AddressWish.Any> wishes, Instant now) {
        List<SingleAddress> taken = new ArrayList<>();
        List<Block> blocks = new ArrayList<>();
        List<SingleAddress> there = new ArrayList<>();
        Ledger left = ledger;
        for (Workload workload : workloads) {
            for (AddressWish.Any wish : wishes) {
                Optional<SingleAddress> known = ledger.addressesFor(workload).stream()
                        .filter(wish::granted)
                        .findFirst();
                if (known.isPresent()) {
                    there.add(known.get());
                    continue;
                }
                AddressDecision one = any(left, wish, new AddressUse.Reserved(workload), now);
                if (!(one instanceof AddressDecision.Assign(List<SingleAddress> addresses, List<Block> further))) {
                    return one;
                }
                for (Block block : further) {
                    left = left.with(block);
                }
                for (SingleAddress address : addresses) {
                    left = left.with(address);
                }
                taken.addAll(addresses);
                blocks.addAll(further);
            }
        }
        return taken.isEmpty() ? new AddressDecision.AlreadyHeld(there) : new AddressDecision.Assign(taken, blocks);
    }

    /** What the addresses that are reserved for these workloads become: what is in use stays in use. */
    public static List<SingleAddress> unreserve(Ledger ledger, List<Workload> workloads, Instant now) {
        return workloads.stream()
                .flatMap(workload -> ledger.addressesFor(workload).stream())
                .map(a -> switch (a.use()) {
                    case AddressUse.InUse(AddressOwner owner, Optional<Workload> _) ->
                        a.turned(new AddressUse.InUse(owner, Optional.empty()), a.since());
                    case AddressUse.Reserved _, AddressUse.Cooling _ -> a.turned(new AddressUse.Cooling(), now);
                })
                .toList();
    }

    /**
     * What is nobody's any more once these addresses have cooled down.
     *
     * @param addresses that become free
     * @param blocks of the service in which nothing is left
     */
    public record Forgotten(List<SingleAddress> addresses, List<Block> blocks) {}

    /** Makes addresses free that have cooled down; one that is in another use by now stays as it is. */
    public static Forgotten forgotten(Ledger ledger, Collection<SingleAddress> cooled) {
        List<SingleAddress> free = new ArrayList<>();
        Ledger left = ledger;
        for (SingleAddress address : cooled) {
            if (address.use() instanceof AddressUse.Cooling
                    && ledger.address(address.address()).equals(Optional.of(address))) {
                free.add(address);
                left = left.withoutAddress(address.address());
            }
        }
        Ledger after = left;
        List<Block> empty = free.stream()
                .map(SingleAddress::pool)
                .distinct()
                .flatMap(pool -> after.blocksOf(pool).stream())
                .filter(AddressRules::isOwn)
                .filter(block -> after.addressesIn(block.cidr()).isEmpty())
                .toList();
        return new Forgotten(free, empty);
    }
}
