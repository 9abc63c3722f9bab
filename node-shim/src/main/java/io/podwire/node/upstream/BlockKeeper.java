package io.podwire.node.upstream;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.address.BlockUse;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Which blocks a node gives back, and which it no longer believes to be its own. Pure. */
final class BlockKeeper {
    /** How long a block is unused before it goes back: a node whose pods come and go keeps it. */
    static final Duration UNUSED_FOR = Duration.ofMinutes(1);

    /** The same for one of a pool that drains: two looks. */
    static final Duration DRAINED_FOR = Duration.ofSeconds(1);

    private BlockKeeper() {}

    /** Since when each block that is unused now is, by what was seen at the looks before and is seen now. */
    static Map<IpPrefix, Duration> unusedSince(
            Map<IpPrefix, Duration> before, Collection<BlockUse> uses, Duration now) {
        Map<IpPrefix, Duration> since = new HashMap<>();
        uses.stream()
                .filter(BlockUse::unused)
                .forEach(use -> since.put(use.block(), before.getOrDefault(use.block(), now)));
        return since;
    }

    /**
     * The blocks to give back now. One of a pool that drains goes once it is unused. Another goes when the others of
     * its family still have low water and a block of its size free: so many addresses must be taken before a block
     * is claimed again, and one with addresses is left always. One for some namespaces alone goes once it is unused: a
     * pod that needs it has it claimed again.
     *
     * @param uses all blocks of the node
     * @param draining those of pools that drain
     * @param apart those for some namespaces alone, which count for no family
     * @param unusedSince see {@link #unusedSince}
     * @param lowWater free addresses of a family below which a block is claimed
     */
    static Set<IpPrefix> toReturn(
            List<BlockUse> uses,
            Set<IpPrefix> draining,
            Set<IpPrefix> apart,
            Map<IpPrefix, Duration> unusedSince,
            int lowWater,
            Duration now) {
        Map<IpFamily, Integer> free = new HashMap<>();
        uses.stream()
                .filter(BlockUse::gives)
                .filter(use -> !apart.contains(use.block()))
                .forEach(use -> free.merge(use.block().family(), use.free(), Integer::sum));
        Set<IpPrefix> back = new TreeSet<>();
        // The last first: addresses are taken from the first.
        for (BlockUse use : uses.reversed()) {
            Duration since = unusedSince.getOrDefault(use.block(), now);
            if (draining.contains(use.block())) {
                if (use.unused() && since.plus(DRAINED_FOR).compareTo(now) <= 0) {
                    back.add(use.block());
                }
            } else if (apart.contains(use.block())) {
                if (use.gives() && use.unused() && since.plus(UNUSED_FOR).compareTo(now) <= 0) {
                    back.add(use.block());
                }
            } else if (use.gives() && use.unused() && since.plus(UNUSED_FOR).compareTo(now) <= 0) {
                int left = free.get(use.block().family()) - use.free();
                if (left >= lowWater + use.free()) {
                    free.put(use.block().family(), left);
                    back.add(use.block());
                }
            }
        }
        return back;
    }

    /**
     * What a list of ipam-service means for blocks that the node knows and the list does not name as the node's.
     *
     * @param forget are not the node's
     * @param doubt are not named, by a list that names so few that a second one has to agree first
     */
    record Missing(Set<IpPrefix> forget, Set<IpPrefix> doubt) {}

    /**
     * Compares what the node knows with a list. A list that lacks more than half of it may be of a service that has
     * lost its store.
     *
     * @param known the node's blocks
     * @param listed what ipam-service says of this node's name, of its earlier installations too
     * @param doubted blocks that the list before lacked
     */
    static Missing missing(
            Set<IpPrefix> known, Collection<ListedBlock> listed, NodeIdentity self, Set<IpPrefix> doubted) {
        Set<IpPrefix> own = new HashSet<>();
        Set<IpPrefix> others = new HashSet<>();
        listed.forEach(block -> (block.owner().uid().equals(self.uid()) ? own : others).add(block.cidr()));
        Set<IpPrefix> forget = new TreeSet<>();
        Set<IpPrefix> lacking = new TreeSet<>();
        for (IpPrefix block : known) {
            if (!own.contains(block)) {
                (others.contains(block) || doubted.contains(block) ? forget : lacking).add(block);
            }
        }
        if (2 * lacking.size() > known.size() - forget.size()) {
            return new Missing(forget, lacking);
        }
        forget.addAll(lacking);
        return new Missing(forget, Set.of());
    }

    /**
     * A later life of this installation than this one, as a copied or rolled back disk makes; one with the same
     * counter in another boot counts as later.
     */
    static Optional<NodeIdentity> laterLife(Collection<ListedBlock> listed, NodeIdentity self) {
        return listed.stream()
                .map(ListedBlock::owner)
                .filter(owner -> owner.uid().equals(self.uid()))
                .filter(owner -> owner.counter() > self.counter()
                        || (owner.counter() == self.counter() && !owner.bootId().equals(self.bootId())))
                .findFirst();
    }
}
