package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;

/**
 * An address of a device. An IPv6 one is used at once: it is this node's alone, so that duplicate
 * address detection (RFC 4862 §5.4) would only delay it.
 *
 * @param ifindex the device
 * @param address the address itself
 * @param length its prefix length, 0 to 32 or 128
 * @param scope how far it is good; an IPv6 address says that itself, whatever is given here
 * @param prefixRoute whether the kernel makes a route to its prefix (not IFA_F_NOPREFIXROUTE); an IPv4
 *     address that is there already keeps what it was made with
 */
public record InterfaceAddress(int ifindex, IpAddress address, int length, Scope scope, boolean prefixRoute) {
    /** Checks the length. */
    public InterfaceAddress {
        if (length < 0 || length > address.family().bits()) {
            throw new IllegalArgumentException("prefix length of " + address + " must be 0 to "
                    + address.family().bits() + ", got " + length);
        }
        scope = address.family() == IpFamily.V6 ? Scope.ofV6(address) : scope;
    }

    /** An address with the kernel's route to its prefix. */
    public InterfaceAddress(int ifindex, IpAddress address, int length, Scope scope) {
        this(ifindex, address, length, scope, true);
    }

    /** The same without the kernel's route to its prefix. */
    public InterfaceAddress withoutPrefixRoute() {
        return new InterfaceAddress(ifindex, address, length, scope, false);
    }
}
