package io.podwire.route.rib;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import java.util.List;

/**
 * What is known of one node.
 *
 * @param epoch the life that announced it
 * @param route what it announced last
 * @param services addresses of Services that it serves and other nodes do not, sorted; other nodes are not told
 * @param presence whether its stream is up
 */
public record RibEntry(NodeEpoch epoch, NodeRoute route, List<IpAddress> services, Presence presence) {
    /** Copies, and checks that both parts speak of one node. */
    public RibEntry {
        services = List.copyOf(services);
        if (!epoch.node().equals(route.node())) {
            throw new IllegalArgumentException(
                    "route.node must be the announcing node " + epoch.node() + ", got " + route.node());
        }
    }

    /** The node's name. */
    public NodeName node() {
        return route.node();
    }

    /** True while its stream is up. */
    public boolean connected() {
        return presence instanceof Presence.Connected;
    }
}
