package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.VXLAN;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteProtocol;
import io.podwire.node.netlink.rt.RouteType;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.RoutePlan;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the kernel's routes to other nodes, and the VXLAN device with its neighbours and FDB, equal
 * to the plan. The loop given to the constructor owns all state.
 *
 * <p>Its own are: routes of Podwire's protocol number that have a next hop, leave through the underlay or the VXLAN
 * device or refuse, and every permanent neighbour and FDB entry of the VXLAN device.
 *
 * <p>A packet to an address of the node's own blocks that no pod has is refused here: by the default route it would go
 * to the network's router, which may have a route back. It is told to its sender, as from a link where nobody answers.
 */
public final class RouteReconciler {
    private static final Logger log = LoggerFactory.getLogger(RouteReconciler.class);
    /** Any other route to the same destination is better: a pod's, where a block is one address, or another node's. */
    private static final long LAST_RESORT = 0xFFFF_FFFFL;
    /** So many changes at once have a line each in the log. */
    private static final int FEW = 50;

    private final Rtnetlink host;
    private final EventLoop loop;
    private final CurrentUnderlay underlay;
    private final RouteMode mode;
    private final VxlanDevice vxlan;
    private final Set<IpFamily> families;
    /** What others had changed and nobody has been told of yet. */
    private final List<Repair> repairs = new ArrayList<>();

    private Optional<RoutePlan> plan = Optional.empty();
    private Optional<PodAddresses> tunnelAddresses = Optional.empty();
    private Optional<Set<IpPrefix>> ownBlocks = Optional.empty();
    /** What was in the kernel when it was last as planned: what differs from that is others' doing. */
    private Optional<Planned> reached = Optional.empty();

    private volatile Runnable changed = () -> {};
    /** How many objects the current look has put, or removed. */
    private int touched;

    private volatile int tunnelIndex;
    private volatile Set<IpPrefix> destinations = Set.of();

    /** All of the reconciler's own objects. */
    private record Planned(Set<Route> routes, Set<Neighbour> neighbours, Set<FdbEntry> fdb) {}

    /**
     * A reconciler that has not touched the kernel yet; it looks on each change, and when told to.
     *
     * @param mode how packets go to other nodes
     * @param families what pods have addresses of: routes of others are not its own
     */
    public RouteReconciler(
            Rtnetlink host,
            EventLoop loop,
            CurrentUnderlay underlay,
            RouteMode mode,
            VxlanDevice.Settings vxlan,
            Set<IpFamily> families,
            Sysctl sysctl) {
        this.host = host;
        this.loop = loop;
        this.underlay = underlay;
        this.mode = mode;
        this.vxlan = new VxlanDevice(host, vxlan, families, sysctl, repairs::add);
        this.families = Set.copyOf(families);
    }

    /**
     * Makes the VXLAN device.
     *
     * @param addresses of the node on it, from the node's blocks: the sources of what the node itself
     *     sends to pods behind the tunnel
     * @return done when it has these and no others; fails when the kernel refuses, and the next look tries again
     */
    public CompletableFuture<Void> tunnelAddresses(PodAddresses addresses) {
        return loop.submit(() -> {
            tunnelAddresses = Optional.of(addresses);
            try {
                apply();
            } catch (NetlinkException | IOException e) {
                log.error("programming routes failed, next try at the next look", e);
                throw e;
            }
            return null;
        });
    }

    /** Takes the node's own blocks: what no pod has of them is refused. Before the first call nothing is. */
    public void ownBlocks(Set<IpPrefix> blocks) {
        Set<IpPrefix> copy = Set.copyOf(blocks);
        loop.execute(() -> {
            if (!ownBlocks.equals(Optional.of(copy))) {
                reached = ownBlocks.isPresent() ? reached : Optional.empty();
                ownBlocks = Optional.of(copy);
                rememberDestinations();
                planned();
            }
        });
    }

    /** Takes the next plan. Before the first one, no route to another node is touched. */
    public void plan(RoutePlan next) {
        loop.execute(() -> {
            plan = Optional.of(next);
            rememberDestinations();
            planned();
        });
    }

