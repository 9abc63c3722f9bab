package io.podwire.route.reflect;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.OwnedBlock;
import java.util.List;
import java.util.Map;

/**
 * Whose addresses are, as ipam-service says; of all nodes, or of those that a {@link Question} is about.
 *
 * @param blocks of nodes, none overlapping another
 * @param installations each in the newest epoch known; a life that is over is older than that
 * @param singles single addresses in use, and the node where each is
 */
public record Owned(List<OwnedBlock> blocks, List<NodeEpoch> installations, Map<IpAddress, NodeName> singles) {
    /** Copies. */
    public Owned {
        blocks = List.copyOf(blocks);
        installations = List.copyOf(installations);
        singles = Map.copyOf(singles);
    }
}
