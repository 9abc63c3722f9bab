package io.podwire.route.rib;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import java.net.InetAddress;
import java.util.List;

/**
 * Which prefixes a node holds, and how they are reached.
 *
 * @param node its name
 * @param underlayAddress a unicast address, not loopback
 * @param underlayLength length of the underlay subnet's prefix, 1 to 32 or 128
 * @param overlay how others than its neighbours reach it
 * @param prefixes what it holds, none overlapping another; kept sorted. Empty: it holds nothing now
 */
public record NodeRoute(
        NodeName node, IpAddress underlayAddress, int underlayLength, Overlay overlay, List<IpPrefix> prefixes) {
    /** Checks each field and that they fit together; messages begin with the field's name. */
    public NodeRoute {
        InetAddress underlay = underlayAddress.toInetAddress();
        require(
                !underlay.isAnyLocalAddress() && !underlay.isMulticastAddress() && !underlay.isLoopbackAddress(),
                "underlay_address must be a unicast address and not loopback, got " + underlayAddress);
        int bits = underlayAddress.family().bits();
        require(
                underlayLength >= 1 && underlayLength <= bits,
                "underlay_length of " + underlayAddress + " must be 1 to " + bits + ", got " + underlayLength);
        prefixes = prefixes.stream().sorted().toList();
        for (int i = 0; i < prefixes.size(); i++) {
            IpPrefix prefix = prefixes.get(i);
            require(prefix.length() > 0, "prefixes must not hold a default route, got " + prefix);
            require(
                    !prefix.contains(underlayAddress),
                    "prefixes must not hold the node's own underlay address: " + prefix + " holds " + underlayAddress);
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

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalArgumentException(otherwise);
        }
    }
}
