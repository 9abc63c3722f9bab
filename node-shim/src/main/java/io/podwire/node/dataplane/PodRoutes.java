package io.podwire.node.dataplane;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netns.Netns;
import io.podwire.node.plan.ExtraRoute;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Routes inside pods beside the default route. They end with the interface. Safe for several threads.
 *
 * @param gateway next hop of a route that names none, by family
 */
record PodRoutes(Function<IpFamily, IpAddress> gateway) {
    /**
     * Makes them; one that is there already stays.
     *
     * @throws RefusedException when another route to the same destination, of the same priority, is in its table
     * @throws io.podwire.node.netlink.NetlinkException when the kernel refuses one
     */
    void apply(Attachment a, Netns pod) throws RefusedException {
        if (a.request().routes().isEmpty()) {
            return;
        }
        try (Rtnetlink in = Rtnetlink.open(pod)) {
            int index = in.link(a.key().ifname()).orElseThrow().index();
            for (ExtraRoute extra : a.request().routes()) {
                Route route = route(extra, index);
                if (!in.addRoute(route) && !has(in, route)) {
                    throw new RefusedException(
                            "a route to " + extra.destination() + " with priority " + route.metric() + " is in table "
                                    + route.table() + " of the pod already: give this one another priority",
                            false,
                            null);
                }
            }
        }
    }

    /** The kernel's route for one that is asked for. */
    private Route route(ExtraRoute extra, int index) {
        IpAddress via = extra.gateway()
                .orElseGet(() -> gateway.apply(extra.destination().family()));
        return Route.via(extra.destination(), via, index)
                .withLimits(extra.mtu(), extra.advmss())
                .withMetric(extra.priority().orElse(0))
                .inTable(extra.table().orElse(Route.MAIN));
    }

    private static boolean has(Rtnetlink in, Route wanted) {
        return in.routes(wanted.destination().family(), wanted.table()).stream().anyMatch(now -> same(now, wanted));
    }

    /** A device's MTU that falls below an IPv6 route's takes it along: {@link Route#mtu}. */
    private static boolean same(Route now, Route wanted) {
        boolean lower = now.mtu().isPresent()
                && wanted.mtu().isPresent()
                && now.mtu().getAsInt() < wanted.mtu().getAsInt();
        return (lower ? now.withLimits(wanted.mtu(), now.advmss()) : now).equals(wanted);
    }

    /** Those that are not as they were made. */
    List<Finding> check(Attachment a, Netns pod) {
        List<Finding> findings = new ArrayList<>();
        if (a.request().routes().isEmpty()) {
            return findings;
        }
        try (Rtnetlink in = Rtnetlink.open(pod)) {
            Optional<Link> link = in.link(a.key().ifname());
            if (link.isEmpty()) {
                // That is the wiring's finding.
                return findings;
            }
            for (ExtraRoute extra : a.request().routes()) {
                Route route = route(extra, link.get().index());
                if (!has(in, route)) {
                    findings.add(new Finding(
                            "route",
                            extra.destination().toString(),
                            "is gone from table " + route.table() + " in the container, or is another"));
                }
            }
        }
        return findings;
    }
}
