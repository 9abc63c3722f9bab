package io.podwire.e2e.ipam.sim;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.Entry;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.Outcome;
import io.podwire.ipam.store.Reading;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** Knows what is stored and who uses which address, and says whether both may be. */
final class Checker {
    private static final String NODES = "nodes/";

    /** How long a released address of any pool is given to nobody. */
    static final Duration COOL_DOWN = Duration.ofSeconds(1);

    /** How long a node is missing before its blocks are taken back. */
    static final Duration GRACE = Duration.ofMillis(1500);

    private final World world;
    private final Cluster cluster;
    /** When something was last stored of each installation by itself. */
    private final Map<String, Duration> written = new HashMap<>();
    /** The newest life of each installation that has lost its blocks. */
    private final Map<String, Long> lost = new HashMap<>();
    /** Claims whose blocks their nodes give back. */
    private final Set<String> givenBack = new HashSet<>();

    private int reclaims;
    private final List<SimNode> nodes = new ArrayList<>();
    private final List<Witness> witnesses = new ArrayList<>();
    /** Who uses an address, be it a pod or whoever was given a single one. */
    private final Map<IpAddress, User> users = new TreeMap<>();

    private final Map<IpAddress, Duration> released = new TreeMap<>();
    private SimStore.State disk = new SimStore.State(0, 0, new TreeMap<>());
    private LedgerSnapshot stored = LedgerSnapshot.NONE;
    private boolean changed;

    /** One that uses an address. */
    record User(String id, boolean single) {}

    /** What was seen not to hold. */
    static final class Violation extends AssertionError {
        private static final long serialVersionUID = 1L;

        Violation(String what) {
            super(what);
        }
    }

    /** Tells whether something was true at any moment since it was made. */
    final class Witness {
        private final Predicate<Ledger> what;
        private boolean seen;

        private Witness(Predicate<Ledger> what) {
            this.what = what;
            look();
        }

        private void look() {
            seen = seen || what.test(stored.ledger());
        }

        /** Ends it. */
        void mustHaveSeen(String answer) {
            witnesses.remove(this);
            require(seen, answer + ", which was true at no moment of the call");
        }
    }

    Checker(World world, Cluster cluster) {
        this.world = world;
        this.cluster = cluster;
    }

    void watch(SimNode node) {
        nodes.add(node);
    }

    Witness witness(Predicate<Ledger> what) {
        Witness witness = new Witness(what);
        if (!witness.seen) {
            witnesses.add(witness);
        }
        return witness;
    }

    /** Ends a witness whose call had another answer. */
    void dismiss(Witness witness) {
        witnesses.remove(witness);
    }

