package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.VXLAN;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.netlink.NetlinkException;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkKind;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteProtocol;
import io.podwire.node.netlink.rt.Scope;
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
    private final Vxlan vxlan;
    private final Set<IpFamily> families;
    private final Sysctl sysctl;
    private final List<Repair> repairs = new ArrayList<>();
    private Optional<RoutePlan> plan = Optional.empty();
    private Optional<PodAddresses> tunnelAddresses = Optional.empty();
    /** True while the kernel has not been as planned since the plan changed: what is changed now is no repair. */
    private boolean behind = true;

    private volatile int tunnelIndex;
    private volatile Set<IpPrefix> destinations = Set.of();

    /**
     * The node's VXLAN device as it must be.
     *
     * @param vni VXLAN network identifier, 1 to 16777215
     * @param port UDP port, both ends
     * @param mac of the device
     */
    public record Vxlan(int vni, int port, MacAddress mac) {}

    /**
     * A reconciler that has not touched the kernel yet; it looks on each change, and when told to.
     *
     * @param families what pods have addresses of: routes of others are not its own
     */
    public RouteReconciler(
            Rtnetlink host, EventLoop loop, Underlay underlay, Vxlan vxlan, Set<IpFamily> families, Sysctl sysctl) {
        this.host = host;
        this.loop = loop;
        this.underlay = underlay;
        this.vxlan = vxlan;
        this.families = Set.copyOf(families);
        this.sysctl = sysctl;
    }

    /**
     * Makes the VXLAN device.
     *
     * @param addresses of the node on it, from the node's blocks: the sources of what the node itself
     *     sends to pods behind the tunnel
     */
    public void tunnelAddresses(PodAddresses addresses) {
        loop.execute(() -> {
            tunnelAddresses = Optional.of(addresses);
            planned();
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
     * @return what others had changed; fails when the kernel refuses
     */
    public CompletableFuture<List<Repair>> resync() {
        return loop.submit(() -> {
            repairs.clear();
            apply();
            return List.copyOf(repairs);
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
        behind = true;
        try {
            apply();
        } catch (NetlinkException | IOException e) {
            log.error("programming routes failed, next try at the next look", e);
        }
    }

    private void apply() throws IOException {
        OptionalInt device =
                tunnelAddresses.isPresent() ? OptionalInt.of(ensureDevice(tunnelAddresses.get())) : OptionalInt.empty();
        tunnelIndex = device.orElse(0);
        plan.ifPresent(p -> reconcile(p, device));
        behind = false;
    }

    private void changed(String object, String name, String problem, String done) {
        if (!behind) {
            repairs.add(new Repair(new Finding(object, name, problem), done));
        }
    }

    private int ensureDevice(PodAddresses addresses) throws IOException {
        Optional<Link> found = host.link(VXLAN);
        if (found.isPresent() && !isAsPlanned(found.get())) {
            log.warn("{} is not as it must be ({}), making it anew", VXLAN, found.get());
            host.deleteLink(found.get().index());
            found = Optional.empty();
        }
        if (found.isEmpty()) {
            host.addLink(new NewLink(
                    VXLAN,
                    new NewLinkKind.Vxlan(
                            vxlan.vni(), underlay.address(), OptionalInt.of(underlay.ifindex()), vxlan.port(), false),
                    Optional.of(vxlan.mac()),
                    OptionalInt.of(innerMtu()),
                    OptionalInt.empty(),
                    false,
                    Optional.empty()));
            log.info("made {} with VNI {} over {}", VXLAN, vxlan.vni(), underlay.ifname());
            changed("vxlan", VXLAN, "was gone, or not as it must be", "made anew");
        }
        Link device = host.link(VXLAN).orElseThrow();
        if (device.mtu() != innerMtu()) {
            log.info("MTU of {} is {} now, as {} has it", VXLAN, innerMtu(), underlay.ifname());
            host.setMtu(device.index(), innerMtu());
            changed("vxlan", VXLAN, "had MTU " + device.mtu(), "set to " + innerMtu() + " again");
        }
        if (families.contains(IpFamily.V6)) {
            host.disableIpv6LinkLocal(device.index());
            Ipv6Host.byHand(sysctl, VXLAN);
        }
        List<InterfaceAddress> now = host.addresses().stream()
                .filter(a -> a.ifindex() == device.index()
                        && families.contains(a.address().family()))
                .toList();
        now.stream().filter(a -> !addresses.list().contains(a.address())).forEach(a -> {
            host.deleteAddress(a);
            changed("address", a.address().toString(), "was added to " + VXLAN, "removed");
        });
        for (IpAddress address : addresses.list()) {
            int length = address.family().bits();
            host.replaceAddress(new InterfaceAddress(device.index(), address, length, Scope.GLOBAL));
            if (now.stream().noneMatch(a -> a.address().equals(address))) {
                changed("address", address.toString(), "was gone from " + VXLAN, "added");
            }
        }
        if (!device.up()) {
            host.setUp(device.index());
            changed("vxlan", VXLAN, "was down", "set up");
        }
        return device.index();
    }

    private boolean isAsPlanned(Link link) {
        return link.kind() instanceof LinkKind.Vxlan(int vni, Optional<IpAddress> local, int port, boolean learning)
                && vni == vxlan.vni()
                && local.equals(Optional.of(underlay.address()))
                && port == vxlan.port()
                && !learning
                && link.mac().equals(Optional.of(vxlan.mac()));
    }

    /** MTU of what is carried inside VXLAN now: the underlay's may change. */
    private int innerMtu() {
        return underlay.now(host).innerMtu();
    }

    private void reconcile(RoutePlan plan, OptionalInt device) {
        Set<Route> routes = new LinkedHashSet<>();
        plan.direct().forEach(d -> routes.add(Route.via(d.destination(), d.via(), underlay.ifindex())));
        if (device.isPresent()) {
            int index = device.getAsInt();
            Set<Neighbour> neighbours = new LinkedHashSet<>();
            Set<FdbEntry> fdb = new LinkedHashSet<>();
            plan.tunnelled().forEach(t -> {
                routes.add(Route.via(t.destination(), t.via(), index));
                neighbours.add(new Neighbour(index, t.via(), t.mac(), true));
                fdb.add(FdbEntry.ofVxlan(index, t.mac(), t.underlay()));
            });
            // Adds go before the routes that need them, removals after: the order of a packet's path.
            Set<Neighbour> neighboursNow = kept(ofEach(host::neighbours), n -> n.ifindex() == index && n.permanent());
            Set<FdbEntry> fdbNow = kept(
                    host.fdb(),
                    f -> f.ifindex() == index && f.vxlanDestination().isPresent());
            each(neighbours, neighboursNow, n -> {
                host.replaceNeighbour(n);
                changed("neighbour", n.address().toString(), "was not on " + VXLAN + " as planned", "put there");
            });
            each(fdb, fdbNow, entry -> {
                host.replaceFdb(entry);
                changed("fdb", entry.mac().toString(), "was not on " + VXLAN + " as planned", "put there");
            });
            reconcileRoutes(routes, device);
            each(fdbNow, fdb, entry -> {
                host.deleteFdb(entry);
                changed("fdb", entry.mac().toString(), "was on " + VXLAN + " and not planned", "removed");
            });
            each(neighboursNow, neighbours, n -> {
                // One that was replaced in place has another MAC address now, and stays.
                if (neighbours.stream().noneMatch(wanted -> wanted.address().equals(n.address()))) {
                    host.deleteNeighbour(n);
                    changed("neighbour", n.address().toString(), "was on " + VXLAN + " and not planned", "removed");
                }
            });
        } else {
            reconcileRoutes(routes, device);
        }
    }

    private void reconcileRoutes(Set<Route> desired, OptionalInt device) {
        Set<Route> now = kept(
                ofEach(host::routes),
                r -> r.protocol() == RouteProtocol.PODWIRE
                        && (r.ifindex().equals(OptionalInt.of(underlay.ifindex()))
                                || (device.isPresent() && r.ifindex().equals(device))));
        each(desired, now, route -> {
            host.replaceRoute(route);
            log.info("route to {} via {}", route.destination(), route.gateway().orElseThrow());
            changed("route", route.destination().toString(), "was not as planned", "put there");
        });
        Set<Object> wanted = new LinkedHashSet<>();
        desired.forEach(r -> wanted.add(r.destination()));
        each(now, desired, route -> {
            // A route that was replaced in place is gone already: its destination has another next hop.
            if (!wanted.contains(route.destination())) {
                host.deleteRoute(route);
                log.info("no route to {} any more", route.destination());
                changed("route", route.destination().toString(), "was not planned", "removed");
            }
        });
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
