package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Which addresses of the node's own blocks belong to which owner. No I/O and no clock: time is an
 * argument. Guarded by its own monitor, held for microseconds.
 *
 * <p>An owner takes one address of each family that it wants, all or none; asking twice, it gets the
 * same. A released address cools down, as long as its block says, before anyone gets it again, and of a block's free addresses the
 * one released longest ago is taken first, so that late packets and stale conntrack entries of its
 * last owner meet nobody.
 *
 * @param <O> the owner's type, with equals
 */
public final class AddressBook<O> {
    /** Of a block with more addresses, as IPv6 allows, only so many are used: a node has fewer pods. */
    static final int MOST_OF_A_BLOCK = 1 << 12;

    /** That of who is no pod: no pool selects it. */
    private static final String NO_NAMESPACE = "";

    private static final List<String> NOBODY = List.of();

    /** An address that nobody gets now; the one that will be free first comes first. */
    private record Cooling(Duration until, long released, IpAddress address, Duration since)
            implements Comparable<Cooling> {
        private static final Comparator<Cooling> ORDER =
                Comparator.comparing(Cooling::until).thenComparingLong(Cooling::released);

        @Override
        public int compareTo(Cooling other) {
            return ORDER.compare(this, other);
        }
    }

    /** A free address; those never released come first, then the one released longest ago. */
    private record Free(long released, IpAddress address) implements Comparable<Free> {
        private static final Comparator<Free> ORDER =
                Comparator.comparingLong(Free::released).thenComparing(Free::address);

        @Override
        public int compareTo(Free other) {
            return ORDER.compare(this, other);
        }
    }

    private final Duration coolDown;
    /** Free addresses of each block, the one to take first at the head. */
    private final TreeMap<IpPrefix, SortedSet<Free>> blocks = new TreeMap<>();
    /** The pool of each block. */
    private final Map<IpPrefix, String> pools = new HashMap<>();
    /** The cool-down of each block that has one of its own. */
    private final Map<IpPrefix, Duration> coolDowns = new HashMap<>();
    /** Blocks, there or not, that give no address. */
    private Set<IpPrefix> closed = Set.of();
    /** Which pools are not for any pod. */
    private NamespacePools namespaces = NamespacePools.NONE;

    private final Map<O, EnumMap<IpFamily, IpAddress>> byOwner = new HashMap<>();
    private final Map<IpAddress, O> byAddress = new HashMap<>();
    /** Of no block of the book, and in use. */
    private final Set<IpAddress> lent = new TreeSet<>();

    private final SortedSet<Cooling> cooling = new TreeSet<>();
    /** The same by address, the one released longest ago first. */
    private final Map<IpAddress, Cooling> coolingByAddress = new LinkedHashMap<>();
    /** When each address was last released, as a running number; an address in use has none. */
    private final Map<IpAddress, Long> released = new HashMap<>();

    private long releases;

    /**
     * An empty book.
     *
     * @param coolDown how long a released address is given to nobody, 0 or more, unless its block says otherwise
     */
    public AddressBook(Duration coolDown) {
        this.coolDown = notNegative(coolDown);
    }

    private static Duration notNegative(Duration coolDown) {
        if (coolDown.isNegative()) {
            throw new IllegalArgumentException("cool-down must be 0 or more, got " + coolDown);
        }
        return coolDown;
    }

    /** Adds a block of a pool without a name; see {@link #addBlock(IpPrefix, String)}. */
    public void addBlock(IpPrefix block) {
        addBlock(block, "");
    }

    /** Adds a block whose addresses cool down as the book's do; see {@link #addBlock(IpPrefix, String, Duration)}. */
    public void addBlock(IpPrefix block, String pool) {
        addBlock(block, pool, coolDown);
    }

