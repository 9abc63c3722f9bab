package io.podwire.ipam.core;

import io.podwire.common.net.IpPrefix;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Everything the service knows, at one moment.
 *
 * @param pools by name
 * @param blocks those that are owned, by pool and address
 * @param nodes the newest epoch seen of each installation
 */
public record Ledger(List<Pool> pools, List<Block> blocks, List<NodeEpoch> nodes) {

    /** Copies and sorts. */
    public Ledger {
        pools = pools.stream().sorted(Comparator.comparing(Pool::name)).toList();
        blocks = blocks.stream().sorted().toList();
        nodes = List.copyOf(nodes);
    }

    /** The pool of this name. */
    public Optional<Pool> pool(String name) {
        return pools.stream().filter(p -> p.name().equals(name)).findFirst();
    }

    /** The owned block of exactly these addresses. */
    public Optional<Block> block(IpPrefix cidr) {
        return blocks.stream().filter(b -> b.cidr().equals(cidr)).findFirst();
    }

    /** The owned blocks of a pool, by address. */
    public List<Block> blocksOf(String pool) {
        return blocks.stream().filter(b -> b.pool().equals(pool)).toList();
    }

    /** All pools by name, with how much of each is used. */
    public List<PoolUsage> usage() {
        Map<String, Integer> owned = blocks.stream().collect(Collectors.toMap(Block::pool, _ -> 1, Integer::sum));
        return pools.stream()
                .map(pool -> new PoolUsage(pool, owned.getOrDefault(pool.name(), 0)))
                .toList();
    }

    /** The newest epoch seen of this epoch's installation. */
    public Optional<NodeEpoch> newest(NodeEpoch epoch) {
        return nodes.stream().filter(epoch::sameOwner).findFirst();
    }
}
