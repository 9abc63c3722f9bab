package io.podwire.route.rib.bgp;

import io.podwire.common.net.IpAddress;
import io.podwire.route.bgp.message.PathAttributes;

/**
 * One way to a prefix.
 *
 * @param source who told it; a source has at most one path for a prefix
 * @param nextHop where packets go
 * @param attributes as they were imported
 * @param stale the neighbour is restarting and has not told it again yet, RFC 4724
 */
public record BgpPath(Source source, IpAddress nextHop, PathAttributes attributes, boolean stale) {
    /** The same, waiting to be told again. */
    public BgpPath asStale() {
        return new BgpPath(source, nextHop, attributes, true);
    }

    boolean from(IpAddress neighbor) {
        return source instanceof Source.Learned(Neighbor known)
                && known.address().equals(neighbor);
    }

    boolean sameSource(BgpPath other) {
        return switch (source) {
            case Source.Node node -> other.source.equals(node);
            case Source.Learned(Neighbor neighbor) -> other.from(neighbor.address());
        };
    }
}
