package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.gateway;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.node.journal.Attachment;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.Scope;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A pod's interface, the same in every mode once it is in the pod: a /32, a /128 or both, for each a default route
 * through a link-local gateway, and the gateway a permanent neighbour where the node is that.
 *
 * <p>No IPv6 address is looked for elsewhere before it is used (duplicate address detection, RFC 4862
 * §5.4, would hold a pod up for a second): an address has one owner by its block. Pods have no link-local address, so
 * their kernels ask for no router; they heed none either.
 *
 * @param sysctl kernel settings
 * @param failPoints where tests make it fail
 */
record PodEnd(Sysctl sysctl, FailPoints failPoints) {
    /** LOOPBACK_IFINDEX, net/flow.h: the same in every namespace. */
    private static final int LOOPBACK = 1;

    /**
     * Completes an interface that is there, and sets the pod's loopback interface up. Its addresses can be reached then.
     *
     * @param gatewayMac of the node's end of the link; empty where whoever has the gateway's address is asked for
     * @return the families whose default route leaves by it
     */
    Set<IpFamily> complete(Entrance entrance, Link link, Attachment attachment, Optional<MacAddress> gatewayMac) {
        Rtnetlink in = entrance.socket();
        String ifname = attachment.key().ifname();
        int index = link.index();
        in.disableIpv6LinkLocal(index);
        if (attachment.addresses().families().contains(IpFamily.V6)) {
            failPoints.reach("add.ipv6");
            entrance.settings(() -> Ipv6Host.byHand(sysctl, ifname));
        }
        boolean own = isOwn(link);
        in.atOnce(() -> {
            for (IpAddress address : attachment.addresses().list()) {
                in.replaceAddress(
                        new InterfaceAddress(index, address, address.family().bits(), Scope.GLOBAL));
            }
            in.setUp(index);
            if (!own) {
                in.setUp(LOOPBACK);
                for (IpFamily family : attachment.addresses().families()) {
                    gatewayMac.ifPresent(mac -> in.replaceNeighbour(new Neighbour(index, gateway(family), mac, true)));
                }
            }
        });
        failPoints.reach("add.pod-up");
        Set<IpFamily> routed = EnumSet.noneOf(IpFamily.class);
        // A container's second interface leaves the first one its default route.
        for (IpFamily family : own ? Set.<IpFamily>of() : attachment.addresses().families()) {
            if (in.addRoute(Route.via(IpPrefix.all(family), gateway(family), index))) {
                routed.add(family);
            }
        }
        KernelThreads.awaitArrival(in, attachment);
        return routed;
    }

    /**
     * True for a pod's end that is in the node's own namespace, as its other end is: there the gateway is an
     * address of the node itself, and its routes are the node's.
     */
    private static boolean isOwn(Link podEnd) {
        return podEnd.peerNetnsId().isEmpty();
    }

    /** The families whose default route leaves by an interface that was completed before. */
    static Set<IpFamily> routed(Rtnetlink in, Attachment attachment) {
        Set<IpFamily> routed = EnumSet.noneOf(IpFamily.class);
        in.link(attachment.key().ifname())
                .filter(link -> !isOwn(link))
                .ifPresent(link -> attachment.addresses().families().stream()
                        .filter(family -> in.routes(family)
                                .contains(Route.via(IpPrefix.all(family), gateway(family), link.index())))
                        .forEach(routed::add));
        return routed;
    }

    /** Differences between an attachment and its interface; the interface, if it is there. */
    static Optional<Link> check(
            Rtnetlink in, Attachment a, Optional<MacAddress> gatewayMac, Set<IpFamily> routed, List<Finding> findings) {
        String ifname = a.key().ifname();
        Optional<Link> found = in.link(ifname);
        if (found.isEmpty()) {
            findings.add(new Finding("link", ifname, "is gone in the container"));
            return found;
        }
        Link link = found.get();
        if (!link.up()) {
            findings.add(new Finding("link", ifname, "is down in the container"));
        }
        if (!link.mac().equals(Optional.of(a.mac()))) {
            findings.add(new Finding("link", ifname, "has MAC address " + link.mac() + " instead of " + a.mac()));
        }
        List<InterfaceAddress> addresses = in.addresses();
        a.addresses().stream().forEach(address -> {
            boolean addressed = addresses.stream()
                    .anyMatch(x -> x.ifindex() == link.index() && x.address().equals(address));
            if (!addressed) {
                findings.add(new Finding("address", address.toString(), "is gone from " + ifname));
            }
            if (!isOwn(link)) {
                checkGateway(in, link, address.family(), gatewayMac, routed, findings);
            }
        });
        return found;
    }

    private static void checkGateway(
            Rtnetlink in,
            Link link,
            IpFamily family,
            Optional<MacAddress> mac,
            Set<IpFamily> routed,
            List<Finding> findings) {
        IpAddress gateway = gateway(family);
        boolean there = in.routes(family).stream()
                .anyMatch(r -> r.destination().length() == 0 && r.gateway().equals(Optional.of(gateway)));
        if (routed.contains(family) && !there) {
            findings.add(new Finding(
                    "route",
                    family == IpFamily.V4 ? "default" : "default " + family.label(),
                    "is gone in the container, or has another gateway"));
        }
        if (mac.isPresent() && !in.neighbours(family).contains(new Neighbour(link.index(), gateway, mac.get(), true))) {
            findings.add(new Finding("neighbour", gateway.toString(), "is gone in the container"));
        }
    }
}
