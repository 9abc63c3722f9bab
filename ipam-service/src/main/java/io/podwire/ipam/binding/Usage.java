package io.podwire.ipam.binding;

import io.podwire.common.net.IpPrefix;
import io.podwire.ipam.core.AddressRules;
import io.podwire.ipam.core.AddressUse;
import io.podwire.ipam.core.Block;
import io.podwire.ipam.core.Ledger;
import io.podwire.ipam.core.NodeEpoch;
import io.podwire.ipam.core.Pool;
import io.podwire.ipam.core.SingleAddress;
import java.math.BigInteger;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * How much is used at one moment, by what nodes reported and by the ledger. Pure; counted anew each time, which takes
 * some tens of milliseconds with 150,000 addresses in use.
 *
 * @param pools by name
 * @param nodes by name: those that have reported, and those that own a block
 */
public record Usage(SortedMap<String, OfPool> pools, SortedMap<String, OfNode> nodes) {
    /** Copies. */
    public Usage {
        pools = Collections.unmodifiableSortedMap(new TreeMap<>(pools));
        nodes = Collections.unmodifiableSortedMap(new TreeMap<>(nodes));
    }

    /**
     * Addresses of a pool.
     *
     * @param all that it has
     * @param inUse somebody has, nodes' tunnels included
     * @param cooling were released a moment ago
     * @param reserved nobody gets, or only one workload
     * @param unknown in blocks whose owner has not reported: they may be in use
     */
    public record OfPool(BigInteger all, int inUse, int cooling, BigInteger reserved, BigInteger unknown) {
        /** Those that nobody has, in blocks of nodes or in none. */
        public BigInteger free() {
            return all.subtract(BigInteger.valueOf(inUse))
                    .subtract(BigInteger.valueOf(cooling))
                    .subtract(reserved)
                    .subtract(unknown)
                    .max(BigInteger.ZERO);
        }
    }

    /**
     * What a node has.
     *
     * @param blocks that it owns
     * @param reported whether it has reported; without it the next two are 0
     * @param inUse addresses that its containers have, and its tunnel
     * @param cooling addresses that were released a moment ago
     */
    public record OfNode(int blocks, boolean reported, int inUse, int cooling) {}

    /** Counts. */
    public static Usage of(List<NodeReport> reports, Ledger ledger) {
        TreeMap<IpPrefix, Counter> pools = new TreeMap<>();
        ledger.pools().forEach(pool -> pools.put(pool.cidr(), new Counter(pool)));
        Map<String, NodeEpoch> reporters = new HashMap<>();
        TreeMap<String, OfNode> nodes = new TreeMap<>();
        boolean singles = !ledger.addresses().isEmpty();
        for (NodeReport report : reports) {
            reporters.put(report.node().value(), report.epoch());
            int inUse = 0;
            int cooling = 0;
            for (Binding binding : report.bindings()) {
                if (binding.state() == Binding.State.IN_USE) {
                    inUse++;
                } else {
                    cooling++;
                }
                // A single address is the ledger's to tell.
                if (!singles || ledger.address(binding.address()).isEmpty()) {
                    counter(pools, IpPrefix.ofHost(binding.address()))
                            .ifPresent(counter -> counter.count(binding.state()));
                }
            }
            nodes.put(report.node().value(), new OfNode(0, true, inUse, cooling));
        }
        for (SingleAddress single : ledger.addresses()) {
            counter(pools, IpPrefix.ofHost(single.address()))
                    .ifPresent(counter -> counter.count(
                            switch (single.use()) {
                                case AddressUse.InUse _ -> Binding.State.IN_USE;
                                case AddressUse.Cooling _ -> Binding.State.COOLING;
                                case AddressUse.Reserved _ -> Binding.State.RESERVED;
                            }));
        }
        for (Block block : ledger.blocks()) {
            if (AddressRules.isOwn(block)) {
                continue;
            }
            String owner = block.owner().node().value();
            nodes.merge(
                    owner,
                    new OfNode(1, false, 0, 0),
                    (before, _) ->
                            new OfNode(before.blocks() + 1, before.reported(), before.inUse(), before.cooling()));
            NodeEpoch reporter = reporters.get(owner);
            if (reporter == null || !reporter.sameOwner(block.owner())) {
                counter(pools, block.cidr()).ifPresent(counter -> counter.unknown(block.cidr()));
            }
        }
        TreeMap<String, OfPool> byName = new TreeMap<>();
        pools.values().forEach(counter -> byName.put(counter.pool.name(), counter.sum()));
        return new Usage(byName, nodes);
    }

    private static Optional<Counter> counter(TreeMap<IpPrefix, Counter> pools, IpPrefix of) {
        return Optional.ofNullable(pools.floorEntry(of))
                .filter(entry -> entry.getKey().contains(of))
                .map(Map.Entry::getValue);
    }

    /** Counts one pool. */
    private static final class Counter {
        private final Pool pool;
        private BigInteger unknown = BigInteger.ZERO;
        private int inUse;
        private int cooling;
        private int reserved;

        Counter(Pool pool) {
            this.pool = pool;
        }

        void count(Binding.State state) {
            switch (state) {
                case IN_USE -> inUse++;
                case COOLING -> cooling++;
                case RESERVED -> reserved++;
            }
        }

        void unknown(IpPrefix block) {
            unknown = unknown.add(block.size());
        }

        OfPool sum() {
            return new OfPool(
                    pool.cidr().size(),
                    inUse,
                    cooling,
                    Places.outermost(pool.reserved()).stream()
                            .map(IpPrefix::size)
                            .reduce(BigInteger.valueOf(reserved), BigInteger::add),
                    unknown);
        }
    }
}
