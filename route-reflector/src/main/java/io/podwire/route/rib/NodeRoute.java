package io.podwire.route.rib;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import java.net.InetAddress;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Which prefixes a node holds, and how they are reached.
 *
 * @param node its name
 * @param underlay its addresses on the underlay: one, or one of each family
 * @param overlay how others than its neighbours reach it
 * @param prefixes what it holds, none overlapping another; kept sorted. Empty: it holds nothing now
 */
public record NodeRoute(NodeName node, List<Underlay> underlay, Overlay overlay, List<IpPrefix> prefixes) {
    /**
     * Where a node is on the underlay.
     *
     * @param address a unicast address, not loopback
     * @param length length of its subnet's prefix, 1 to 32 or 128
     */
    public record Underlay(IpAddress address, int length) {
        /** Checks both; messages begin with the field's name. */
        public Underlay {
            InetAddress inet = address.toInetAddress();
            require(
                    !inet.isAnyLocalAddress() && !inet.isMulticastAddress() && !inet.isLoopbackAddress(),
                    "underlay_address must be a unicast address and not loopback, got " + address);
            int bits = address.family().bits();
            require(
                    length >= 1 && length <= bits,
                    "underlay_length of " + address + " must be 1 to " + bits + ", got " + length);
        }
    }

    /** Checks each field and that they fit together; messages begin with the field's name. */
    public NodeRoute {
        underlay = List.copyOf(underlay);
        require(
                underlay.size() == 1
                        || (underlay.size() == 2
                                && underlay.getFirst().address().family()
                                        != underlay.getLast().address().family()),
                "underlay_address_ipv6 must be an IPv6 address beside an IPv4 underlay_address, got " + underlay);
        prefixes = prefixes.stream().sorted().toList();
        for (int i = 0; i < prefixes.size(); i++) {
            IpPrefix prefix = prefixes.get(i);
            require(prefix.length() > 0, "prefixes must not hold a default route, got " + prefix);
            for (Underlay own : underlay) {
                require(
                        !prefix.contains(own.address()),
                        "prefixes must not hold the node's own underlay address: " + prefix + " holds "
                                + own.address());
            }
            // Sorted by address, a prefix that overlaps any earlier one overlaps the one before it.
            require(
                    i == 0 || !prefix.overlaps(prefixes.get(i - 1)),
                    "prefixes must not overlap each other, got " + (i == 0 ? "" : prefixes.get(i - 1) + " and ")
                            + prefix);
        }
        if (overlay instanceof Overlay.Vxlan(var _, IpAddress address)) {
            require(
                    prefixes.stream().anyMatch(prefix -> prefix.contains(address)),
                    "vtep_address must lie inside one of the prefixes " + prefixes + ", got " + address);
        }
    }

    /** A node with one address on the underlay. */
    public NodeRoute(
            NodeName node, IpAddress underlayAddress, int underlayLength, Overlay overlay, List<IpPrefix> prefixes) {
        this(node, List.of(new Underlay(underlayAddress, underlayLength)), overlay, prefixes);
    }

    /**
     * The same node with those of its prefixes alone. Where its tunnel's address is in none of them any more, one of the widest
     * stands for it: in others' tables it is a name alone, packets go by the device's MAC address.
     */
    public NodeRoute with(Predicate<IpPrefix> which) {
        List<IpPrefix> kept = prefixes.stream().filter(which).toList();
        if (kept.size() == prefixes.size()) {
            return this;
        }
        Overlay tunnel = switch (overlay) {
            case Overlay.None none -> none;
            case Overlay.Vxlan(MacAddress mac, IpAddress address) ->
                kept.isEmpty()
                        ? new Overlay.None()
                        : new Overlay.Vxlan(
                                mac,
                                kept.stream().anyMatch(prefix -> prefix.contains(address))
                                        ? address
                                        : kept.stream()
                                                .min(Comparator.comparingInt(IpPrefix::length))
                                                .orElseThrow()
                                                .address());
        };
        return new NodeRoute(node, underlay, tunnel, kept);
    }

    /** Where a router sends packets for the node's prefixes of a family; empty: the node has no such address. */
    public Optional<IpAddress> nextHop(IpFamily family) {
        return underlay.stream()
                .map(Underlay::address)
                .filter(address -> address.family() == family)
                .findFirst();
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalArgumentException(otherwise);
        }
    }
}
