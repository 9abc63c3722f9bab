package io.podwire.e2e.ipam.sim;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.ipam.core.AddressOwner;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.PoolPurpose;
import io.podwire.ipam.core.PoolState;
import io.podwire.ipam.core.SingleAddress;
import io.podwire.ipam.core.Workload;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.Entry;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Knows what is stored and who uses which address, and says whether both may be. */
final class Checker {
    private static final String NODES = "nodes/";
    private static final String POOLS = "pools/";

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
    /** How many single addresses of pods were taken back. */
    private int singlesTaken;

    /** Since when each single address is its owner's. */
    private final Map<IpAddress, Held> held = new HashMap<>();

    private final List<SimNode> nodes = new ArrayList<>();
    private final List<Witness> witnesses = new ArrayList<>();
    /** Who uses an address, be it a pod or whoever was given a single one. */
    private final Map<IpAddress, User> users = new TreeMap<>();

    private final Map<IpAddress, Released> released = new TreeMap<>();
    private final Wanted wanted = new Wanted();
    private SimStore.State disk = new SimStore.State(0, 0, new TreeMap<>());
    private LedgerSnapshot stored = LedgerSnapshot.NONE;
    private boolean changed;

    /**
     * One that uses an address.
     *
     * @param workload that it is a replica of, for which the address is reserved
     */
    record User(String id, boolean single, Optional<Workload> workload) {
        /** One that is no replica of a workload. */
        User(String id, boolean single) {
            this(id, single, Optional.empty());
        }
    }

    /** When an address was used last, and the workload whose it may be again at once. */
    private record Released(Duration at, Optional<Workload> workload) {}

    /** Somebody has a single address since then. */
    private record Held(String owner, Duration since) {}

    /** What was seen not to hold. */
    static final class Violation extends AssertionError {
        private static final long serialVersionUID = 1L;

        Violation(String what) {
            super(what);
        }
    }

    /**
     * Sees all that is stored while a call lasts. A replica decides what it refuses on what it has read and on what the same
     * write of its own makes of it; others may have written between. So that counts as a moment, too.
     */
    final class Witness {
        private final List<LedgerSnapshot> moments = new ArrayList<>(List.of(stored));
        /** What made each of the moments but the first. */
        private final List<List<Change>> writes = new ArrayList<>();
        /** A call may have been decided on what was true between two others of one write, and that nobody sees. */
        private boolean betweenCalls;

        private Witness() {}

        private void sees(List<Change> write, boolean several) {
            moments.add(stored);
            writes.add(write);
            betweenCalls |= several;
        }

        /** Ends it. */
        void mustHaveSeen(Predicate<Ledger> what, String answer) {
            witnesses.remove(this);
            require(
                    betweenCalls
                            || moments.stream().map(LedgerSnapshot::ledger).anyMatch(what)
                            || couldBeDecidedOn(what),
                    answer + ", which was true at no moment of the call");
        }

        private boolean couldBeDecidedOn(Predicate<Ledger> what) {
            return IntStream.range(0, writes.size())
                    .anyMatch(write -> moments.subList(0, write).stream()
                            .map(read -> read.applied(writes.get(write)).ledger())
                            .anyMatch(what));
        }
    }

    Checker(World world, Cluster cluster) {
        this.world = world;
        this.cluster = cluster;
    }

    void watch(SimNode node) {
        nodes.add(node);
    }

    /** What is asked for of single addresses. */
    Wanted wanted() {
        return wanted;
    }

    /** What is stored. */
    Ledger ledger() {
        return stored.ledger();
    }

    Witness witness() {
        Witness witness = new Witness();
        witnesses.add(witness);
        return witness;
    }

    /** Ends a witness whose call had no answer that needs one. */
    void dismiss(Witness witness) {
        witnesses.remove(witness);
    }

    static void require(boolean holds, String otherwise) {
        require(holds, () -> otherwise);
    }

