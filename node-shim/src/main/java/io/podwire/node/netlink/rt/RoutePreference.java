package io.podwire.node.netlink.rt;

/** Which of several IPv6 routes of one destination and metric is taken: RTA_PREF, RFC 4191 §2.1. */
public enum RoutePreference {
    /** ICMPV6_ROUTER_PREF_LOW, linux/icmpv6.h. */
    LOW(3),
    /** ICMPV6_ROUTER_PREF_MEDIUM: unless told otherwise, and what the reserved value means. */
    MEDIUM(0),
    /** ICMPV6_ROUTER_PREF_HIGH. */
    HIGH(1);

    private final int number;

    RoutePreference(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static RoutePreference of(int number) {
        return switch (number) {
            case 1 -> HIGH;
            case 3 -> LOW;
            default -> MEDIUM;
        };
    }
}
