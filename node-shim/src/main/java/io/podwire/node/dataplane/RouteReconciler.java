package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.VXLAN;

import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
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
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
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
    private static final Duration AUDIT = Duration.ofSeconds(30);

    private final Rtnetlink host;
    private final EventLoop loop;
    private final Underlay underlay;
    private final Vxlan vxlan;
    private final Set<IpFamily> families;
    private final Sysctl sysctl;
    private Optional<RoutePlan> plan = Optional.empty();
    private Optional<PodAddresses> tunnelAddresses = Optional.empty();

    /**
     * The node's VXLAN device as it must be.
     *
     * @param vni VXLAN network identifier, 1 to 16777215
     * @param port UDP port, both ends
     * @param mac of the device
     */
    public record Vxlan(int vni, int port, MacAddress mac) {}

    /**
     * A reconciler that has not touched the kernel yet; it looks every 30 s and on each change.
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
        loop.every(AUDIT, this::apply);
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
            apply();
        });
    }

    /** Takes the next plan. Before the first one, no route is touched. */
    public void plan(RoutePlan next) {
        loop.execute(() -> {
            plan = Optional.of(next);
            apply();
        });
    }

    /** Looks now: the underlay has changed. */
    public void look() {
        loop.execute(this::apply);
    }

    private void apply() {
        try {
            OptionalInt device = tunnelAddresses.isPresent()
                    ? OptionalInt.of(ensureDevice(tunnelAddresses.get()))
                    : OptionalInt.empty();
            plan.ifPresent(p -> reconcile(p, device));
        } catch (NetlinkException | IOException e) {
            log.error("programming routes failed, next try in {} s or at the next change", AUDIT.toSeconds(), e);
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
        }
        Link device = host.link(VXLAN).orElseThrow();
        if (device.mtu() != innerMtu()) {
            log.info("MTU of {} is {} now, as {} has it", VXLAN, innerMtu(), underlay.ifname());
            host.setMtu(device.index(), innerMtu());
        }
        if (families.contains(IpFamily.V6)) {
            host.disableIpv6LinkLocal(device.index());
            Ipv6Host.byHand(sysctl, VXLAN);
        }
        host.addresses().stream()
                .filter(a -> a.ifindex() == device.index()
                        && families.contains(a.address().family())
                        && !addresses.list().contains(a.address()))
                .forEach(host::deleteAddress);
        for (IpAddress address : addresses.list()) {
            int length = address.family().bits();
            host.replaceAddress(new InterfaceAddress(device.index(), address, length, Scope.GLOBAL));
        }
        if (!device.up()) {
            host.setUp(device.index());
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
            each(neighbours, neighboursNow, host::replaceNeighbour);
            each(fdb, fdbNow, host::replaceFdb);
            reconcileRoutes(routes, device);
            each(fdbNow, fdb, host::deleteFdb);
            each(neighboursNow, neighbours, host::deleteNeighbour);
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
        });
        Set<Object> wanted = new LinkedHashSet<>();
        desired.forEach(r -> wanted.add(r.destination()));
        each(now, desired, route -> {
            // A route that was replaced in place is gone already: its destination has another next hop.
            if (!wanted.contains(route.destination())) {
                host.deleteRoute(route);
                log.info("no route to {} any more", route.destination());
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
