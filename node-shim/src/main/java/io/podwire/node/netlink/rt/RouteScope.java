package io.podwire.node.netlink.rt;

import java.util.Optional;

/** Distance to a route's destination: rtm_scope, linux/rtnetlink.h. IPv6 routes are all {@link #GLOBAL}. */
public enum RouteScope {
    /** RT_SCOPE_UNIVERSE: beyond a gateway. */
    GLOBAL(0),
    /** RT_SCOPE_LINK: on the link itself. */
    LINK(253);

    private final int number;

    RouteScope(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static Optional<RouteScope> of(int number) {
        return switch (number) {
            case 0 -> Optional.of(GLOBAL);
            case 253 -> Optional.of(LINK);
            default -> Optional.empty();
        };
    }
}
