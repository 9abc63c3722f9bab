package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.pcollections.HashTreePMap;
import org.pcollections.PMap;
import org.pcollections.TreePMap;

/**
 * Everything the service knows, at one moment. A ledger with one thing more or less shares all the rest with the one
 * before, so that deciding several things one after the other, and taking them back, costs no copy.
 */
public final class Ledger {
    /** Nothing. */
    public static final Ledger EMPTY =
            new Ledger(TreePMap.empty(), TreePMap.empty(), HashTreePMap.empty(), TreePMap.empty());

    private final TreePMap<String, Pool> pools;
    /** Those that are owned, by pool and address. */
    private final TreePMap<String, TreePMap<IpPrefix, Block>> blocks;
    /** The same by the request that took each. */
    private final PMap<String, Block> requests;
    /** The newest epoch seen of each installation, by node and uid. */
    private final TreePMap<String, NodeEpoch> nodes;

    private Ledger(
            TreePMap<String, Pool> pools,
            TreePMap<String, TreePMap<IpPrefix, Block>> blocks,
            PMap<String, Block> requests,
            TreePMap<String, NodeEpoch> nodes) {
        this.pools = pools;
        this.blocks = blocks;
        this.requests = requests;
        this.nodes = nodes;
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
        return new Ledger(pools.plus(pool.name(), pool), blocks, requests, nodes);
    }

    /** Without a pool. */
    public Ledger withoutPool(String name) {
        return new Ledger(pools.minus(name), blocks, requests, nodes);
    }

    /** With this block in place of the owned one of its pool and addresses. */
    public Ledger with(Block block) {
        Ledger without = withoutBlock(block.pool(), block.cidr());
        TreePMap<IpPrefix, Block> ofPool = without.blocks.getOrDefault(block.pool(), TreePMap.empty());
        return new Ledger(
                pools,
                without.blocks.plus(block.pool(), ofPool.plus(block.cidr(), block)),
                without.requests.plus(block.requestId(), block),
                nodes);
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
                nodes);
    }

    /** With this epoch as the newest of its installation. */
    public Ledger with(NodeEpoch node) {
        return new Ledger(pools, blocks, requests, nodes.plus(installation(node), node));
    }

    /** Without an installation of a node. */
    public Ledger withoutNode(String installation) {
        return new Ledger(pools, blocks, requests, nodes.minus(installation));
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
                && nodes.equals(ledger.nodes);
    }

    @Override
    public int hashCode() {
        return Objects.hash(pools, blocks, nodes);
    }

    /** Pools, blocks and nodes, for messages of tests. */
    @Override
    public String toString() {
        return "pools " + pools.values() + ", blocks " + blocks() + ", nodes " + nodes.values();
    }
}
