package io.podwire.node.netlink.rt;

/** Who made a route: rtm_protocol, linux/rtnetlink.h. */
public final class RouteProtocol {
    /** RTPROT_KERNEL: by the kernel, for an address. */
    public static final int KERNEL = 2;
    /** RTPROT_BOOT: what ip(8) uses unless told otherwise. */
    public static final int BOOT = 3;
    /** RTPROT_RA: by a router's advertisement. */
    public static final int RA = 9;
    /** RTPROT_STATIC: by the administrator. */
    public static final int STATIC = 4;
    /**
     * Podwire's own: how a restarted node-shim knows its routes. Neither linux/rtnetlink.h nor
     * iproute2's rt_protos gives 112 to anyone.
     */
    public static final int PODWIRE = 112;

    private RouteProtocol() {}
}
