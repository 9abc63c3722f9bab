package io.podwire.node.address;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
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

/**
 * Which address of the node's own blocks belongs to which owner. No I/O and no clock: time is an
 * argument. Guarded by its own monitor, held for microseconds.
 *
 * <p>An owner asking twice gets the same address. A released address cools down before anyone gets
 * it again, and of a block's free addresses the one released longest ago is taken first, so that
 * late packets and stale conntrack entries of its last owner meet nobody.
 *
 * @param <O> the owner's type, with equals
 */
public final class AddressBook<O> {
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

    private final Map<O, IpAddress> byOwner = new HashMap<>();
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

    /** Adds a block that the node owns; adding it twice is adding it once. */
    public synchronized void addBlock(IpPrefix block) {
        if (blocks.containsKey(block)) {
            return;
        }
        SortedSet<Free> free = new TreeSet<>();
        for (int i = 0; i < block.size().intValueExact(); i++) {
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
    }

    /** The blocks, in order. */
    public synchronized List<IpPrefix> blocks() {
        return List.copyOf(blocks.keySet());
    }

    /**
     * Takes an address for an owner.
     *
     * @param now a monotonic time
     * @return the owner's address, or empty when every address is in use or cooling
     */
    public synchronized Optional<IpAddress> take(O owner, Duration now) {
        IpAddress held = byOwner.get(owner);
        if (held != null) {
            return Optional.of(held);
        }
        expire(now);
        Optional<IpAddress> free = blocks.values().stream()
                .filter(set -> !set.isEmpty())
                .findFirst()
                .map(set -> set.first().address());
        free.ifPresent(address -> put(owner, address));
        return free;
    }

    /**
     * Records that an owner has an address, as found in the journal.
     *
     * @throws IllegalStateException when another owner has it, or the owner has another address
     */
    public synchronized void restore(O owner, IpAddress address) {
        O holder = byAddress.get(address);
        if (holder != null && !holder.equals(owner)) {
            throw new IllegalStateException(address + " is held by " + holder + ", cannot restore it for " + owner);
        }
        IpAddress held = byOwner.get(owner);
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
     * Ends an owner's hold; its address cools down. Releasing what is not held does nothing.
     *
     * @param now a monotonic time
     * @return the address that cools down now, or empty
     */
    public synchronized Optional<IpAddress> release(O owner, Duration now) {
        IpAddress address = byOwner.remove(owner);
        if (address == null) {
            return Optional.empty();
        }
        byAddress.remove(address);
        cool(address, now);
        return Optional.of(address);
    }

    /** The address an owner holds. */
    public synchronized Optional<IpAddress> heldBy(O owner) {
        return Optional.ofNullable(byOwner.get(owner));
    }

    /** Addresses that cool down now, longest first. */
    public synchronized List<IpAddress> cooling(Duration now) {
        expire(now);
        return cooling.stream().map(Cooling::address).toList();
    }

    /**
     * How many addresses could be taken now.
     *
     * @param now a monotonic time
     */
    public synchronized int free(Duration now) {
        expire(now);
        return blocks.values().stream().mapToInt(Set::size).sum();
    }

    private Free entry(IpAddress address) {
        return new Free(released.getOrDefault(address, -1L), address);
    }

    /** The free addresses of the block that holds an address; empty when it lies in none. */
    private Optional<SortedSet<Free>> freeAround(IpAddress address) {
        Map.Entry<IpPrefix, SortedSet<Free>> below = blocks.floorEntry(IpPrefix.ofHost(address));
        return below != null && below.getKey().contains(address) ? Optional.of(below.getValue()) : Optional.empty();
    }

    private void cool(IpAddress address, Duration now) {
        if (coolingSet.add(address)) {
            freeAround(address).ifPresent(free -> free.remove(entry(address)));
            cooling.addLast(new Cooling(address, now.plus(coolDown)));
            released.put(address, releases++);
        }
    }

    private void put(O owner, IpAddress address) {
        byOwner.put(owner, address);
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
