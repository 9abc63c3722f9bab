package io.podwire.node.netlink.rt;

import io.podwire.common.net.MacAddress;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A network device as the kernel tells it.
 *
 * @param index ifindex, unique in its namespace; not used again soon
 * @param name IFNAMSIZ-1 bytes at most
 * @param alias free text, empty when there is none
 * @param mac its Ethernet address; empty for devices of another link layer
 * @param mtu bytes
 * @param up IFF_UP: set up by its administrator (not: has a carrier)
 * @param promiscuous IFF_PROMISC: set so by its administrator (not: by a bridge or macvlan that needs it)
 * @param allMulticast IFF_ALLMULTI: likewise
 * @param master ifindex of the bridge or other master that it belongs to
 * @param kind what it is
 * @param bridgePort its port flags, when its master is a bridge
 * @param peerIndex IFLA_LINK: ifindex of a veth's other end, or of the device below a VLAN, macvlan or
 *     ipvlan, in its own namespace; empty when there is none, and for VXLAN
 * @param peerNetnsId IFLA_LINK_NETNSID: what this namespace calls the one that the peer is in; empty when
 *     it is this one
 */
public record Link(
        int index,
        String name,
        String alias,
        Optional<MacAddress> mac,
        int mtu,
        boolean up,
        boolean promiscuous,
        boolean allMulticast,
        OptionalInt master,
        LinkKind kind,
        Optional<BridgePort> bridgePort,
        OptionalInt peerIndex,
        OptionalInt peerNetnsId) {}
