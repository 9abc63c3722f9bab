package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import java.util.List;

/**
 * Which of a node's interfaces, and which of its addresses there, are its place among the other nodes. Empty lists leave
 * it to the default route.
 *
 * @param interfaces names, the first that is there and fits is taken
 * @param networks the first that a global address of the node is in decides; of other addresses none is told
 */
public record UnderlayChoice(List<String> interfaces, List<IpPrefix> networks) {
    /** Copies. */
    public UnderlayChoice {
        interfaces = List.copyOf(interfaces);
        networks = List.copyOf(networks);
    }

    /** Whether it may be told. */
    public boolean fits(IpAddress address) {
        return networks.isEmpty() || networks.stream().anyMatch(network -> network.contains(address));
    }
}
