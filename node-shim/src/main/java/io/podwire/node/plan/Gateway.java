package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;

/** The pods' gateway: the node's own address on their bridge, the same on every node. */
public final class Gateway {
    /** RFC 3927: link-local, so it collides with no route. */
    public static final IpAddress V4 = IpAddress.parse("169.254.1.1");
    /** RFC 4291 §2.5.6. */
    public static final IpAddress V6 = IpAddress.parse("fe80::1");

    private Gateway() {}

    /** The one of a family. */
    public static IpAddress of(IpFamily family) {
        return switch (family) {
            case V4 -> V4;
            case V6 -> V6;
        };
    }
}
