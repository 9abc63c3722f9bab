package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.Scope;
import io.podwire.node.plan.UnderlayEnd;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

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
     * @param ifname the interface to take; empty for the one of the default route with the lowest metric
     * @throws IllegalArgumentException when there is none such, or it has no global address
     */
    public static Underlay find(Rtnetlink host, Optional<String> ifname) {
        Link link = ifname.map(name -> host.link(name)
                        .orElseThrow(() -> new IllegalArgumentException(
                                "--underlay-interface " + name + ": there is no such interface")))
                .orElseGet(() -> ofDefaultRoute(host));
        List<InterfaceAddress> global = host.addresses().stream()
                .filter(a -> a.ifindex() == link.index() && a.scope() == Scope.GLOBAL)
                .toList();
        List<UnderlayEnd> ends = Arrays.stream(IpFamily.values())
                .flatMap(family -> global.stream()
                        .filter(a -> a.address().family() == family)
                        .limit(1))
                .map(a -> new UnderlayEnd(a.address(), a.length()))
                .toList();
        if (ends.isEmpty()) {
            throw new IllegalArgumentException("the underlay interface " + link.name() + " has no global address");
        }
        return new Underlay(link.index(), link.name(), link.mtu(), ends);
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

    /** The same with the MTU that its interface has now; while that is gone, as it was. */
    public Underlay now(Rtnetlink host) {
        return host.link(ifindex)
                .map(link -> new Underlay(ifindex, ifname, link.mtu(), ends))
                .orElse(this);
    }

    /** Source of VXLAN's outer packets. */
    public IpAddress address() {
        return ends.getFirst().address();
    }

    /** MTU of what is carried inside VXLAN. */
    public int innerMtu() {
        int outer = switch (address().family()) {
            case V4 -> 20;
            case V6 -> 40;
        };
        return mtu - outer - VXLAN_OVERHEAD;
    }
}