    /**
     * Adds a block that the node owns, of a pool; adding it twice is adding it once.
     *
     * @param blockCoolDown how long a released address of it is given to nobody, 0 or more. An address that cools
     *     already cools as long from its release on, or as long as before where that is longer.
     */
    public synchronized void addBlock(IpPrefix block, String pool, Duration blockCoolDown) {
        pools.put(block, pool);
        if (!notNegative(blockCoolDown).equals(coolDowns.put(block, blockCoolDown))) {
            coolingByAddress.replaceAll((address, now) -> block.contains(address) ? extended(now, blockCoolDown) : now);
        }
        if (blocks.containsKey(block)) {
            return;
        }
        SortedSet<Free> free = new TreeSet<>();
        int size = block.size().min(BigInteger.valueOf(MOST_OF_A_BLOCK)).intValueExact();
        for (int i = 0; i < size; i++) {
            IpAddress address = block.address().plus(i);
            if (!byAddress.containsKey(address) && !coolingByAddress.containsKey(address)) {
                free.add(entry(address));
            }
        }
        blocks.put(block, free);
    }

    /** Stops taking addresses from a block; owners keep theirs. Removing what is gone does nothing. */
    public synchronized void removeBlock(IpPrefix block) {
        blocks.remove(block);
        pools.remove(block);
        coolDowns.remove(block);
    }

    /** How soon after its release any address may be given again: the shortest cool-down of any block. */
    public synchronized Duration shortestCoolDown() {
        return coolDowns.isEmpty() ? coolDown : Collections.min(coolDowns.values());
    }

    /**
     * These blocks, and no others, give no address from now on, whether they are in the book yet or not. Owners keep
     * theirs.
     */
    public synchronized void close(Set<IpPrefix> these) {
        closed = Set.copyOf(these);
    }

    /** Addresses of pools with a namespace selector are given to pods of these namespaces alone from now on. */
    public synchronized void serve(NamespacePools now) {
        namespaces = now;
    }

    /**
     * Removes a block, of which no address is given any more then, unless one is in use or cools down.
     *
     * @param now a monotonic time
     * @return true when it was removed
     */
    public synchronized boolean removeIfUnused(IpPrefix block, Duration now) {
        expire(now);
        boolean unused = blocks.containsKey(block)
                && Stream.concat(byAddress.keySet().stream(), coolingByAddress.keySet().stream())
                        .noneMatch(block::contains);
        if (unused) {
            removeBlock(block);
            // Others have it meanwhile: when an address was released here says nothing, should it come back.
            released.keySet().removeIf(block::contains);
        }
        return unused;
    }

    /** The blocks, in order. */
    public synchronized List<IpPrefix> blocks() {
        return List.copyOf(blocks.keySet());
    }

    /**
     * What the addresses of each block are, in the order of blocks.
     *
     * @param now a monotonic time
     */
    public synchronized List<BlockUse> usage(Duration now) {
        expire(now);
        Map<IpPrefix, Integer> used = new HashMap<>();
        byAddress.keySet().forEach(address -> blockAround(address).ifPresent(b -> used.merge(b, 1, Integer::sum)));
        Map<IpPrefix, Integer> cools = new HashMap<>();
        coolingByAddress
                .keySet()
                .forEach(address -> blockAround(address).ifPresent(b -> cools.merge(b, 1, Integer::sum)));
        return blocks.entrySet().stream()
                .map(entry -> new BlockUse(
                        entry.getKey(),
                        pools.get(entry.getKey()),
                        entry.getValue().size(),
                        used.getOrDefault(entry.getKey(), 0),
                        cools.getOrDefault(entry.getKey(), 0),
                        !closed.contains(entry.getKey())))
                .toList();
    }

    /**
     * Takes an address of each of these families for an owner; what it holds already it keeps.
     *
     * @param families at least one
     * @param now a monotonic time
     * @return the owner's addresses of these families; empty, and nothing taken, when every address of
     *     one of them is in use or cooling
     */
    public synchronized Optional<PodAddresses> take(O owner, Set<IpFamily> families, Duration now) {
        expire(now);
        Map<IpFamily, IpAddress> held = held(owner);
        List<IpAddress> addresses = new ArrayList<>();
        for (IpFamily family : families) {
            Optional<IpAddress> address =
                    Optional.ofNullable(held.get(family)).or(() -> next(family, "", NO_NAMESPACE));
            if (address.isEmpty()) {
                return Optional.empty();
            }
            addresses.add(address.get());
        }
        addresses.forEach(address -> put(owner, address));
        return Optional.of(new PodAddresses(addresses));
    }

