package io.podwire.node.netlink.rt;

import java.util.Optional;

/** How far an interface address is good: rtm_scope, linux/rtnetlink.h. */
public enum Scope {
    /** RT_SCOPE_UNIVERSE: everywhere. */
    GLOBAL(0),
    /** RT_SCOPE_LINK: on its link. */
    LINK(253),
    /** RT_SCOPE_HOST: on this host. */
    HOST(254);

    private final int number;

    Scope(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    static Optional<Scope> of(int number) {
        return switch (number) {
            case 0 -> Optional.of(GLOBAL);
            case 253 -> Optional.of(LINK);
            case 254 -> Optional.of(HOST);
            default -> Optional.empty();
        };
    }
}
