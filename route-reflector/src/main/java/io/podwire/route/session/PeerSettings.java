package io.podwire.route.session;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.route.reflect.bgp.PeerPolicy;
import io.podwire.route.rib.bgp.Neighbor;
import java.util.Set;

/**
 * One neighbour and how it is spoken with.
 *
 * @param name for people, unique
 * @param address where it is, unique
 * @param port its TCP port, 1 to 65535
 * @param asn its AS number, 1 to 2^32 - 1
 * @param kind EXTERNAL exactly when its AS is another one
 * @param passive it dials, we wait
 * @param families whose routes are spoken of, not empty
 * @param holdSeconds offered hold time, 0 or 3 to 65535
 * @param restartSeconds within which we are back after a restart, 0 to 4095; 0: no graceful restart
 * @param ttlSecurity only packets that crossed no router are taken, RFC 5082
 * @param secret key of RFC 2385, empty for none
 * @param addPaths most paths that it is told for a prefix where it takes several (RFC 7911), 1 to 64
 * @param maxPrefixes most prefixes it may have us keep, per family, 1 or more
 * @param policy what is taken from it and told to it
 */
public record PeerSettings(
        String name,
        IpAddress address,
        int port,
        long asn,
        Neighbor.Kind kind,
        boolean passive,
        Set<IpFamily> families,
        int holdSeconds,
        int restartSeconds,
        boolean ttlSecurity,
        Secret secret,
        int addPaths,
        int maxPrefixes,
        PeerPolicy policy) {
    /** Copies, and checks the ranges; messages name the field. */
    public PeerSettings {
        families = Set.copyOf(families);
        require(port >= 1 && port <= 65535, "port must be 1 to 65535, got " + port);
        require(asn >= 1 && asn <= 0xFFFF_FFFFL, "asn must be 1 to 4294967295, got " + asn);
        require(!families.isEmpty(), "families must not be empty");
        require(
                holdSeconds == 0 || (holdSeconds >= 3 && holdSeconds <= 65535),
                "holdSeconds must be 0 or 3 to 65535, got " + holdSeconds);
        require(
                restartSeconds >= 0 && restartSeconds <= 4095,
                "restartSeconds must be 0 to 4095, got " + restartSeconds);
        require(addPaths >= 1 && addPaths <= 64, "addPaths must be 1 to 64, got " + addPaths);
        require(maxPrefixes >= 1, "maxPrefixes must be 1 or more, got " + maxPrefixes);
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalArgumentException(otherwise);
        }
    }
}