    /** The same where it is asked so often that nothing is to be said as long as it holds. */
    static void require(boolean holds, Supplier<String> otherwise) {
        if (!holds) {
            throw new Violation(otherwise.get());
        }
    }

    /** Somebody begins to use an address. */
    void used(IpAddress address, User by) {
        User other = users.putIfAbsent(address, by);
        require(other == null, address + " has two owners, " + other + " and " + by);
        Released before = released.get(address);
        require(
                before == null
                        || (by.workload().isPresent() && by.workload().equals(before.workload()))
                        || world.monotonic().minus(before.at()).compareTo(COOL_DOWN) >= 0,
                address + " was released, " + before + ", and is given to " + by + " before it has cooled down");
        changed();
    }

    /** Whoever uses an address does not any more. */
    void unused(IpAddress address) {
        User last = users.remove(address);
        released.put(address, new Released(world.monotonic(), last == null ? Optional.empty() : last.workload()));
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

    /** How many single addresses of pods were taken back. */
    int singlesTaken() {
        return singlesTaken;
    }

    /** What a node gives addresses of has changed. */
    void changed() {
        changed = true;
    }

    /** The store's disk has another state. */
    void stored(SimStore.State state) {
        SimStore.State then = disk;
        disk = state;
        Ledger before = stored.ledger();
        List<Change> write = changes(then, state);
        stored = stored.applied(write);
        boolean several = several(then, state, before, stored.ledger());
        Map<String, NodeEpoch> reclaimed = reclaimed(before, stored.ledger());
        reclaimed.values().forEach(last -> checkPodsOfTheDead(last, before, stored.ledger()));
        reclaimed.forEach((installation, last) -> reclaimed(installation, last, before));
        takenBack(before, stored.ledger());
        hold(stored.ledger());
        state.entries().values().stream()
                .filter(entry ->
                        entry.version() == state.revision() && entry.key().startsWith(NODES))
                .forEach(entry -> written.put(entry.key().substring(NODES.length()), world.monotonic()));
        witnesses.forEach(witness -> witness.sees(write, several));
        checkLedger(stored.ledger());
        wanted.turned(before, stored.ledger());
        checkTheDead(stored.ledger());
        changed();
    }

    /** What was written between two states, read from its text. */
    private static List<Change> changes(SimStore.State before, SimStore.State after) {
        List<Change> changes = new ArrayList<>();
        before.entries().keySet().stream()
                .filter(key -> !after.entries().containsKey(key))
                .forEach(key -> changes.add(new Change.Delete(key, Change.ABSENT)));
        after.entries().values().stream()
                .filter(entry -> entry.version() > before.revision())
                .forEach(entry -> changes.add(new Change.Put(entry.key(), Change.ABSENT, entry.value())));
        return changes;
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

    private SimNode node(NodeName name) {
        return nodes.stream().filter(one -> one.name().equals(name)).findFirst().orElseThrow();
    }

    /** Single addresses that a write has taken from pods that have not released them. */
    private void takenBack(Ledger before, Ledger after) {
        for (SingleAddress was : before.addresses()) {
            AddressOwner owner = was.use().user().orElse(null);
            if (owner == null
                    || owner.node().isEmpty()
                    || isOf(owner, after.address(was.address()))
                    || wanted.releases(owner, was.address())) {
                continue;
            }
            NodeName node = new NodeName(owner.node());
            Duration since = held.get(was.address()).since();
            Duration missing = cluster.longestMissing(node, since);
            require(
                    missing.compareTo(GRACE) >= 0,
                    was.address() + " is taken back of " + owner + ", which has it since " + since
                            + "; its node was missing for " + missing + " since");
            singlesTaken++;
            wanted.releases(owner.id(), List.of(was.address()));
            node(node).loseSingle(owner.id());
        }
    }

    /** Whoever takes the blocks of a node that is gone takes what its pods have had since before it went. */
    private void checkPodsOfTheDead(NodeEpoch last, Ledger before, Ledger after) {
        Duration left = cluster.left(last.node()).orElse(Duration.ZERO);
        boolean hadBlocks =
                before.blocks().stream().anyMatch(block -> block.owner().sameOwner(last));
        if (!hadBlocks || node(last.node()).replacedSince(last).isPresent()) {
            return;
        }
        for (SingleAddress was : before.addresses()) {
            was.use()
                    .user()
                    .filter(owner -> owner.node().equals(last.node().value())
                            && held.get(was.address()).since().compareTo(left) < 0)
                    .ifPresent(owner -> require(
                            !isOf(owner, after.address(was.address())),
                            () -> was.address() + " is still of " + owner + ", whose node is gone: the blocks of "
                                    + last + " are taken back"));
        }
    }

    private static boolean isOf(AddressOwner owner, Optional<SingleAddress> address) {
        return address.flatMap(one -> one.use().user()).equals(Optional.of(owner));
    }

    private void hold(Ledger ledger) {
        held.keySet().removeIf(address -> ledger.address(address).isEmpty());
        for (SingleAddress is : ledger.addresses()) {
            String owner = is.use().user().map(AddressOwner::id).orElse("");
            held.compute(
                    is.address(),
                    (_, known) ->
                            known != null && known.owner().equals(owner) ? known : new Held(owner, world.monotonic()));
        }
    }

    private void reclaimed(String installation, NodeEpoch last, Ledger before) {
        SimNode node = node(last.node());
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
                    () -> block + " is owned by a life whose blocks were taken back before, up to start " + last);
        }
    }

