package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
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

    /** As rt_scope() in net/ipv6/addrconf.c; addresses of a site (fec0::/10, RFC 3879) count as global. */
    static Scope ofV6(IpAddress address) {
        if (address.high() == 0 && address.low() == 1) {
            return HOST;
        }
        return address.high() >>> 54 == 0xfe80 >>> 6 ? LINK : GLOBAL;
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
