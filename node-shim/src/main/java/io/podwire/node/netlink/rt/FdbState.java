package io.podwire.node.netlink.rt;

/** How an entry of a forwarding table came to be and lasts: ndm_state, linux/neighbour.h. */
public enum FdbState {
    /** NUD_PERMANENT: on a bridge, an address of the bridge itself; on a VXLAN device, set by hand. */
    PERMANENT,
    /** NUD_NOARP: set by hand, stays, the way to the address leads out of the port. */
    STATIC,
    /** Any other: learned, and aged. */
    LEARNED
}