    private void rememberDestinations() {
        Stream<IpPrefix> others = plan.stream()
                .flatMap(now -> Stream.concat(
                        now.direct().stream().map(RoutePlan.Direct::destination),
                        now.tunnelled().stream().map(RoutePlan.Tunnelled::destination)));
        destinations =
                Stream.concat(others, ownBlocks.orElse(Set.of()).stream()).collect(Collectors.toUnmodifiableSet());
    }

    /** Looks now: the underlay has changed. */
    public void look() {
        loop.execute(this::planned);
    }

    /**
     * Compares the kernel with the plan, and puts right what differs.
     *
     * @return what others had changed, since the last call; fails when the kernel refuses
     */
    public CompletableFuture<List<Repair>> resync() {
        return loop.submit(() -> {
            apply();
            List<Repair> told = List.copyOf(repairs);
            repairs.clear();
            return told;
        });
    }

    /** Where routes to other nodes lead, and what of the node's own is refused. */
    public Set<IpPrefix> destinations() {
        return destinations;
    }

    /** Index of the VXLAN device; 0 when there is none. */
    public int tunnelIndex() {
        return tunnelIndex;
    }

    /** Has something called, on the loop, when packets may go elsewhere than before. */
    public void whenChanged(Runnable action) {
        changed = action;
    }

    private void planned() {
        try {
            apply();
        } catch (NetlinkException | IOException e) {
            log.error("programming routes failed, next try at the next look", e);
        }
    }

    private void apply() throws IOException {
        Underlay now = underlay.look();
        if (!mode.tunnels()) {
            vxlan.remove();
        }
        OptionalInt device = tunnelAddresses.isPresent()
                ? OptionalInt.of(vxlan.ensure(now, tunnelAddresses.get()))
                : OptionalInt.empty();
        tunnelIndex = device.orElse(0);
        if (plan.isPresent() || ownBlocks.isPresent()) {
            Optional<Planned> before = reached;
            reached = Optional.empty();
            touched = 0;
            Planned done;
            try {
                done = reconcile(now, device, before);
            } finally {
                if (touched > 0) {
                    changed.run();
                }
            }
            // What an earlier life left, and the first plan takes away, others have not put there.
            reached = plan.isPresent() ? Optional.of(done) : Optional.empty();
        }
    }

    private Planned reconcile(Underlay now, OptionalInt device, Optional<Planned> before) {
        Set<Route> routes = new LinkedHashSet<>();
        ownBlocks.orElse(Set.of()).stream()
                .filter(block -> families.contains(block.family()))
                .sorted()
                .forEach(block -> routes.add(Route.unreachable(block).withMetric(LAST_RESORT)));
        if (plan.isEmpty()) {
            reconcileRoutes(now, routes, device, before);
            return new Planned(routes, Set.of(), Set.of());
        }
        return reconcile(plan.get(), now, routes, device, before);
    }

    private Planned reconcile(
            RoutePlan plan, Underlay now, Set<Route> routes, OptionalInt device, Optional<Planned> before) {
        Set<Neighbour> neighbours = new LinkedHashSet<>();
        Set<FdbEntry> fdb = new LinkedHashSet<>();
        plan.direct().forEach(d -> routes.add(Route.via(d.destination(), d.via(), now.ifindex())));
        if (device.isEmpty()) {
            reconcileRoutes(now, routes, device, before);
            return new Planned(routes, neighbours, fdb);
        }
        int index = device.getAsInt();
        plan.tunnelled().forEach(t -> {
            routes.add(Route.via(t.destination(), t.via(), index));
            neighbours.add(new Neighbour(index, t.via(), t.mac(), true));
            fdb.add(FdbEntry.ofVxlan(index, t.mac(), t.underlay()));
        });
        // Adds go before the routes that need them, removals after: the order of a packet's path.
        Set<Neighbour> neighboursNow = kept(ofEach(host::neighbours), n -> n.ifindex() == index && n.permanent());
        Set<FdbEntry> fdbNow = kept(
                host.fdb(), f -> f.ifindex() == index && f.vxlanDestination().isPresent());
        each(neighbours, neighboursNow, n -> {
            host.replaceNeighbour(n);
            missed(before.map(Planned::neighbours), n, "neighbour", n.address(), " on " + VXLAN);
        });
        each(fdb, fdbNow, entry -> {
            host.replaceFdb(entry);
            missed(before.map(Planned::fdb), entry, "fdb", entry.mac(), " on " + VXLAN);
        });
        reconcileRoutes(now, routes, device, before);
        each(fdbNow, fdb, entry -> {
            host.deleteFdb(entry);
            extra(before.map(Planned::fdb), entry, "fdb", entry.mac(), " on " + VXLAN);
        });
        each(neighboursNow, neighbours, n -> {
            // One that was replaced in place has another MAC address now, and stays.
            if (neighbours.stream().noneMatch(wanted -> wanted.address().equals(n.address()))) {
                host.deleteNeighbour(n);
                extra(before.map(Planned::neighbours), n, "neighbour", n.address(), " on " + VXLAN);
            }
        });
        return new Planned(routes, neighbours, fdb);
    }

