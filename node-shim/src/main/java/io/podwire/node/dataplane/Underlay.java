package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.Scope;
import java.util.Comparator;
import java.util.Optional;

/**
 * The interface that carries packets between nodes.
 *
 * @param ifindex its index
 * @param ifname its name
 * @param mtu in bytes
 * @param address the node's address on it
 * @param length prefix length of its subnet
 */
public record Underlay(int ifindex, String ifname, int mtu, IpAddress address, int length) {
    /** Outer Ethernet is not counted in an MTU; outer IPv4, UDP and VXLAN headers and the inner Ethernet header are. */
    public static final int VXLAN_OVERHEAD_V4 = 20 + 8 + 8 + 14;

    /**
     * Finds the underlay.
     *
     * @param ifname the interface to take; empty for the one of the default route with the lowest metric
     * @throws IllegalArgumentException when there is none such, or it has no global IPv4 address
     */
    public static Underlay find(Rtnetlink host, Optional<String> ifname) {
        Link link = ifname.map(name -> host.link(name)
                        .orElseThrow(() -> new IllegalArgumentException(
                                "--underlay-interface " + name + ": there is no such interface")))
                .orElseGet(() -> ofDefaultRoute(host));
        InterfaceAddress address = host.addresses().stream()
                .filter(a -> a.ifindex() == link.index()
                        && a.scope() == Scope.GLOBAL
                        && a.address().family() == IpFamily.V4)
                .findFirst()
                .orElseThrow(() ->
                        new IllegalArgumentException("the underlay interface " + link.name() + " has no IPv4 address"));
        return new Underlay(link.index(), link.name(), link.mtu(), address.address(), address.length());
    }

    private static Link ofDefaultRoute(Rtnetlink host) {
        return host.routes(IpFamily.V4).stream()
                .filter(r -> r.destination().length() == 0 && r.ifindex().isPresent())
                .min(Comparator.comparing((Route r) -> r.gateway().isEmpty()))
                .flatMap(r -> host.link(r.ifindex().getAsInt()))
                .orElseThrow(() -> new IllegalArgumentException(
                        "no default route names the underlay interface: give --underlay-interface"));
    }

    /** Its subnet. */
    public IpPrefix subnet() {
        return IpPrefix.containing(address, length);
    }

    /** MTU of what is carried inside VXLAN. */
    public int innerMtu() {
        return mtu - VXLAN_OVERHEAD_V4;
    }
}
