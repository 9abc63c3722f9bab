package io.podwire.node.dataplane;

import static io.podwire.node.dataplane.PodNames.BRIDGE;
import static io.podwire.node.dataplane.PodNames.BRIDGE_MAC;
import static io.podwire.node.dataplane.PodNames.gateway;

import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.Rtnetlink;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.Link;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The pods' bridge at one moment.
 *
 * @param link the link of its name; empty when there is none
 * @param addresses all of the node
 */
record BridgeState(Optional<Link> link, List<InterfaceAddress> addresses) {
    /** Copies. */
    BridgeState {
        addresses = List.copyOf(addresses);
    }

    /** A look at it. */
    static BridgeState of(Rtnetlink host) {
        return new BridgeState(host.link(BRIDGE), host.addresses());
    }

    /** What is not as it has to be. What others put on the bridge besides is theirs. */
    List<Finding> lacks(Set<IpFamily> families, int mtu) {
        if (link.isEmpty()) {
            return List.of(new Finding("bridge", BRIDGE, "is gone"));
        }
        List<Finding> lacks = new ArrayList<>(ofLink(link.get(), mtu));
        for (IpFamily family : families) {
            boolean there = addresses.stream()
                    .anyMatch(a -> a.ifindex() == link.get().index()
                            && a.length() == family.bits()
                            && a.address().equals(gateway(family)));
            if (!there) {
                lacks.add(new Finding("address", gateway(family).toString(), "is gone from " + BRIDGE));
            }
        }
        return lacks;
    }

    /** What the link itself lacks. */
    static List<Finding> ofLink(Link link, int mtu) {
        List<Finding> lacks = new ArrayList<>();
        if (!link.up()) {
            lacks.add(new Finding("bridge", BRIDGE, "is down"));
        }
        if (link.mtu() != mtu) {
            lacks.add(new Finding("bridge", BRIDGE, "has MTU " + link.mtu() + " instead of " + mtu));
        }
        if (!link.mac().equals(Optional.of(BRIDGE_MAC))) {
            lacks.add(new Finding(
                    "bridge",
                    BRIDGE,
                    "has MAC address " + link.mac().map(Object::toString).orElse("none") + " instead of "
                            + BRIDGE_MAC));
        }
        return lacks;
    }
}