    /** True when a write may be several calls' own. */
    private static boolean several(SimStore.State last, SimStore.State state, Ledger before, Ledger after) {
        Set<String> calls = new HashSet<>();
        Set<String> pools = new HashSet<>();
        for (SingleAddress was : before.addresses()) {
            if (after.address(was.address()).isEmpty()) {
                calls.add("end of a cool-down");
                pools.add(was.pool());
            }
        }
        for (SingleAddress is : after.addresses()) {
            Optional<SingleAddress> was = before.address(is.address());
            if (!was.equals(Optional.of(is))) {
                calls.addAll(callsOf(was.map(SingleAddress::use), is.use()));
                pools.add(is.pool());
            }
        }
        List<Block> old = before.blocks();
        List<Block> now = after.blocks();
        for (Block block : old) {
            if (!now.contains(block)) {
                calls.add(AddressRules.isOwn(block) ? "end of a cool-down" : "release of " + block.requestId());
                pools.add(block.pool());
            }
        }
        for (Block block : now) {
            if (!old.contains(block)) {
                pools.add(block.pool());
                if (!AddressRules.isOwn(block)) {
                    calls.add("claim " + block.requestId());
                }
            }
        }
        // A node's call writes that node, also where it leaves a block as another call of the same write had found it.
        long nodes = state.entries().values().stream()
                .filter(entry ->
                        entry.version() == state.revision() && entry.key().startsWith(NODES))
                .count();
        Entry catalog = state.entries().get("catalog");
        boolean poolsChanged = catalog != null && catalog.version() == state.revision();
        boolean hidden = state.entries().values().stream()
                .filter(entry -> entry.version() == state.revision())
                .map(Entry::key)
                .filter(key -> key.startsWith(POOLS))
                .map(key -> key.substring(POOLS.length()))
                .anyMatch(pool -> poolsChanged ? last.entries().containsKey(POOLS + pool) : !pools.contains(pool));
        return hidden || nodes > 1 || calls.size() > 1;
    }