    static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new Violation(otherwise);
        }
    }

    /** Somebody begins to use an address. */
    void used(IpAddress address, User by) {
        User other = users.putIfAbsent(address, by);
        require(other == null, address + " has two owners, " + other + " and " + by);
        Duration before = released.get(address);
        require(
                before == null || world.monotonic().minus(before).compareTo(COOL_DOWN) >= 0,
                address + " was released at " + before + " and is given to " + by + " before it has cooled down");
        changed();
    }

    /** Whoever uses an address does not any more. */
    void unused(IpAddress address) {
        users.remove(address);
        released.put(address, world.monotonic());
    }

    /** An address does not count any more: whoever uses it is dead by definition. */
    void lost(IpAddress address) {
        users.remove(address);
    }

    /** A node releases the block that a request took. */
    void givesBack(String request) {
        givenBack.add(request);
    }

    /** How often the blocks of an installation were taken back. */
    int reclaims() {
        return reclaims;
    }

    /** What a node gives addresses of has changed. */
    void changed() {
        changed = true;
    }

    /** The store's disk has another state. */
    void stored(SimStore.State state) {
        boolean several = several(state);
        disk = state;
        Ledger before = stored.ledger();
        stored = stored.refreshed(new Disk(state));
        reclaimed(before, stored.ledger()).forEach((installation, last) -> reclaimed(installation, last, before));
        state.entries().values().stream()
                .filter(entry ->
                        entry.version() == state.revision() && entry.key().startsWith(NODES))
                .forEach(entry -> written.put(entry.key().substring(NODES.length()), world.monotonic()));
        witnesses.forEach(witness -> {
            witness.look();
            witness.seen |= several;
        });
        witnesses.removeIf(witness -> witness.seen);
        checkLedger(stored.ledger());
        checkTheDead(stored.ledger());
        changed();
    }

    /** The installations that a write has taken blocks from or fenced, in the newest life before it. */
    private Map<String, NodeEpoch> reclaimed(Ledger before, Ledger after) {
        Map<String, NodeEpoch> reclaimed = new TreeMap<>();
        after.nodes().stream()
                .filter(NodeEpoch::isReclaimed)
                .filter(epoch -> before.newest(epoch).filter(epoch::equals).isEmpty())
                .forEach(epoch -> reclaimed.put(Ledger.installation(epoch), epoch));
        for (Block block : before.blocks()) {
            if (!AddressRules.isOwn(block) && !after.blocks().contains(block) && !released(block, before, after)) {
                reclaimed.putIfAbsent(
                        Ledger.installation(block.owner()),
                        before.newest(block.owner()).orElse(block.owner()));
            }
        }
        return reclaimed;
    }

    /** True when its own node may have given a block back: that writes the life that does it, no other one. */
    private boolean released(Block block, Ledger before, Ledger after) {
        Entry node = disk.entries().get(NODES + Ledger.installation(block.owner()));
        boolean writes = node != null && node.version() == disk.revision();
        boolean sameLife = before.newest(block.owner()).equals(after.newest(block.owner()));
        return writes && (sameLife || givenBack.contains(block.requestId()));
    }

    private void reclaimed(String installation, NodeEpoch last, Ledger before) {
        SimNode node = nodes.stream()
                .filter(one -> one.name().equals(last.node()))
                .findFirst()
                .orElseThrow();
        Duration since = written.getOrDefault(installation, Duration.ZERO);
        Duration missing = cluster.missing(last.node(), since);
        Duration replaced = node.replacedSince(last)
                .map(at -> world.monotonic().minus(at.compareTo(since) > 0 ? at : since))
                .orElse(Duration.ZERO);
        world.note("the blocks of " + last + " are taken back");
        require(
                missing.compareTo(GRACE) >= 0 || replaced.compareTo(GRACE) >= 0,
                "the blocks of " + last + " are taken back, which wrote last at " + since + ", was missing for "
                        + missing + " since and is replaced for " + replaced);
        reclaims++;
        lost.put(installation, last.counter());
        before.blocks().stream()
                .filter(block -> block.owner().sameOwner(last))
                .forEach(block -> released.keySet().removeIf(block.cidr()::contains));
        node.lose(last);
    }

    /** Nothing is owned by the dead. */
    private void checkTheDead(Ledger ledger) {
        for (Block block : ledger.blocks()) {
            long last = lost.getOrDefault(Ledger.installation(block.owner()), 0L);
            require(
                    block.owner().counter() > last,
                    block + " is owned by a life whose blocks were taken back before, up to start " + last);
        }
    }

    /**
     * True when the last write may be several calls' own: one of these may have been decided on something that was true
     * between two of them, and that nobody sees.
     */
    private boolean several(SimStore.State state) {
        List<String> written = Stream.concat(
                        state.entries().values().stream()
                                .filter(entry -> entry.version() == state.revision())
                                .map(Entry::key),
                        disk.entries().keySet().stream()
                                .filter(key -> !state.entries().containsKey(key)))
                .toList();
        boolean again = written.stream()
                .filter(disk.entries()::containsKey)
                .filter(state.entries()::containsKey)
                .anyMatch(
                        key -> key.startsWith("blocks/") || (key.startsWith("pools/") && written.contains("catalog")));
        return again
                || written.stream()
                                .filter(key -> key.startsWith("blocks/") || key.startsWith("addresses/"))
                                .count()
                        > 1;
    }

    /** After every step. */
    void check() {
        if (!changed) {
            return;
        }
        changed = false;
        Ledger ledger = stored.ledger();
        users.forEach((address, user) -> {
            if (user.single()) {
                require(
                        ledger.addressesOf(user.id()).stream()
                                .anyMatch(one -> one.address().equals(address)),
                        user.id() + " uses " + address + ", which is not stored as its own: "
                                + ledger.address(address));
            }
        });
        nodes.forEach(node -> node.check(ledger));
    }

    private static void checkLedger(Ledger ledger) {
        Set<String> requests = new HashSet<>();
        for (Block block : ledger.blocks()) {
            Pool pool = ledger.pool(block.pool()).orElse(null);
            require(pool != null, block + " is owned, and its pool is gone");
            require(pool.state() != PoolState.RETIRED, block + " is owned, and its pool is retired");
            require(
                    pool.cidr().contains(block.cidr()) && block.cidr().length() == pool.blockLength(),
                    block + " is no block of " + pool);
            require(requests.add(block.requestId()), "request " + block.requestId() + " took two blocks");
        }
        Set<String> owners = new HashSet<>();
        for (SingleAddress one : ledger.addresses()) {
            require(
                    ledger.blocksOf(one.pool()).stream()
                            .anyMatch(block ->
                                    AddressRules.isOwn(block) && block.cidr().contains(one.address())),
                    one + " is in no block of the service's own");
            one.use()
                    .user()
                    .ifPresent(owner ->
                            require(owners.add(owner.id()), owner + " has two addresses and asked for one, " + one));
        }
        for (Pool pool : ledger.pools()) {
            checkSizes(ledger, pool);
        }
    }

    /** Allocated and free are all there is, counted block by block. */
    private static void checkSizes(Ledger ledger, Pool pool) {
        long size = pool.cidr().size().longValueExact() / blocks(pool);
        int allocated = 0;
        int free = 0;
        for (int i = 0; i < blocks(pool); i++) {
            IpPrefix place = IpPrefix.containing(pool.cidr().address().plus(i * size), pool.blockLength());
            long owners = ledger.blocks().stream()
                    .filter(block -> block.cidr().overlaps(place))
                    .count();
            require(owners <= 1, place + " is owned " + owners + " times");
            allocated += (int) owners;
            free += owners == 0 ? 1 : 0;
        }
        require(
                allocated == ledger.blocksOf(pool.name()).size() && allocated + free == blocks(pool),
                pool + ": " + allocated + " blocks are allocated and " + free + " free, and "
                        + ledger.blocksOf(pool.name()).size() + " owned of " + blocks(pool));
    }

    private static int blocks(Pool pool) {
        return 1 << (pool.blockLength() - pool.cidr().length());
    }

    /** True when no pool has a block for a node. */
    static boolean noBlockFree(Ledger ledger) {
        return ledger.pools().stream()
                .filter(pool -> pool.state() == PoolState.ACTIVE && pool.purpose() == PoolPurpose.PODS)
                .allMatch(pool -> ledger.blocksOf(pool.name()).size() == blocks(pool));
    }

    /** True when no address of these pools can be had. */
    static boolean noAddressFree(Ledger ledger, Predicate<Pool> of) {
        return ledger.pools().stream()
                .filter(pool -> pool.state() == PoolState.ACTIVE)
                .filter(of)
                .allMatch(pool -> ledger.blocksOf(pool.name()).size() == blocks(pool)
                        && ledger.blocksOf(pool.name()).stream()
                                .filter(AddressRules::isOwn)
                                .allMatch(block ->
                                        ledger.addressesIn(block.cidr()).size()
                                                == block.cidr().size().intValueExact()));
    }

    /** The disk as a store that nobody writes to. */
    private record Disk(SimStore.State state) implements IpamStore {
        @Override
        public Reading read(long since) {
            return state.read(since);
        }

        @Override
        public long revision() {
            return state.revision();
        }

        @Override
        public Outcome compareAndSet(List<Change> changes) {
            throw new UnsupportedOperationException("the checker writes nothing");
        }

        @Override
        public boolean connected() {
            return true;
        }

        @Override
        public void close() {}
    }
}
