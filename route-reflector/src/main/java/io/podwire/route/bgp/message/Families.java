package io.podwire.route.bgp.message;

import io.podwire.common.net.IpFamily;
import java.util.Optional;

/** Numbers of address families: RFC 4760, IANA address-family-numbers. */
public final class Families {
    /** SAFI of unicast forwarding. */
    public static final int UNICAST = 1;

    private static final int AFI_IPV4 = 1;
    private static final int AFI_IPV6 = 2;

    private Families() {}

    /** A family's AFI. */
    public static int afi(IpFamily family) {
        return switch (family) {
            case V4 -> AFI_IPV4;
            case V6 -> AFI_IPV6;
        };
    }

    /** The family whose unicast routes these numbers mean. */
    public static Optional<IpFamily> unicast(int afi, int safi) {
        if (safi != UNICAST) {
            return Optional.empty();
        }
        return switch (afi) {
            case AFI_IPV4 -> Optional.of(IpFamily.V4);
            case AFI_IPV6 -> Optional.of(IpFamily.V6);
            default -> Optional.empty();
        };
    }
}
