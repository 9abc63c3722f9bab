package io.podwire.node.netlink.rt;

import java.util.Optional;

/** What a route does: rtm_type, linux/rtnetlink.h. */
public enum RouteType {
    /** RTN_UNICAST: forwards. */
    UNICAST(1),
    /** RTN_BLACKHOLE: drops without a word. */
    BLACKHOLE(6),
    /** RTN_UNREACHABLE: drops, with an ICMP error to the sender. */
    UNREACHABLE(7);

    private final int number;

    RouteType(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static Optional<RouteType> of(int number) {
        return switch (number) {
            case 1 -> Optional.of(UNICAST);
            case 6 -> Optional.of(BLACKHOLE);
            case 7 -> Optional.of(UNREACHABLE);
            default -> Optional.empty();
        };
    }
}
