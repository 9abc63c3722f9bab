package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import java.math.BigInteger;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
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
 * same. A released address cools down before anyone gets it again, and of a block's free addresses the
 * one released longest ago is taken first, so that late packets and stale conntrack entries of its
 * last owner meet nobody.
 *
 * @param <O> the owner's type, with equals
 */
public final class AddressBook<O> {
    /** Of a block with more addresses, as IPv6 allows, only so many are used: a node has fewer pods. */
    static final int MOST_OF_A_BLOCK = 1 << 12;

    private record Cooling(IpAddress address, Duration until) {}

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

    private final Map<O, EnumMap<IpFamily, IpAddress>> byOwner = new HashMap<>();
    private final Map<IpAddress, O> byAddress = new HashMap<>();
    private final Deque<Cooling> cooling = new ArrayDeque<>();
    private final Set<IpAddress> coolingSet = new HashSet<>();
    /** When each address was last released, as a running number; an address in use has none. */
    private final Map<IpAddress, Long> released = new HashMap<>();

    private long releases;

    /**
     * An empty book.
     *
     * @param coolDown how long a released address is given to nobody, 0 or more
     */
    public AddressBook(Duration coolDown) {
        if (coolDown.isNegative()) {
            throw new IllegalArgumentException("cool-down must be 0 or more, got " + coolDown);
        }
        this.coolDown = coolDown;
    }

    /** Adds a block of a pool without a name; see {@link #addBlock(IpPrefix, String)}. */
    public void addBlock(IpPrefix block) {
        addBlock(block, "");
    }

    /** Adds a block that the node owns, of a pool; adding it twice is adding it once. */
    public synchronized void addBlock(IpPrefix block, String pool) {
        pools.put(block, pool);
        if (blocks.containsKey(block)) {
            return;
        }
        SortedSet<Free> free = new TreeSet<>();
        int size = block.size().min(BigInteger.valueOf(MOST_OF_A_BLOCK)).intValueExact();
        for (int i = 0; i < size; i++) {
            IpAddress address = block.address().plus(i);
            if (!byAddress.containsKey(address) && !coolingSet.contains(address)) {
                free.add(entry(address));
            }
        }
        blocks.put(block, free);
    }

    /** Stops taking addresses from a block; owners keep theirs. Removing what is gone does nothing. */
    public synchronized void removeBlock(IpPrefix block) {
        blocks.remove(block);
        pools.remove(block);
    }

    /** The blocks, in order. */
    public synchronized List<IpPrefix> blocks() {
        return List.copyOf(blocks.keySet());
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
            Optional<IpAddress> address = Optional.ofNullable(held.get(family)).or(() -> next(family, ""));
            if (address.isEmpty()) {
                return Optional.empty();
            }
            addresses.add(address.get());
        }
        addresses.forEach(address -> put(owner, address));
        return Optional.of(new PodAddresses(addresses));
    }

    /**
     * Takes addresses for an owner, some of which it names: all or none.
     *
     * @param families that it wants an address of, each
     * @param these the addresses that it names, at most one of each of the families
     * @param pool whose blocks alone are taken from; a family that has no block of it is not meant as long as
     *     another of them has; empty: any
     * @param now a monotonic time
     * @throws IllegalStateException when the owner holds another address than one that it names
     */
    public synchronized Taking<O> takeThis(
            O owner, Set<IpFamily> families, List<IpAddress> these, String pool, Duration now) {
        expire(now);
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
            Optional<Taking<O>> refusal = refusal(owner, address, ofPool.contains(address.family()) ? pool : "");
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
                    Optional.ofNullable(held(owner).get(family)).or(() -> next(family, from));
            if (any.isEmpty()) {
                return new Taking.Exhausted<>(family, from);
            }
            addresses.add(any.get());
        }
        addresses.forEach(address -> put(owner, address));
        return new Taking.Taken<>(new PodAddresses(addresses));
    }

    private Optional<Taking<O>> refusal(O owner, IpAddress address, String pool) {
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
        return coolingSet.contains(address) ? Optional.of(new Taking.Cooling<>(address)) : Optional.empty();
    }

    private Optional<IpAddress> next(IpFamily family, String pool) {
        return freeOf(family, pool)
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
        O holder = byAddress.get(address);
        if (holder != null && !holder.equals(owner)) {
            throw new IllegalStateException(address + " is held by " + holder + ", cannot restore it for " + owner);
        }
        IpAddress held = held(owner).get(address.family());
        if (held != null && !held.equals(address)) {
            throw new IllegalStateException(owner + " holds " + held + ", cannot restore " + address + " for it");
        }
        put(owner, address);
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
     * Ends an owner's hold of all its addresses; they cool down. Releasing what is not held does nothing.
     *
     * @param now a monotonic time
     * @return the addresses that cool down now, IPv4 first
     */
    public synchronized List<IpAddress> release(O owner, Duration now) {
        List<IpAddress> addresses = List.copyOf(held(owner).values());
        byOwner.remove(owner);
        addresses.forEach(address -> {
            byAddress.remove(address);
            cool(address, now);
        });
        return addresses;
    }

    /** The addresses an owner holds, IPv4 first; none: it holds none. */
    public synchronized List<IpAddress> heldBy(O owner) {
        return List.copyOf(held(owner).values());
    }

    /** Addresses that cool down now, longest first. */
    public synchronized List<IpAddress> cooling(Duration now) {
        expire(now);
        return cooling.stream().map(Cooling::address).toList();
    }

    /**
     * How many addresses of a family could be taken now.
     *
     * @param now a monotonic time
     */
    public synchronized int free(IpFamily family, Duration now) {
        return free(family, "", now);
    }

    /**
     * How many addresses of a family could be taken now from the blocks of a pool.
     *
     * @param pool empty: of any
     * @param now a monotonic time
     */
    public synchronized int free(IpFamily family, String pool, Duration now) {
        expire(now);
        return freeOf(family, pool).mapToInt(Set::size).sum();
    }

    private Map<IpFamily, IpAddress> held(O owner) {
        return byOwner.getOrDefault(owner, new EnumMap<>(IpFamily.class));
    }

    /** Free addresses of each block of a family and a pool, or of any pool, in the order of blocks. */
    private Stream<SortedSet<Free>> freeOf(IpFamily family, String pool) {
        return blocks.entrySet().stream()
                .filter(block -> block.getKey().family() == family)
                .filter(block -> pool.isEmpty() || pool.equals(pools.get(block.getKey())))
                .map(Map.Entry::getValue);
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
        if (coolingSet.add(address)) {
            freeAround(address).ifPresent(free -> free.remove(entry(address)));
            cooling.addLast(new Cooling(address, now.plus(coolDown)));
            released.put(address, releases++);
        }
    }

    private void put(O owner, IpAddress address) {
        byOwner.computeIfAbsent(owner, _ -> new EnumMap<>(IpFamily.class)).put(address.family(), address);
        byAddress.put(address, owner);
        freeAround(address).ifPresent(free -> free.remove(entry(address)));
        released.remove(address);
        if (coolingSet.remove(address)) {
            cooling.removeIf(c -> c.address().equals(address));
        }
    }

    private void expire(Duration now) {
        for (Iterator<Cooling> it = cooling.iterator(); it.hasNext(); ) {
            Cooling next = it.next();
            if (next.until().compareTo(now) > 0) {
                return;
            }
            coolingSet.remove(next.address());
            freeAround(next.address()).ifPresent(free -> free.add(entry(next.address())));
            it.remove();
        }
    }
}
