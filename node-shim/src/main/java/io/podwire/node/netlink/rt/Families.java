package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import java.util.Optional;

/** Address families as numbers, bits/socket.h. */
final class Families {
    /** AF_BRIDGE. */
    static final int BRIDGE = 7;
    /** AF_INET6. */
    static final int INET6 = 10;

    private static final int INET = 2;

    private Families() {}

    static int number(IpFamily family) {
        return switch (family) {
            case V4 -> INET;
            case V6 -> INET6;
        };
    }

    static Optional<IpFamily> of(int number) {
        return switch (number) {
            case INET -> Optional.of(IpFamily.V4);
            case INET6 -> Optional.of(IpFamily.V6);
            default -> Optional.empty();
        };
    }

    static IpAddress zero(IpFamily family) {
        return new IpAddress(family, 0, 0);
    }
}
