package io.podwire.node.plan;

import io.podwire.common.net.IpFamily;
import io.podwire.node.nft.model.Field;

/**
 * What a ruleset calls the things of one family. Keys of sets and maps cannot mix families, so there
 * is one of each.
 *
 * @param ingressMap verdict by pod address, for flows that the pod was called by
 * @param egressMap verdict by pod address, for flows that the pod opened
 * @param sources who may send by which bridge port
 * @param suffix of the names of address sets
 * @param etherType nft(8) symbol
 * @param protocol nft(8) symbol of the layer 3 protocol, and comment of the rule that drops it
 * @param source of a packet
 * @param flowSource who opened a flow
 * @param flowDestination who was called
 */
record FamilyTerms(
        String ingressMap,
        String egressMap,
        String sources,
        String suffix,
        String etherType,
        String protocol,
        Field source,
        Field flowSource,
        Field flowDestination) {
    private static final FamilyTerms V4 = new FamilyTerms(
            "ingress-4",
            "egress-4",
            "endpoints",
            "-4",
            "ip",
            "ipv4",
            Field.IP_SOURCE,
            Field.FLOW_SOURCE,
            Field.FLOW_DESTINATION);
    private static final FamilyTerms V6 = new FamilyTerms(
            "ingress-6",
            "egress-6",
            "endpoints-6",
            "-6",
            "ip6",
            "ipv6",
            Field.IP6_SOURCE,
            Field.FLOW_SOURCE_6,
            Field.FLOW_DESTINATION_6);

    /** The terms of a family. */
    static FamilyTerms of(IpFamily family) {
        return switch (family) {
            case V4 -> V4;
            case V6 -> V6;
        };
    }
}
