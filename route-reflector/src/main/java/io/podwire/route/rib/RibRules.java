package io.podwire.route.rib;

import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BiPredicate;

/**
 * How the table changes. Pure: no clock, no stream.
 *
 * <ul>
 *   <li>Of one installation, an earlier start never replaces a later one.
 *   <li>Another installation takes over a name only while the known one's stream is down.
 *   <li>A prefix has one holder: who comes second is refused as a whole, even while the holder's
 *       stream is down, until the holder withdraws it or goes stale.
 *   <li>Where ipam-service is asked who owns what, its word comes before all this: see {@link #keep}.
 *   <li>The end of a stream withdraws nothing: only an announcement without the prefix, or time, does.
 * </ul>
 */
public final class RibRules {
    private RibRules() {}

    /** A table and what readers see of its change. */
    public record Change(RouteTable table, RibDelta delta) {}

    /** A node with its stream up says what it holds. */
    public static AnnounceResult announce(RouteTable table, NodeEpoch epoch, NodeRoute route) {
        Optional<RibEntry> known = table.entry(epoch.node());
        if (known.isPresent()) {
            NodeEpoch before = known.get().epoch();
            if (!epoch.sameInstallation(before)) {
                if (known.get().connected()) {
                    return new AnnounceResult.NameTaken(before);
                }
            } else if (epoch.counter() < before.counter()) {
                return new AnnounceResult.StaleEpoch(before);
            }
        }
        for (RibEntry other : table.entries().values()) {
            if (!other.node().equals(epoch.node())) {
                for (IpPrefix held : other.route().prefixes()) {
                    for (IpPrefix asked : route.prefixes()) {
                        if (asked.overlaps(held)) {
                            return new AnnounceResult.PrefixTaken(asked, held, other.node());
                        }
                    }
                }
            }
        }
        RouteTable next = table.with(new RibEntry(epoch, route, new Presence.Connected()));
        boolean changed = known.map(entry -> !entry.route().equals(route))
                .orElse(!route.prefixes().isEmpty());
        return new AnnounceResult.Accepted(next, changed ? next.stateOf(List.of(epoch.node())) : RibDelta.NONE);
    }

    /** The stream of a node's epoch ended at this time. Of another epoch: nothing changes. */
    public static RouteTable streamEnded(RouteTable table, NodeEpoch epoch, Duration now) {
        return table.entry(epoch.node())
                .filter(entry -> entry.epoch().equals(epoch))
                .map(entry -> table.with(new RibEntry(epoch, entry.route(), new Presence.Gone(now))))
                .orElse(table);
    }

    /** Withdraws, of whoever holds it, what is not a life's own. */
    public static Change keep(RouteTable table, BiPredicate<NodeEpoch, IpPrefix> own) {
        TreeMap<NodeName, RibEntry> kept = new TreeMap<>(table.entries());
        List<NodeName> changed = new ArrayList<>();
        for (RibEntry entry : table.entries().values()) {
            NodeRoute route = entry.route().with(prefix -> own.test(entry.epoch(), prefix));
            if (!route.equals(entry.route())) {
                kept.put(entry.node(), new RibEntry(entry.epoch(), route, entry.presence()));
                changed.add(entry.node());
            }
        }
        RouteTable next = changed.isEmpty() ? table : new RouteTable(kept);
        return new Change(next, next.stateOf(changed));
    }

    /** Forgets nodes whose stream ended {@code staleAfter} ago or earlier. */
    public static Change sweep(RouteTable table, Duration now, Duration staleAfter) {
        List<NodeName> stale = new ArrayList<>();
        for (RibEntry entry : table.entries().values()) {
            if (entry.presence() instanceof Presence.Gone(Duration since)
                    && now.minus(since).compareTo(staleAfter) >= 0) {
                stale.add(entry.node());
            }
        }
        if (stale.isEmpty()) {
            return new Change(table, RibDelta.NONE);
        }
        TreeMap<NodeName, RibEntry> kept = new TreeMap<>(table.entries());
        stale.forEach(kept::remove);
        return new Change(new RouteTable(kept), new RibDelta(List.of(), stale));
    }
}
