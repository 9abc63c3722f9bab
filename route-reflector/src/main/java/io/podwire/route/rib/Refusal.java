package io.podwire.route.rib;

import io.podwire.common.net.IpPrefix;

/**
 * Why a prefix that a node announces, or an address of a Service, is not taken; the others of the announcement are.
 *
 * @param prefix the prefix; of an address the one with it alone
 * @param reason for programs
 * @param why for people, one sentence that names prefix, node and owner
 */
public record Refusal(IpPrefix prefix, Reason reason, String why) {
    /** Kinds of refusals. */
    public enum Reason {
        /** ipam-service knows nobody who owns it. */
        NOT_OWNED,
        /** ipam-service names another node, or another installation of this one, as its owner. */
        OWNED_BY_OTHER,
        /** ipam-service knows that this life of the node is over. */
        STALE_EPOCH,
        /** ipam-service is away and has not spoken of it before. */
        UNKNOWN,
        /** It is said to be an address of a Service, and lies outside of the prefixes of these. */
        NOT_OF_SERVICES
    }
}
