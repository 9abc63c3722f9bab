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
 * <p>Its own are: routes of Podwire's protocol number that leave through the underlay or the VXLAN
 * device, and every permanent neighbour and FDB entry of the VXLAN device.
 */
public final class RouteReconciler {
    private static final Logger log = LoggerFactory.getLogger(RouteReconciler.class);
    private final Rtnetlink host;
    private final EventLoop loop;
    private final Underlay underlay;
    private final VxlanDevice vxlan;
    private final Set<IpFamily> families;
    /** What others had changed and nobody has been told of yet. */
    private final List<Repair> repairs = new ArrayList<>();

    private Optional<RoutePlan> plan = Optional.empty();
    private Optional<PodAddresses> tunnelAddresses = Optional.empty();
    /** What was in the kernel when it was last as planned: what differs from that is others' doing. */
    private Optional<Planned> reached = Optional.empty();

    private volatile int tunnelIndex;
    private volatile Set<IpPrefix> destinations = Set.of();

    /** All of the reconciler's own objects. */
    private record Planned(Set<Route> routes, Set<Neighbour> neighbours, Set<FdbEntry> fdb) {}

    /**
     * A reconciler that has not touched the kernel yet; it looks on each change, and when told to.
     *
     * @param families what pods have addresses of: routes of others are not its own
     */
    public RouteReconciler(
            Rtnetlink host,
            EventLoop loop,
            Underlay underlay,
            VxlanDevice.Settings vxlan,
            Set<IpFamily> families,
            Sysctl sysctl) {
        this.host = host;
        this.loop = loop;
        this.underlay = underlay;
        this.vxlan = new VxlanDevice(host, underlay, vxlan, families, sysctl, repairs::add);
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

    /** Takes the next plan. Before the first one, no route is touched. */
    public void plan(RoutePlan next) {
        loop.execute(() -> {
            plan = Optional.of(next);
            destinations = Stream.concat(
                            next.direct().stream().map(RoutePlan.Direct::destination),
                            next.tunnelled().stream().map(RoutePlan.Tunnelled::destination))
                    .collect(Collectors.toUnmodifiableSet());
            planned();
        });
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

    /** Where routes to other nodes lead. */
    public Set<IpPrefix> destinations() {
        return destinations;
    }

    /** Index of the VXLAN device; 0 when there is none. */
    public int tunnelIndex() {
        return tunnelIndex;
    }

    private void planned() {
        try {
            apply();
        } catch (NetlinkException | IOException e) {
            log.error("programming routes failed, next try at the next look", e);
        }
    }

    private void apply() throws IOException {
        OptionalInt device =
                tunnelAddresses.isPresent() ? OptionalInt.of(vxlan.ensure(tunnelAddresses.get())) : OptionalInt.empty();
        tunnelIndex = device.orElse(0);
        if (plan.isPresent()) {
            Optional<Planned> before = reached;
            reached = Optional.empty();
            reached = Optional.of(reconcile(plan.get(), device, before));
        }
    }

    private Planned reconcile(RoutePlan plan, OptionalInt device, Optional<Planned> before) {
        Set<Route> routes = new LinkedHashSet<>();
        Set<Neighbour> neighbours = new LinkedHashSet<>();
        Set<FdbEntry> fdb = new LinkedHashSet<>();
        plan.direct().forEach(d -> routes.add(Route.via(d.destination(), d.via(), underlay.ifindex())));
        if (device.isEmpty()) {
            reconcileRoutes(routes, device, before);
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
        reconcileRoutes(routes, device, before);
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

    private void reconcileRoutes(Set<Route> desired, OptionalInt device, Optional<Planned> before) {
        Set<Route> now = kept(
                ofEach(host::routes),
                r -> r.protocol() == RouteProtocol.PODWIRE
                        && (r.ifindex().equals(OptionalInt.of(underlay.ifindex()))
                                || (device.isPresent() && r.ifindex().equals(device))));
        each(desired, now, route -> {
            host.replaceRoute(route);
            log.info("route to {} via {}", route.destination(), route.gateway().orElseThrow());
            missed(before.map(Planned::routes), route, "route", route.destination(), "");
        });
        Set<Object> wanted = new LinkedHashSet<>();
        desired.forEach(r -> wanted.add(r.destination()));
        each(now, desired, route -> {
            // A route that was replaced in place is gone already: its destination has another next hop.
            if (!wanted.contains(route.destination())) {
                host.deleteRoute(route);
                log.info("no route to {} any more", route.destination());
                extra(before.map(Planned::routes), route, "route", route.destination(), "");
            }
        });
    }

    /** Something was put into the kernel: a repair if it had been there. */
    private <T> void missed(Optional<Set<T>> before, T it, String object, Object name, String where) {
        if (before.filter(had -> had.contains(it)).isPresent()) {
            repaired(object, name, "was not" + where + " as planned", "put there");
        }
    }

    /** Something was removed from the kernel: a repair if it had not been there. */
    private <T> void extra(Optional<Set<T>> before, T it, String object, Object name, String where) {
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