    /** Takes addresses for an owner that is in no namespace; see the other one. */
    public Taking<O> takeThis(O owner, Set<IpFamily> families, List<IpAddress> these, String pool, Duration now) {
        return takeThis(owner, families, these, pool, NO_NAMESPACE, now);
    }

    /**
     * Takes addresses for an owner, some of which it names: all or none.
     *
     * @param families that it wants an address of, each
     * @param these the addresses that it names, at most one of each of the families
     * @param pool whose blocks alone are taken from; a family that has no block of it is not meant as long as
     *     another of them has; empty: any that serves the namespace
     * @param namespace that of the owner's pod, or empty
     * @param now a monotonic time
     * @throws IllegalStateException when the owner holds another address than one that it names
     */
    public synchronized Taking<O> takeThis(
            O owner, Set<IpFamily> families, List<IpAddress> these, String pool, String namespace, Duration now) {
        expire(now);
        if (!namespaces.admits(namespace, pool)) {
            return new Taking.NotForNamespace<>(pool);
        }
        Set<IpFamily> ofPool = EnumSet.noneOf(IpFamily.class);
        pools.forEach((block, name) -> {
            if (name.equals(pool) && families.contains(block.family())) {
                ofPool.add(block.family());
            }
        });
        if (!pool.isEmpty() && ofPool.isEmpty()) {
            return new Taking.NoBlock<>(pool);
        }
        for (IpAddress address : these) {
            Optional<Taking<O>> refusal =
                    refusal(owner, address, ofPool.contains(address.family()) ? pool : "", namespace);
            if (refusal.isPresent()) {
                return refusal.get();
            }
        }
        List<IpAddress> addresses = new ArrayList<>(these);
        for (IpFamily family : families) {
            if (these.stream().anyMatch(address -> address.family() == family)) {
                continue;
            }
            String from = ofPool.contains(family) ? pool : "";
            Optional<IpAddress> any =
                    Optional.ofNullable(held(owner).get(family)).or(() -> next(family, from, namespace));
            if (any.isEmpty()) {
                List<String> selecting = from.isEmpty() ? namespaces.selecting(namespace, family) : List.of();
                return selecting.isEmpty()
                        ? new Taking.Exhausted<>(family, from)
                        : new Taking.NamespaceExhausted<>(family, selecting);
            }
            addresses.add(any.get());
        }
        addresses.forEach(address -> put(owner, address));
        return new Taking.Taken<>(new PodAddresses(addresses));
    }

    /**
     * An owner's address of a family, from a block that gives addresses to any pod where one has any: one that it has
     * from no such block is released for it, and cools down.
     *
     * @param now a monotonic time
     * @return empty when it has none and there is none
     */
    public synchronized Optional<IpAddress> renew(O owner, IpFamily family, Duration now) {
        expire(now);
        Optional<IpAddress> has = Optional.ofNullable(held(owner).get(family));
        boolean stays = has.flatMap(this::blockAround)
                .filter(block -> !closed.contains(block) && !namespaces.restricts(pools.getOrDefault(block, "")))
                .isPresent();
        Optional<IpAddress> other = stays ? Optional.empty() : next(family, "", NO_NAMESPACE);
        other.ifPresent(address -> {
            has.ifPresent(old -> {
                byAddress.remove(old);
                cool(old, now);
            });
            put(owner, address);
        });
        return other.or(() -> has);
    }

