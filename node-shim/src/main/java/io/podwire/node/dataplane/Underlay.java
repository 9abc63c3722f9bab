package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.plan.RouteMode;
import io.podwire.node.plan.UnderlayChoice;
import io.podwire.node.plan.UnderlayEnd;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The interface that carries packets between nodes.
 *
 * @param ifindex its index
 * @param ifname its name
 * @param mtu in bytes
 * @param ends the node's global addresses on it, one or one of each family, IPv4 first; VXLAN leaves by the first
 */
public record Underlay(int ifindex, String ifname, int mtu, List<UnderlayEnd> ends) {
    /** Outer Ethernet is not counted in an MTU; outer IP, UDP and VXLAN headers and the inner Ethernet header are. */
    private static final int VXLAN_OVERHEAD = 8 + 8 + 14;

    /** Copies. */
    public Underlay {
        ends = List.copyOf(ends);
    }

    /**
     * Finds the underlay.
     *
     * @throws IllegalArgumentException when there is none that the choice fits, or it has no global address
     */
    public static Underlay find(Rtnetlink host, UnderlayChoice choice) {
        List<InterfaceAddress> global = host.addresses().stream()
                .filter(a -> a.scope() == Scope.GLOBAL && choice.fits(a.address()))
                .toList();
        Link link = link(host, choice, global);
        List<UnderlayEnd> ends = Arrays.stream(IpFamily.values())
                .flatMap(family -> global.stream()
                        .filter(a -> a.ifindex() == link.index() && a.address().family() == family)
                        .limit(1))
                .map(a -> new UnderlayEnd(a.address(), a.length()))
                .toList();
        if (ends.isEmpty()) {
            throw new IllegalArgumentException("the underlay interface " + link.name() + " has no global address"
                    + (choice.networks().isEmpty() ? "" : " in " + choice.networks()));
        }
        return new Underlay(link.index(), link.name(), link.mtu(), ends);
    }

    private static Link link(Rtnetlink host, UnderlayChoice choice, List<InterfaceAddress> global) {
        if (!choice.interfaces().isEmpty()) {
            List<Link> there = choice.interfaces().stream()
                    .flatMap(name -> host.link(name).stream())
                    .toList();
            return there.stream()
                    .filter(link -> global.stream().anyMatch(a -> a.ifindex() == link.index()))
                    .findFirst()
                    // It says what is missing there.
                    .or(() -> there.stream().findFirst())
                    .orElseThrow(() -> new IllegalArgumentException("--underlay-interface "
                            + String.join(",", choice.interfaces()) + ": there is no such interface"));
        }
        if (choice.networks().isEmpty()) {
            return ofDefaultRoute(host);
        }
        Map<Integer, Link> others = host.links().stream()
                .filter(link -> !link.name().startsWith(PodNames.PREFIX))
                .collect(Collectors.toMap(Link::index, Function.identity()));
        return choice.networks().stream()
                .flatMap(network -> global.stream().filter(a -> network.contains(a.address())))
                .flatMap(a -> Optional.ofNullable(others.get(a.ifindex())).stream())
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no interface of this node has a global address in "
                        + choice.networks() + ": correct --underlay-cidr or --underlay-address"));
    }

    static Link ofDefaultRoute(Rtnetlink host) {
        return Arrays.stream(IpFamily.values())
                .flatMap(family -> host.routes(family).stream()
                        .filter(r ->
                                r.destination().length() == 0 && r.ifindex().isPresent())
                        .min(Comparator.comparing((Route r) -> r.gateway().isEmpty()))
                        .stream())
                .findFirst()
                .flatMap(r -> host.link(r.ifindex().getAsInt()))
                .orElseThrow(() -> new IllegalArgumentException(
                        "no default route names the underlay interface: give --underlay-interface"));
    }

    /** Whether it has the same interface and the same addresses. */
    boolean samePlace(Underlay other) {
        return ifindex == other.ifindex && ends.equals(other.ends);
    }

    /** For people. */
    String text() {
        return ifname + " with "
                + ends.stream().map(end -> end.address() + "/" + end.length()).collect(Collectors.joining(" and "));
    }

    /** Source of VXLAN's outer packets. */
    public IpAddress address() {
        return ends.getFirst().address();
    }

    /** MTU that pods can have without a packet being too long for the way to another node, in bytes. */
    public int podMtu(RouteMode mode) {
        return mode.tunnels() ? innerMtu() : mtu;
    }

    /** MTU of what is carried inside VXLAN, in bytes. */
    public int innerMtu() {
        int outer = switch (address().family()) {
            case V4 -> 20;
            case V6 -> 40;
        };
        return mtu - outer - VXLAN_OVERHEAD;
    }
}
