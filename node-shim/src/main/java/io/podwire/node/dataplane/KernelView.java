package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.Route;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * One look at the kernel's tables.
 *
 * @param links by name
 * @param addresses of all links
 * @param routes of the families asked for
 * @param neighbours likewise
 * @param fdb of all bridges
 */
record KernelView(
        Map<String, Link> links,
        List<InterfaceAddress> addresses,
        List<Route> routes,
        List<Neighbour> neighbours,
        List<FdbEntry> fdb) {
    static KernelView of(Rtnetlink host, Set<IpFamily> families) {
        return new KernelView(
                host.links().stream().collect(Collectors.toMap(Link::name, Function.identity())),
                host.addresses(),
                families.stream()
                        .flatMap(family -> host.routes(family).stream())
                        .toList(),
                families.stream()
                        .flatMap(family -> host.neighbours(family).stream())
                        .toList(),
                host.fdb());
    }

    /** True when a link has one of these addresses. */
    boolean has(Link link, IpAddress address) {
        return addresses.stream()
                .anyMatch(a -> a.ifindex() == link.index() && a.address().equals(address));
    }
}