    private Optional<Taking<O>> refusal(O owner, IpAddress address, String pool, String namespace) {
        IpAddress held = held(owner).get(address.family());
        if (held != null) {
            if (held.equals(address)) {
                return Optional.empty();
            }
            throw new IllegalStateException(owner + " holds " + held + ", cannot take " + address + " for it");
        }
        O holder = byAddress.get(address);
        if (holder != null) {
            return Optional.of(new Taking.Held<>(address, holder));
        }
        Optional<IpPrefix> block = blockAround(address);
        if (block.isEmpty()) {
            return Optional.of(new Taking.Elsewhere<>(address));
        }
        String of = pools.get(block.get());
        if (!pool.isEmpty() && !of.equals(pool)) {
            return Optional.of(new Taking.OtherPool<>(address, block.get(), of));
        }
        if (!namespaces.admits(namespace, of)) {
            return Optional.of(new Taking.NotForNamespace<>(of));
        }
        if (closed.contains(block.get())) {
            return Optional.of(new Taking.Closed<>(address, block.get(), of));
        }
        return coolingByAddress.containsKey(address) ? Optional.of(new Taking.Cooling<>(address)) : Optional.empty();
    }

    private Optional<IpAddress> next(IpFamily family, String pool, String namespace) {
        return freeOf(family, pool, namespace)
                .filter(free -> !free.isEmpty())
                .findFirst()
                .map(free -> free.first().address());
    }

    /**
     * Records that an owner has an address, as found in the journal.
     *
     * @throws IllegalStateException when another owner has it, or the owner has another address of the
     *     same family
     */
    public synchronized void restore(O owner, IpAddress address) {
        checkHolder(owner, address);
        put(owner, address);
    }

    private void checkHolder(O owner, IpAddress address) {
        O holder = byAddress.get(address);
        if (holder != null && !holder.equals(owner)) {
            throw new IllegalStateException(address + " is held by " + holder + ", cannot restore it for " + owner);
        }
        IpAddress held = held(owner).get(address.family());
        if (held != null && !held.equals(address)) {
            throw new IllegalStateException(owner + " holds " + held + ", cannot restore " + address + " for it");
        }
    }

    /**
     * Records that an owner has addresses that are of no block of the book: whoever lent them says what becomes of them
     * once they are released, so that they do not cool down here. All or none.
     *
     * @throws IllegalStateException when another owner has one, or the owner has another address of its family
     */
    public synchronized void lend(O owner, List<IpAddress> addresses) {
        for (IpAddress address : addresses) {
            checkHolder(owner, address);
        }
        addresses.forEach(address -> put(owner, address));
        lent.addAll(addresses);
    }

    /** Addresses that owners have and that are of no block of the book, in order. */
    public synchronized List<IpAddress> lent() {
        return List.copyOf(lent);
    }

    /** Those of these addresses that are in no block and that no owner has: nobody here can give them. */
    public synchronized List<IpAddress> outside(List<IpAddress> these) {
        return these.stream()
                .filter(address ->
                        !byAddress.containsKey(address) && blockAround(address).isEmpty())
                .toList();
    }

    /**
     * Records that an address cools down from now on, as found in the journal.
     *
     * @param now a monotonic time
     */
    public synchronized void restoreCooling(IpAddress address, Duration now) {
        expire(now);
        if (!byAddress.containsKey(address)) {
            cool(address, now);
        }
    }

    /**
     * Ends an owner's hold of all its addresses; they cool down, but for those that were lent. Releasing what is not held
     * does nothing.
     *
     * @param now a monotonic time
     * @return the addresses that cool down now, IPv4 first
     */
    public synchronized List<IpAddress> release(O owner, Duration now) {
        List<IpAddress> addresses = new ArrayList<>(held(owner).values());
        byOwner.remove(owner);
        addresses.forEach(byAddress::remove);
        addresses.removeIf(lent::remove);
        addresses.forEach(address -> cool(address, now));
        return List.copyOf(addresses);
    }

    /** The addresses an owner holds, IPv4 first; none: it holds none. */
    public synchronized List<IpAddress> heldBy(O owner) {
        return List.copyOf(held(owner).values());
    }

    /** Addresses that cool down now, longest first. */
    public synchronized List<IpAddress> cooling(Duration now) {
        expire(now);
        return List.copyOf(coolingByAddress.keySet());
    }

