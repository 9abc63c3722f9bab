package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;

/**
 * An address of a device.
 *
 * @param ifindex the device
 * @param address the address itself
 * @param length its prefix length, 0 to 32 or 128
 * @param scope how far it is good
 */
public record InterfaceAddress(int ifindex, IpAddress address, int length, Scope scope) {
    /** Checks the length. */
    public InterfaceAddress {
        if (length < 0 || length > address.family().bits()) {
            throw new IllegalArgumentException("prefix length of " + address + " must be 0 to "
                    + address.family().bits() + ", got " + length);
        }
    }
}
