package io.podwire.route.rib;

import io.podwire.common.net.IpAddress;
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
 *   <li>An address of a Service may have several nodes. One that does not know yet which it has keeps those that it had
 *       before in the same boot, for which its kernel has the rules still; another boot begins with none.
 *   <li>The end of a stream withdraws nothing: only an announcement without the prefix, or time, does.
 * </ul>
 */
public final class RibRules {
    private RibRules() {}

    /**
     * A change of a table.
     *
     * @param table the next one
     * @param delta what readers see of the change
     * @param services whether a node's addresses of Services are others now, of which readers see nothing
     */
    public record Change(RouteTable table, RibDelta delta, boolean services) {}

    /** A node with its stream up says what it holds, and which addresses of Services it serves. */
    public static AnnounceResult announce(
            RouteTable table, NodeEpoch epoch, NodeRoute route, ServiceAddresses services) {
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
        List<IpAddress> served = served(epoch, services, known);
        RouteTable next = table.with(new RibEntry(epoch, route, served, new Presence.Connected()));
        boolean changed = known.map(entry -> !entry.route().equals(route))
                .orElse(!route.prefixes().isEmpty());
        return new AnnounceResult.Accepted(
                next,
                changed ? next.stateOf(List.of(epoch.node())) : RibDelta.NONE,
                !served.equals(known.map(RibEntry::services).orElse(List.of())));
    }

    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // what the table has, not a missing argument
    private static List<IpAddress> served(NodeEpoch epoch, ServiceAddresses services, Optional<RibEntry> known) {
        return switch (services) {
            case ServiceAddresses.Of(List<IpAddress> addresses) -> addresses;
            case ServiceAddresses.Unknown() ->
                known.filter(entry -> entry.epoch().sameOwner(epoch)
                                && entry.epoch().bootId().equals(epoch.bootId()))
                        .map(RibEntry::services)
                        .orElse(List.of());
        };
    }

    /** The stream of a node's epoch ended at this time. Of another epoch: nothing changes. */
    public static RouteTable streamEnded(RouteTable table, NodeEpoch epoch, Duration now) {
        return table.entry(epoch.node())
                .filter(entry -> entry.epoch().equals(epoch))
                .map(entry -> table.with(new RibEntry(epoch, entry.route(), entry.services(), new Presence.Gone(now))))
                .orElse(table);
    }

    /**
     * Withdraws, of whoever holds it, what is not a life's own.
     *
     * @param own whether a prefix is
     * @param serves whether a life may say of an address of a Service that it serves it
     */
    public static Change keep(
            RouteTable table, BiPredicate<NodeEpoch, IpPrefix> own, BiPredicate<NodeEpoch, IpAddress> serves) {
        TreeMap<NodeName, RibEntry> kept = new TreeMap<>(table.entries());
        List<NodeName> changed = new ArrayList<>();
        boolean otherServices = false;
        for (RibEntry entry : table.entries().values()) {
            NodeRoute route = entry.route().with(prefix -> own.test(entry.epoch(), prefix));
            List<IpAddress> services = entry.services().stream()
                    .filter(address -> serves.test(entry.epoch(), address))
                    .toList();
            RibEntry left = new RibEntry(entry.epoch(), route, services, entry.presence());
            if (!left.equals(entry)) {
                kept.put(entry.node(), left);
            }
            if (!route.equals(entry.route())) {
                changed.add(entry.node());
            }
            otherServices |= !services.equals(entry.services());
        }
        RouteTable next = changed.isEmpty() && !otherServices ? table : new RouteTable(kept);
        return new Change(next, next.stateOf(changed), otherServices);
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
            return new Change(table, RibDelta.NONE, false);
        }
        TreeMap<NodeName, RibEntry> kept = new TreeMap<>(table.entries());
        boolean services =
                stale.stream().anyMatch(node -> !kept.get(node).services().isEmpty());
        stale.forEach(kept::remove);
        return new Change(new RouteTable(kept), new RibDelta(List.of(), stale), services);
    }
}