    /**
     * Who has which address, and which cool down, all at one moment.
     *
     * @param now a monotonic time
     */
    public synchronized Holdings<O> holdings(Duration now) {
        expire(now);
        Map<IpAddress, Duration> ago = new HashMap<>();
        cooling.forEach(c -> ago.put(c.address(), now.minus(c.since())));
        return new Holdings<>(byAddress, ago);
    }

    /**
     * How many addresses of a family could be taken now by a pod that no pool selects.
     *
     * @param now a monotonic time
     */
    public synchronized int free(IpFamily family, Duration now) {
        return free(family, "", now);
    }

    /**
     * How many addresses of a family could be taken now from the blocks of a pool.
     *
     * @param pool empty: of any without a namespace selector
     * @param now a monotonic time
     */
    public synchronized int free(IpFamily family, String pool, Duration now) {
        expire(now);
        return freeOf(family, pool, NO_NAMESPACE).mapToInt(Set::size).sum();
    }

    private Map<IpFamily, IpAddress> held(O owner) {
        return byOwner.getOrDefault(owner, new EnumMap<>(IpFamily.class));
    }

    /**
     * Free addresses of each block of a family and a pool, or of any pool that serves a namespace, that gives any, in the
     * order of blocks.
     */
    private Stream<SortedSet<Free>> freeOf(IpFamily family, String pool, String namespace) {
        List<String> selecting =
                namespaces.isNone() || !pool.isEmpty() ? NOBODY : namespaces.selecting(namespace, family);
        return blocks.entrySet().stream()
                .filter(block -> block.getKey().family() == family)
                .filter(block -> !closed.contains(block.getKey()))
                .filter(block -> fits(pools.get(block.getKey()), pool, selecting))
                .map(Map.Entry::getValue);
    }

    private boolean fits(String pool, String wanted, List<String> selecting) {
        if (!wanted.isEmpty()) {
            return wanted.equals(pool);
        }
        return namespaces.isNone() || (selecting.isEmpty() ? !namespaces.restricts(pool) : selecting.contains(pool));
    }

    private Free entry(IpAddress address) {
        return new Free(released.getOrDefault(address, -1L), address);
    }

    /** The free addresses of the block that holds an address; empty when it lies in none. */
    private Optional<SortedSet<Free>> freeAround(IpAddress address) {
        return blockAround(address).map(blocks::get);
    }

    private Optional<IpPrefix> blockAround(IpAddress address) {
        return Optional.ofNullable(blocks.floorKey(IpPrefix.ofHost(address))).filter(block -> block.contains(address));
    }

    private void cool(IpAddress address, Duration now) {
        if (!coolingByAddress.containsKey(address)) {
            freeAround(address).ifPresent(free -> free.remove(entry(address)));
            Duration length = blockAround(address).map(coolDowns::get).orElse(coolDown);
            Cooling begun = new Cooling(now.plus(length), releases++, address, now);
            cooling.add(begun);
            coolingByAddress.put(address, begun);
            released.put(address, begun.released());
        }
    }

    private Cooling extended(Cooling begun, Duration length) {
        Duration until = begun.since().plus(length);
        if (until.compareTo(begun.until()) <= 0) {
            return begun;
        }
        cooling.remove(begun);
        Cooling longer = new Cooling(until, begun.released(), begun.address(), begun.since());
        cooling.add(longer);
        return longer;
    }

    private void put(O owner, IpAddress address) {
        byOwner.computeIfAbsent(owner, _ -> new EnumMap<>(IpFamily.class)).put(address.family(), address);
        byAddress.put(address, owner);
        freeAround(address).ifPresent(free -> free.remove(entry(address)));
        released.remove(address);
        Cooling ended = coolingByAddress.remove(address);
        if (ended != null) {
            cooling.remove(ended);
        }
    }

    private void expire(Duration now) {
        while (!cooling.isEmpty() && cooling.getFirst().until().compareTo(now) <= 0) {
            IpAddress address = cooling.removeFirst().address();
            coolingByAddress.remove(address);
            freeAround(address).ifPresent(free -> free.add(entry(address)));
        }
    }
}
