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
    /**
     * Protocol above IP: of IPv6 the one behind all extension headers. It matches nothing where those
     * headers do not end within the frame, or a later fragment does not tell.
     */
    PROTOCOL("meta l4proto"),
    /** "original": sent by the side that opened the flow; "reply": by the other. */
    FLOW_DIRECTION("ct direction"),
    /** What conntrack thinks of it. */
    FLOW_STATE("ct state"),
    /** IPv4 address of the side that opened the flow; of an IPv6 flow it matches nothing. */
    FLOW_SOURCE("ct original ip saddr"),
    /** IPv4 address of the side that was called, which is where its replies come from. */
    FLOW_DESTINATION("ct reply ip saddr"),
    /** IPv6 address of the side that opened the flow; of an IPv4 flow it matches nothing. */
    FLOW_SOURCE_6("ct original ip6 saddr"),
    /** IPv6 address of the side that was called. */
    FLOW_DESTINATION_6("ct reply ip6 saddr"),
    /**
     * Port of the side that was called. nft 1.0.6 gives it a type only after {@link #PROTOCOL}, and
     * prints an anonymous set of it as "[invalid type]": use one span or a named set.
     */
    FLOW_PORT("ct reply proto-src"),
    /** First byte behind all IP headers; a frame that does not have it, and a later fragment, match nothing. */
    TRANSPORT_START("@th,0,8"),
    /** Where a fragment of an IPv6 packet belongs, in units of 8 bytes; a packet without that header matches nothing. */
    FRAGMENT_OFFSET("frag frag-off"),
    /** ICMP message type, RFC 792. */
    ICMP_TYPE("icmp type"),
    /** ICMPv6 message type, RFC 4443 and others; unknown in all fragments but the first. */
    ICMPV6_TYPE("icmpv6 type"),
    /** Ethernet type as on the wire: of a tagged frame, the tag's, also where the tag sits in skb metadata. */
    ETHER_TYPE("ether type"),
    /** "host", "broadcast", "multicast" or "other": whom the frame is for, as its interface sees it. */
    PACKET_TYPE("meta pkttype"),
    /** Ethernet source. */
    ETHER_SOURCE("ether saddr"),
    /** IPv4 source. */
    IP_SOURCE("ip saddr"),
    /** IPv6 source. */
    IP6_SOURCE("ip6 saddr"),
    /** IPv4 destination. */
    IP_DESTINATION("ip daddr"),
    /** IPv6 destination. */
    IP6_DESTINATION("ip6 daddr"),
    /** "local": the destination is the node's own address. */
    DESTINATION_TYPE("fib daddr type"),
    /** Destination port of any protocol that has ports. */
    DESTINATION_PORT("th dport"),
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
