package io.podwire.ipam.core;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.math.BigInteger;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import org.pcollections.HashTreePMap;
import org.pcollections.PMap;
import org.pcollections.TreePMap;
import org.pcollections.TreePSet;

/**
 * Everything the service knows, at one moment. A ledger with one thing more or less shares all the rest with the one
 * before, so that deciding several things one after the other, and taking them back, costs no copy.
 */
public final class Ledger {
    /** Nothing. */
    public static final Ledger EMPTY = new Ledger(
            TreePMap.empty(),
            TreePMap.empty(),
            HashTreePMap.empty(),
            TreePMap.empty(),
            Singles.EMPTY,
            HashTreePMap.empty());

    private final TreePMap<String, Pool> pools;
    /** Those that are owned, by pool and address. */
    private final TreePMap<String, TreePMap<IpPrefix, Block>> blocks;
    /** The same by the request that took each. */
    private final PMap<String, Block> requests;
    /** The newest epoch seen of each installation, by node and uid. */
    private final TreePMap<String, NodeEpoch> nodes;

    private final Singles singles;
    /**
     * The blocks of the service in which fewer addresses are taken than there are, by pool and address: what follows from
     * the others, so that a search for a free address need not look at each full block.
     */
    private final PMap<String, TreePSet<IpPrefix>> open;

    /** Single addresses that are not free, and the same by owner and by workload; how many of each namespace are in use. */
    private record Singles(
            TreePMap<IpAddress, SingleAddress> all,
            PMap<String, TreePSet<IpAddress>> byOwner,
            PMap<Workload, TreePSet<IpAddress>> byWorkload,
            PMap<String, Integer> inUse) {
        private static final Singles EMPTY =
                new Singles(TreePMap.empty(), HashTreePMap.empty(), HashTreePMap.empty(), HashTreePMap.empty());

        Singles with(SingleAddress one) {
            Singles left = without(one.address());
            IpAddress address = one.address();
            return new Singles(
                    left.all.plus(address, one),
                    one.use()
                            .user()
                            .map(owner -> plus(left.byOwner, owner.id(), address))
                            .orElse(left.byOwner),
                    one.use()
                            .reserved()
                            .map(workload -> plus(left.byWorkload, workload, address))
                            .orElse(left.byWorkload),
                    counted(left.inUse, one.use().namespace(), 1));
        }

        Singles without(IpAddress address) {
            SingleAddress before = all.get(address);
            if (before == null) {
                return this;
            }
            return new Singles(
                    all.minus(address),
                    before.use()
                            .user()
                            .map(owner -> minus(byOwner, owner.id(), address))
                            .orElse(byOwner),
                    before.use()
                            .reserved()
                            .map(workload -> minus(byWorkload, workload, address))
                            .orElse(byWorkload),
                    counted(inUse, before.use().namespace(), -1));
        }

        private static PMap<String, Integer> counted(PMap<String, Integer> of, String namespace, int more) {
            if (namespace.isEmpty()) {
                return of;
            }
            int next = of.getOrDefault(namespace, 0) + more;
            return next == 0 ? of.minus(namespace) : of.plus(namespace, next);
        }

        private static <K> PMap<K, TreePSet<IpAddress>> plus(PMap<K, TreePSet<IpAddress>> to, K key, IpAddress one) {
            return to.plus(key, to.getOrDefault(key, TreePSet.empty()).plus(one));
        }

        private static <K> PMap<K, TreePSet<IpAddress>> minus(PMap<K, TreePSet<IpAddress>> from, K key, IpAddress one) {
            TreePSet<IpAddress> left = from.getOrDefault(key, TreePSet.empty()).minus(one);
            return left.isEmpty() ? from.minus(key) : from.plus(key, left);
        }

        List<SingleAddress> these(TreePSet<IpAddress> addresses) {
            return addresses.stream().map(all::get).toList();
        }
    }

    private Ledger(
            TreePMap<String, Pool> pools,
            TreePMap<String, TreePMap<IpPrefix, Block>> blocks,
            PMap<String, Block> requests,
            TreePMap<String, NodeEpoch> nodes,
            Singles singles,
            PMap<String, TreePSet<IpPrefix>> open) {
        this.pools = pools;
        this.blocks = blocks;
        this.requests = requests;
        this.nodes = nodes;
        this.singles = singles;
        this.open = open;
    }

