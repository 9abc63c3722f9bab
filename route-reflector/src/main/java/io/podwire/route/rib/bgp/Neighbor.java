package io.podwire.route.rib.bgp;

import io.podwire.common.net.IpAddress;

/**
 * A router that we speak BGP with, as best-path selection and reflection see it.
 *
 * @param address where its session leads, unique
 * @param asn its AS number
 * @param kind what it is to us
 * @param identifier the BGP identifier of its OPEN
 */
public record Neighbor(IpAddress address, long asn, Kind kind, IpAddress identifier) {
    /** What a neighbour is to a reflector: RFC 4456 §6. */
    public enum Kind {
        /** Of another AS. */
        EXTERNAL,
        /** Of our AS, and every route is reflected to it. */
        CLIENT,
        /** Of our AS, and fully meshed with the other non-clients. */
        NON_CLIENT;

        /** True for one of our own AS. */
        public boolean internal() {
            return this != EXTERNAL;
        }
    }
}