    /** The calls that can have made one use of the other, as few as possible. */
    private static List<String> callsOf(Optional<AddressUse> was, AddressUse is) {
        AddressUse from = was.orElse(null);
        return switch (is) {
            case AddressUse.InUse(AddressOwner owner, Optional<Workload> of) -> {
                String allocation = "allocation for " + owner.id();
                boolean one = from == null
                        ? of.isEmpty()
                        : of.isPresent() && from.reserved().equals(of);
                if (!(from instanceof AddressUse.InUse(AddressOwner last, Optional<Workload> before))) {
                    yield one ? List.of(allocation) : List.of("another", allocation);
                }
                yield last.equals(owner) && before.isPresent() && of.isEmpty()
                        ? List.of("end of the reservation for " + before.get().name())
                        : List.of("another", allocation);
            }
            case AddressUse.Reserved(Workload workload) ->
                switch (from) {
                    case null -> List.of("reservation for " + workload.name());
                    case AddressUse.InUse(AddressOwner owner, Optional<Workload> _) ->
                        List.of("release by " + owner.id());
                    case AddressUse.Cooling _, AddressUse.Reserved _ ->
                        List.of("another", "reservation for " + workload.name());
                };
            case AddressUse.Cooling _ ->
                switch (from) {
                    case AddressUse.InUse(AddressOwner owner, Optional<Workload> of) ->
                        of.isEmpty()
                                ? List.of("release by " + owner.id())
                                : List.of("another", "release by " + owner.id());
                    case AddressUse.Reserved(Workload workload) ->
                        List.of("end of the reservation for " + workload.name());
                    case null -> List.of("one", "another");
                    case AddressUse.Cooling _ -> List.of("one", "another");
                };
        };
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
                        () -> user.id() + " uses " + address + ", which is not stored as its own: "
                                + ledger.address(address));
            }
        });
        nodes.forEach(node -> node.check(ledger));
    }

    private static void checkLedger(Ledger ledger) {
        Set<String> requests = new HashSet<>();
        for (Block block : ledger.blocks()) {
            Pool pool = ledger.pool(block.pool()).orElse(null);
            require(pool != null, () -> block + " is owned, and its pool is gone");
            require(pool.state() != PoolState.RETIRED, () -> block + " is owned, and its pool is retired");
            require(
                    pool.cidr().contains(block.cidr()) && block.cidr().length() == pool.blockLength(),
                    () -> block + " is no block of " + pool);
            require(requests.add(block.requestId()), () -> "request " + block.requestId() + " took two blocks");
        }
        for (SingleAddress one : ledger.addresses()) {
            require(
                    ledger.blocksOf(one.pool()).stream()
                            .anyMatch(block ->
                                    AddressRules.isOwn(block) && block.cidr().contains(one.address())),
                    () -> one + " is in no block of the service's own");
        }
        List<Block> blocks = ledger.blocks();
        for (Pool pool : ledger.pools()) {
            checkSizes(ledger, pool, blocks);
        }
    }

    /** Allocated and free are all there is, counted block by block. */
    private static void checkSizes(Ledger ledger, Pool pool, List<Block> all) {
        long size = pool.cidr().size().longValueExact() / blocks(pool);
        int allocated = 0;
        int free = 0;
        for (int i = 0; i < blocks(pool); i++) {
            IpPrefix place = IpPrefix.containing(pool.cidr().address().plus(i * size), pool.blockLength());
            long owners =
                    all.stream().filter(block -> block.cidr().overlaps(place)).count();
            require(owners <= 1, () -> place + " is owned " + owners + " times");
            allocated += (int) owners;
            free += owners == 0 ? 1 : 0;
        }
        int owned = ledger.blocksOf(pool.name()).size();
        require(
                allocated == owned && allocated + free == blocks(pool),
                pool + ": " + allocated + " blocks are allocated and " + free + " free, and " + owned + " owned of "
                        + blocks(pool));
    }

    private static int blocks(Pool pool) {
        return 1 << (pool.blockLength() - pool.cidr().length());
    }

    /** True when no pool has a block of a family for a node. */
    static boolean noBlockFree(Ledger ledger, IpFamily family) {
        return ledger.pools().stream()
                .filter(pool -> pool.state() == PoolState.ACTIVE && pool.purpose() == PoolPurpose.PODS)
                .filter(pool -> pool.family() == family)
                .allMatch(pool -> ledger.blocksOf(pool.name()).size() == blocks(pool));
    }
}
