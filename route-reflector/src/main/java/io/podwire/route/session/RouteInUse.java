package io.podwire.route.session;

import io.podwire.common.net.IpPrefix;
import io.podwire.route.rib.bgp.BestPath;
import java.util.List;

/**
 * A prefix and its paths.
 *
 * @param prefix the prefix
 * @param kind what it is to us
 * @param paths the one in use first, then those that got farthest
 * @param toldTo names of the neighbours that were told it
 */
public record RouteInUse(IpPrefix prefix, Kind kind, List<BestPath.Ranked> paths, List<String> toldTo) {
    /** What a prefix is to us. */
    public enum Kind {
        /** Neighbours alone tell it. */
        LEARNED,
        /** A node holds it. */
        NODE,
        /** Told in place of what nodes hold inside it. */
        AGGREGATE,
        /** Addresses of services, by every node. */
        SERVICES,
        /** An address of services, by the nodes that have an endpoint. */
        SERVICE_ADDRESS
    }

    /** Copies. */
    public RouteInUse {
        paths = List.copyOf(paths);
        toldTo = List.copyOf(toldTo);
    }
}
