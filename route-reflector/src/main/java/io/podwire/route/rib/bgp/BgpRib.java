package io.podwire.route.rib.bgp;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Every path that was imported, and which one is used. Owned by one thread, and changed in place: it may hold
 * hundreds of thousands. Each change tells whether it was one: whether any path is another now.
 */
public final class BgpRib {
    /** The one in use first. */
    private final Map<IpPrefix, List<BgpPath>> paths = new HashMap<>();

    /** How many prefixes of IPv4, and of IPv6. */
    private final Map<IpAddress, int[]> counts = new HashMap<>();

    /** A list of one path, which the prefixes of a message share. */
    private List<BgpPath> single = List.of();

    /** The path in use. */
    public Optional<BgpPath> best(IpPrefix prefix) {
        List<BgpPath> known = paths.get(prefix);
        return known == null ? Optional.empty() : Optional.of(known.getFirst());
    }

    /** All paths, the one in use first. */
    public List<BgpPath> paths(IpPrefix prefix) {
        return paths.getOrDefault(prefix, List.of());
    }

    /** Every prefix that has a path; a view. */
    public Collection<IpPrefix> prefixes() {
        return Collections.unmodifiableSet(paths.keySet());
    }

    /** How many prefixes of a family a neighbour has a path for. */
    public int count(IpAddress neighbor, IpFamily family) {
        int[] count = counts.get(neighbor);
        return count == null ? 0 : count[index(family)];
    }

    /** Takes a path, in place of the one of its source. */
    public boolean put(IpPrefix prefix, BgpPath path) {
        if (single.isEmpty() || !isSame(single.getFirst(), path)) {
            single = List.of(path);
        }
        List<BgpPath> before = paths.putIfAbsent(prefix, single);
        if (before == null) {
            count(prefix, path, 1);
            return true;
        }
        List<BgpPath> next = new ArrayList<>(before.size() + 1);
        boolean replaced = false;
        for (BgpPath old : before) {
            if (old.sameSource(path)) {
                if (old.equals(path)) {
                    return false;
                }
                replaced = true;
            } else {
                next.add(old);
            }
        }
        next.add(path);
        if (!replaced) {
            count(prefix, path, 1);
        }
        store(prefix, next);
        return true;
    }

    /**
     * The paths of nodes, in place of all that were there; none forgets them.
     *
     * @param ofNodes one of a node
     */
    public boolean setNodes(IpPrefix prefix, List<BgpPath> ofNodes) {
        List<BgpPath> before = paths.getOrDefault(prefix, List.of());
        Set<BgpPath> old = new HashSet<>();
        List<BgpPath> next = new ArrayList<>(ofNodes);
        for (BgpPath path : before) {
            if (path.source() instanceof Source.Node) {
                old.add(path);
            } else {
                next.add(path);
            }
        }
        if (old.equals(new HashSet<>(ofNodes))) {
            return false;
        }
        store(prefix, next);
        return true;
    }

    /** Forgets a neighbour's path; that it has none is no error. */
    public boolean remove(IpPrefix prefix, IpAddress neighbor) {
        return removeIf(prefix, path -> path.from(neighbor));
    }

    /** Forgets all of a neighbour's paths that are such, and gives the prefixes that had one. */
    public List<IpPrefix> removeAll(IpAddress neighbor, Predicate<BgpPath> which, Predicate<IpPrefix> where) {
        List<IpPrefix> changed = new ArrayList<>();
        if (counts.containsKey(neighbor)) {
            for (IpPrefix prefix : List.copyOf(paths.keySet())) {
                if (where.test(prefix) && removeIf(prefix, path -> path.from(neighbor) && which.test(path))) {
                    changed.add(prefix);
                }
            }
        }
        return changed;
    }

    /** Marks a neighbour's paths of a family as waiting to be told again. Which one is in use stays. */
    public void markStale(IpAddress neighbor, IpFamily family) {
        if (counts.containsKey(neighbor)) {
            paths.replaceAll((prefix, known) ->
                    prefix.family() == family && known.stream().anyMatch(path -> path.from(neighbor))
                            ? known.stream()
                                    .map(path -> path.from(neighbor) ? path.asStale() : path)
                                    .toList()
                            : known);
        }
    }

    private boolean removeIf(IpPrefix prefix, Predicate<BgpPath> which) {
        List<BgpPath> before = paths.get(prefix);
        if (before == null) {
            return false;
        }
        if (before.size() == 1) {
            BgpPath only = before.getFirst();
            if (!which.test(only)) {
                return false;
            }
            paths.remove(prefix);
            count(prefix, only, -1);
            return true;
        }
        List<BgpPath> next = new ArrayList<>(before.size());
        for (BgpPath path : before) {
            if (which.test(path)) {
                count(prefix, path, -1);
            } else {
                next.add(path);
            }
        }
        if (next.size() == before.size()) {
            return false;
        }
        store(prefix, next);
        return true;
    }

    private void store(IpPrefix prefix, List<BgpPath> next) {
        if (next.isEmpty()) {
            paths.remove(prefix);
            return;
        }
        BgpPath best = BestPath.select(next);
        if (next.size() > 1) {
            next.remove(best);
            next.addFirst(best);
        }
        paths.put(prefix, List.copyOf(next));
    }

    private void count(IpPrefix prefix, BgpPath path, int by) {
        if (path.source() instanceof Source.Learned(Neighbor neighbor)) {
            int[] count = counts.computeIfAbsent(neighbor.address(), _ -> new int[2]);
            count[index(prefix.family())] += by;
            if (count[0] == 0 && count[1] == 0) {
                counts.remove(neighbor.address());
            }
        }
    }

    private static int index(IpFamily family) {
        return switch (family) {
            case V4 -> 0;
            case V6 -> 1;
        };
    }

    /** The very same object: that an equal one is another does no harm, and costs nothing to find out. */
    @SuppressWarnings("ReferenceEquality")
    private static boolean isSame(BgpPath one, BgpPath other) {
        return one == other;
    }
}