    /** A ledger of these. */
    public static Ledger of(Collection<Pool> pools, Collection<Block> blocks, Collection<NodeEpoch> nodes) {
        Ledger ledger = EMPTY;
        for (Pool pool : pools) {
            ledger = ledger.with(pool);
        }
        for (Block block : blocks) {
            ledger = ledger.with(block);
        }
        for (NodeEpoch node : nodes) {
            ledger = ledger.with(node);
        }
        return ledger;
    }

    /** With this pool in place of the one of its name. */
    public Ledger with(Pool pool) {
        return new Ledger(pools.plus(pool.name(), pool), blocks, requests, nodes, singles, open);
    }

    /** Without a pool. */
    public Ledger withoutPool(String name) {
        return new Ledger(pools.minus(name), blocks, requests, nodes, singles, open);
    }

    /** With this block in place of the owned one of its pool and addresses. */
    public Ledger with(Block block) {
        Ledger without = withoutBlock(block.pool(), block.cidr());
        TreePMap<IpPrefix, Block> ofPool = without.blocks.getOrDefault(block.pool(), TreePMap.empty());
        return new Ledger(
                        pools,
                        without.blocks.plus(block.pool(), ofPool.plus(block.cidr(), block)),
                        without.requests.plus(block.requestId(), block),
                        nodes,
                        singles,
                        without.open)
                .looked(block);
    }

    /** Without a block, which nobody owns then. */
    public Ledger withoutBlock(String pool, IpPrefix cidr) {
        TreePMap<IpPrefix, Block> ofPool = blocks.getOrDefault(pool, TreePMap.empty());
        Block block = ofPool.get(cidr);
        if (block == null) {
            return this;
        }
        TreePMap<IpPrefix, Block> left = ofPool.minus(cidr);
        return new Ledger(
                pools,
                left.isEmpty() ? blocks.minus(pool) : blocks.plus(pool, left),
                block.equals(requests.get(block.requestId())) ? requests.minus(block.requestId()) : requests,
                nodes,
                singles,
                without(open, pool, cidr));
    }

    /** With this epoch as the newest of its installation. */
    public Ledger with(NodeEpoch node) {
        return new Ledger(pools, blocks, requests, nodes.plus(installation(node), node), singles, open);
    }

    /** Without an installation of a node. */
    public Ledger withoutNode(String installation) {
        return new Ledger(pools, blocks, requests, nodes.minus(installation), singles, open);
    }

    /** With this in place of what was known of its address. */
    public Ledger with(SingleAddress address) {
        return with(singles.with(address)).looked(address.address());
    }

    /** Without a single address, which is free then. */
    public Ledger withoutAddress(IpAddress address) {
        return with(singles.without(address)).looked(address);
    }

    private Ledger with(Singles next) {
        return new Ledger(pools, blocks, requests, nodes, next, open);
    }

    /** With {@link #open} as it is after a change of an address. */
    private Ledger looked(IpAddress address) {
        Ledger next = this;
        for (TreePMap<IpPrefix, Block> ofPool : blocks.values()) {
            Map.Entry<IpPrefix, Block> block = ofPool.floorEntry(IpPrefix.ofHost(address));
            if (block != null && block.getKey().contains(address)) {
                next = next.looked(block.getValue());
            }
        }
        return next;
    }

    /** With {@link #open} as it is after a change of a block, or in one. */
    private Ledger looked(Block block) {
        boolean before = openOf(block.pool()).contains(block.cidr());
        boolean now = AddressRules.isOwn(block) && !isFull(block.cidr());
        if (now == before) {
            return this;
        }
        return new Ledger(
                pools,
                blocks,
                requests,
                nodes,
                singles,
                now
                        ? open.plus(block.pool(), openOf(block.pool()).plus(block.cidr()))
                        : without(open, block.pool(), block.cidr()));
    }

    private boolean isFull(IpPrefix cidr) {
        return BigInteger.valueOf(singlesIn(cidr).size()).compareTo(cidr.size()) >= 0;
    }

    private static PMap<String, TreePSet<IpPrefix>> without(
            PMap<String, TreePSet<IpPrefix>> from, String pool, IpPrefix cidr) {
        TreePSet<IpPrefix> left = from.getOrDefault(pool, TreePSet.empty()).minus(cidr);
        return left.isEmpty() ? from.minus(pool) : from.plus(pool, left);
    }

