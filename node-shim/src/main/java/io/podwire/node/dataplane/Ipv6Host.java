package io.podwire.node.dataplane;

import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteProtocol;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a node sets in its kernel before it forwards IPv6, ip-sysctl(7). */
final class Ipv6Host {
    private static final Logger log = LoggerFactory.getLogger(Ipv6Host.class);
    private static final String CONF = "net/ipv6/conf/";

    private Ipv6Host() {}

    /**
     * Switches forwarding on. The kernel then forgets every default route that it learned from router
     * advertisements, and heeds no more of them, on each interface with accept_ra 1: uplinks and those
     * with such a route get accept_ra 2 first, which says "heed them while forwarding too". Others keep
     * 1, and with it hear no router any more: a bridge of other containers must not.
     *
     * @param uplinks interfaces where routers of the node may be
     * @throws IllegalStateException when the kernel has no IPv6
     */
    static void forward(Sysctl sysctl, Rtnetlink host, Set<String> uplinks) throws IOException {
        if (sysctl.read(CONF + "all/forwarding").isEmpty()) {
            throw new IllegalStateException("this kernel has no IPv6 (" + CONF + "all/forwarding is missing below "
                    + sysctl.root() + "): boot it without ipv6.disable=1, or start node-shim with --ip-families ipv4");
        }
        Set<String> heeding = new TreeSet<>(uplinks);
        host.routes(IpFamily.V6).stream()
                .filter(route -> route.protocol() == RouteProtocol.RA
                        && route.destination().length() == 0)
                .map(Route::ifindex)
                .flatMap(index -> index.stream().boxed())
                .map(host::link)
                .flatMap(Optional::stream)
                .map(Link::name)
                .forEach(heeding::add);
        for (String name : heeding) {
            // With forwarding on already, 1 means that its administrator wants none heeded.
            boolean heeds = sysctl.read(CONF + name + "/accept_ra").equals(Optional.of("1"))
                    && sysctl.read(CONF + name + "/forwarding").equals(Optional.of("0"));
            if (heeds && sysctl.ensure(CONF + name + "/accept_ra", "2")) {
                log.info(
                        "set accept_ra of {} to 2: a node that forwards IPv6 would lose its default route with 1",
                        name);
            }
        }
        if (sysctl.ensure(CONF + "all/forwarding", "1")) {
            log.info("switched IPv6 forwarding on");
        }
    }

    /**
     * An interface with IPv6 whose addresses and routers are set by hand: it hears no advertisements,
     * no redirects, and makes no addresses of its own.
     */
    static void byHand(Sysctl sysctl, String ifname) throws IOException {
        sysctl.ensure(byHand(ifname));
    }

    /** The settings of such an interface. */
    static Map<String, String> byHand(String ifname) {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put(CONF + ifname + "/accept_ra", "0");
        settings.put(CONF + ifname + "/autoconf", "0");
        settings.put(CONF + ifname + "/accept_redirects", "0");
        settings.put(CONF + ifname + "/router_solicitations", "0");
        settings.put(CONF + ifname + "/disable_ipv6", "0");
        return settings;
    }

    /** An interface without IPv6: no link-local address, no router solicitations. */
    static void off(Sysctl sysctl, String ifname) throws IOException {
        sysctl.ensure(off(ifname));
    }

    /** The settings of such an interface. */
    static Map<String, String> off(String ifname) {
        return Map.of(CONF + ifname + "/disable_ipv6", "1");
    }
}
