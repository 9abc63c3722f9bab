package io.podwire.route.session;

import io.podwire.common.net.IpPrefix;
import io.podwire.route.rib.bgp.BestPath;
import java.util.List;

/**
 * A prefix and its paths.
 *
 * @param prefix the prefix
 * @param paths the one in use first, then those that got farthest
 * @param toldTo names of the neighbours that were told it
 */
public record RouteInUse(IpPrefix prefix, List<BestPath.Ranked> paths, List<String> toldTo) {
    /** Copies. */
    public RouteInUse {
        paths = List.copyOf(paths);
        toldTo = List.copyOf(toldTo);
    }
}
