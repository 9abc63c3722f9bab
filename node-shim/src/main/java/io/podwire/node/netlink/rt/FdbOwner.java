package io.podwire.node.netlink.rt;

/** Whose forwarding table an entry is in. */
public enum FdbOwner {
    /** NTF_MASTER: the bridge's that the device is a port of. */
    MASTER,
    /** NTF_SELF: the device's own (VXLAN; also the address filter of ordinary devices). */
    SELF
}
