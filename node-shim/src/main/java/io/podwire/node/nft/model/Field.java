package io.podwire.node.nft.model;

/**
 * What a rule looks at. A <em>flow</em> field comes from the packet's connection (conntrack) and is
 * the same for both directions of it, before masquerade and after service translation.
 */
public enum Field {
    /** Interface it came in by. */
    IIFNAME("iifname"),
    /** Interface it goes out by. */
    OIFNAME("oifname"),
    /** IPv4 or IPv6. */
    FAMILY("meta nfproto"),
    /** Protocol above IP. */
    PROTOCOL("meta l4proto"),
    /** "original": sent by the side that opened the flow; "reply": by the other. */
    FLOW_DIRECTION("ct direction"),
    /** What conntrack thinks of it. */
    FLOW_STATE("ct state"),
    /** Address of the side that opened the flow. */
    FLOW_SOURCE("ct original ip saddr"),
    /** Address of the side that was called, which is where its replies come from. */
    FLOW_DESTINATION("ct reply ip saddr"),
    /**
     * Port of the side that was called. nft 1.0.6 gives it a type only after {@link #PROTOCOL}, and
     * prints an anonymous set of it as "[invalid type]": use one span or a named set.
     */
    FLOW_PORT("ct reply proto-src"),
    /** ICMP message type, RFC 792. */
    ICMP_TYPE("icmp type"),
    /** Ethernet type as on the wire: of a tagged frame, the tag's, also where the tag sits in skb metadata. */
    ETHER_TYPE("ether type"),
    /** Ethernet source. */
    ETHER_SOURCE("ether saddr"),
    /** IPv4 source. */
    IP_SOURCE("ip saddr"),
    /** UDP source port. */
    UDP_SOURCE_PORT("udp sport"),
    /** UDP destination port. */
    UDP_DESTINATION_PORT("udp dport");

    private final String expression;

    Field(String expression) {
        this.expression = expression;
    }

    /** Its nft(8) expression. */
    public String expression() {
        return expression;
    }
}
