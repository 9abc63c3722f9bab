package io.podwire.route;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.route.rib.NodeEpoch;
import io.podwire.route.rib.NodeRoute;
import io.podwire.route.rib.Overlay;
import java.util.stream.Stream;

/** Values for tests. */
public final class Routes {
    private Routes() {}

    /** A node's life on installation uid-NODE. */
    public static NodeEpoch epoch(String node, long counter) {
        return new NodeEpoch(new NodeName(node), "uid-" + node, "boot-" + counter, counter);
    }

    /** A node without VXLAN that holds these prefixes. */
    public static NodeRoute route(String node, String... prefixes) {
        return new NodeRoute(
                new NodeName(node),
                IpAddress.parse("192.0.2.1"),
                24,
                new Overlay.None(),
                Stream.of(prefixes).map(IpPrefix::parse).toList());
    }
}