    private TreePSet<IpPrefix> openOf(String pool) {
        return open.getOrDefault(pool, TreePSet.empty());
    }

    /**
     * The blocks of a pool that the service owns and in which fewer addresses are taken than there are, in order. What
     * is left in one may be in a reserved range.
     */
    Collection<IpPrefix> openBlocks(String pool) {
        return openOf(pool);
    }

    /** What is known of a single address; empty when it is free. */
    public Optional<SingleAddress> address(IpAddress address) {
        return Optional.ofNullable(singles.all.get(address));
    }

    /** All single addresses that are not free, in order. */
    public Collection<SingleAddress> addresses() {
        return singles.all.values();
    }

    /** The single addresses of a range that are not free, in order. */
    public Collection<SingleAddress> addressesIn(IpPrefix range) {
        return singlesIn(range).values();
    }

    /** The same by address. */
    NavigableMap<IpAddress, SingleAddress> singlesIn(IpPrefix range) {
        return singles.all.subMap(range.address(), true, range.last(), true);
    }

    /** The single addresses that an owner has, in order. */
    public List<SingleAddress> addressesOf(String ownerId) {
        return singles.these(singles.byOwner.getOrDefault(ownerId, TreePSet.empty()));
    }

    /** The single addresses that are reserved for a workload, in use or not, in order. */
    public List<SingleAddress> addressesFor(Workload workload) {
        return singles.these(singles.byWorkload.getOrDefault(workload, TreePSet.empty()));
    }

    /** How many single addresses of a namespace are in use. */
    public int addressesInUse(String namespace) {
        return singles.inUse.getOrDefault(namespace, 0);
    }

    /** How many single addresses are in use, by namespace; those of none are left out. */
    public Map<String, Integer> addressesInUse() {
        return singles.inUse;
    }

    /** What an installation is known by: node/uid. */
    public static String installation(NodeEpoch epoch) {
        return epoch.node() + "/" + epoch.uid();
    }

    /** All pools, by name. */
    public List<Pool> pools() {
        return List.copyOf(pools.values());
    }

    /** The pool of this name. */
    public Optional<Pool> pool(String name) {
        return Optional.ofNullable(pools.get(name));
    }

    /** All owned blocks, by pool and address; takes a time that grows with their number. */
    public List<Block> blocks() {
        return blocks.values().stream()
                .flatMap(ofPool -> ofPool.values().stream())
                .toList();
    }

    /** The owned block of exactly these addresses. */
    public Optional<Block> block(IpPrefix cidr) {
        return blocks.values().stream()
                .map(ofPool -> ofPool.get(cidr))
                .filter(Objects::nonNull)
                .findFirst();
    }

    /** The owned blocks of a pool, by address. */
    public Collection<Block> blocksOf(String pool) {
        return blocks.getOrDefault(pool, TreePMap.empty()).values();
    }

    /** The same by their addresses. */
    NavigableMap<IpPrefix, Block> blocksByCidr(String pool) {
        return blocks.getOrDefault(pool, TreePMap.empty());
    }

    /** The block that a request took. */
    public Optional<Block> blockOf(String requestId) {
        return Optional.ofNullable(requests.get(requestId));
    }

    /** The newest epoch seen of each installation, by node and uid. */
    public Collection<NodeEpoch> nodes() {
        return nodes.values();
    }

    /** The newest epoch seen of this epoch's installation. */
    public Optional<NodeEpoch> newest(NodeEpoch epoch) {
        return Optional.ofNullable(nodes.get(installation(epoch)));
    }

    /** All pools by name, with how much of each is used. */
    public List<PoolUsage> usage() {
        return pools.values().stream()
                .map(pool -> new PoolUsage(pool, blocksOf(pool.name()).size()))
                .toList();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Ledger ledger
                && pools.equals(ledger.pools)
                && blocks.equals(ledger.blocks)
                && nodes.equals(ledger.nodes)
                && singles.all.equals(ledger.singles.all);
    }

    @Override
    public int hashCode() {
        return Objects.hash(pools, blocks, nodes, singles.all);
    }

    /** All of it, for messages of tests. */
    @Override
    public String toString() {
        return "pools " + pools.values() + ", blocks " + blocks() + ", nodes " + nodes.values() + ", addresses "
                + addresses();
    }
}
