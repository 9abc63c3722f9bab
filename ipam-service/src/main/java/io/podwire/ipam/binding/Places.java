package io.podwire.ipam.binding;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.Pool;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/** In which pool and block an address lies, at one moment. Neither pools nor blocks overlap among themselves. */
public final class Places {
    private final NavigableMap<IpPrefix, Pool> pools = new TreeMap<>();
    private final NavigableMap<IpPrefix, Block> blocks = new TreeMap<>();

    /** The places of a ledger. */
    public Places(Ledger ledger) {
        ledger.pools().forEach(pool -> pools.put(pool.cidr(), pool));
        ledger.blocks().forEach(block -> blocks.put(block.cidr(), block));
    }

    /** The pool that an address lies in. */
    public Optional<Pool> pool(IpAddress address) {
        return Optional.ofNullable(pools.floorEntry(IpPrefix.ofHost(address)))
                .filter(entry -> entry.getKey().contains(address))
                .map(Map.Entry::getValue);
    }

    /** The owned block that an address lies in. */
    public Optional<Block> block(IpAddress address) {
        return Optional.ofNullable(blocks.floorEntry(IpPrefix.ofHost(address)))
                .filter(entry -> entry.getKey().contains(address))
                .map(Map.Entry::getValue);
    }

    /** Owned blocks by address. */
    Collection<Block> blocks() {
        return blocks.values();
    }

    /** Reserved ranges by address, with their pools; none lies in another one. */
    List<Reserved> reserved() {
        return pools.values().stream()
                .flatMap(pool -> outermost(pool.reserved()).stream().map(range -> new Reserved(range, pool)))
                .toList();
    }

    /** Sorted, shorter first: what holds a range comes before it. */
    static List<IpPrefix> outermost(List<IpPrefix> sorted) {
        List<IpPrefix> kept = new ArrayList<>();
        for (IpPrefix range : sorted) {
            if (kept.isEmpty() || !kept.getLast().contains(range)) {
                kept.add(range);
            }
        }
        return kept;
    }

    /** A range that nobody gets. */
    record Reserved(IpPrefix range, Pool pool) {}
}