    private void reconcileRoutes(Underlay underlay, Set<Route> desired, OptionalInt device, Optional<Planned> before) {
        Set<Route> now = kept(ofEach(host::routes), r -> isOwn(r, underlay, device));
        Set<Place> wanted = new LinkedHashSet<>();
        desired.forEach(r -> wanted.add(new Place(r.destination(), r.metric())));
        List<Route> fresh = desired.stream().filter(r -> !now.contains(r)).toList();
        // A route that is replaced in place is gone then: its destination has another next hop.
        List<Route> gone = now.stream()
                .filter(r -> !wanted.contains(new Place(r.destination(), r.metric())))
                .toList();
        boolean named = fresh.size() + gone.size() <= FEW;
        if (!named) {
            log.info("{} routes are new or other ones, {} are gone", fresh.size(), gone.size());
        }
        fresh.forEach(route -> {
            host.replaceRoute(route);
            if (named) {
                String how = route.gateway().map(via -> "via " + via).orElse("refuses what no pod has");
                log.info("route to {} {}", route.destination(), how);
            }
            missed(before.map(Planned::routes), route, "route", route.destination(), "");
        });
        gone.forEach(route -> {
            host.deleteRoute(route);
            if (named) {
                log.info("no route to {} any more", route.destination());
            }
            extra(before.map(Planned::routes), route, "route", route.destination(), "");
        });
    }

    /** Where the kernel has one route at most. */
    private record Place(IpPrefix destination, long metric) {}

    /** Whether it is one to judge now: before the first plan, or before the first blocks, those of that kind are not. */
    private boolean isOwn(Route route, Underlay underlay, OptionalInt device) {
        if (route.protocol() != RouteProtocol.PODWIRE) {
            return false;
        }
        if (route.type() != RouteType.UNICAST) {
            return ownBlocks.isPresent();
        }
        return plan.isPresent()
                && (route.gateway().isPresent()
                        || route.ifindex().equals(OptionalInt.of(underlay.ifindex()))
                        || (device.isPresent() && route.ifindex().equals(device)));
    }

    /** Something was put into the kernel: a repair if it had been there. */
    private <T> void missed(Optional<Set<T>> before, T it, String object, Object name, String where) {
        touched++;
        if (before.filter(had -> had.contains(it)).isPresent()) {
            repaired(object, name, "was not" + where + " as planned", "put there");
        }
    }

    /** Something was removed from the kernel: a repair if it had not been there. */
    private <T> void extra(Optional<Set<T>> before, T it, String object, Object name, String where) {
        touched++;
        if (before.filter(had -> !had.contains(it)).isPresent()) {
            repaired(object, name, "was" + where + " and not planned", "removed");
        }
    }

    private void repaired(String object, Object name, String problem, String done) {
        repairs.add(new Repair(new Finding(object, name.toString(), problem), done));
    }

    private <T> List<T> ofEach(Function<IpFamily, List<T>> dump) {
        return families.stream().flatMap(family -> dump.apply(family).stream()).toList();
    }

    private static <T> Set<T> kept(Iterable<T> all, Predicate<T> filter) {
        Set<T> kept = new LinkedHashSet<>();
        all.forEach(each -> {
            if (filter.test(each)) {
                kept.add(each);
            }
        });
        return kept;
    }

    /** Does something with each element of the first set that the second lacks. */
    private static <T> void each(Set<T> these, Set<T> butNotThose, Consumer<T> action) {
        these.stream().filter(t -> !butNotThose.contains(t)).toList().forEach(action);
    }
}
