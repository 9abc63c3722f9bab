package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;

/** struct ifaddrmsg and its attributes, linux/if_addr.h. */
public final class AddressCodec {
    /** RTM_NEWADDR. */
    public static final int NEW = 20;
    /** RTM_DELADDR. */
    public static final int DELETE = 21;
    /** RTM_GETADDR. */
    public static final int GET = 22;

    private static final int HEADER = 8;
    private static final int IFA_ADDRESS = 1;
    private static final int IFA_LOCAL = 2;
    /** All flags; the header has room for the first eight. */
    private static final int IFA_FLAGS = 8;

    private static final int IFA_F_NODAD = 0x02;
    private static final int IFA_F_NOPREFIXROUTE = 0x200;

    private AddressCodec() {}

    /** Asks for all addresses. */
    public static void writeDump(NlWriter out) {
        out.put8(0).put8(0).put8(0).put8(0).put32(0);
    }

    /** The address, to add or delete. */
    public static void write(NlWriter out, InterfaceAddress address) {
        IpFamily family = address.address().family();
        out.put8(Families.number(family)).put8(address.length());
        int flags = family == IpFamily.V6 ? IFA_F_NODAD : 0;
        out.put8(flags).put8(address.scope().number()).put32(address.ifindex());
        out.address(IFA_LOCAL, address.address());
        out.address(IFA_ADDRESS, address.address());
        out.u32(IFA_FLAGS, address.prefixRoute() ? flags : flags | IFA_F_NOPREFIXROUTE);
    }

    /** The address of an RTM_NEWADDR; empty for families and scopes that Podwire does not know. */
    public static Optional<InterfaceAddress> read(NlMessage message) {
        Optional<IpFamily> family = Families.of(message.u8(0));
        // An IPv6 address says its scope itself.
        Optional<Scope> scope =
                family.equals(Optional.of(IpFamily.V6)) ? Optional.of(Scope.GLOBAL) : Scope.of(message.u8(3));
        if (family.isEmpty() || scope.isEmpty()) {
            return Optional.empty();
        }
        int flags = message.u8(2);
        // IFA_LOCAL is the address itself; IFA_ADDRESS is the other end's where there is one. IPv6 has
        // IFA_ADDRESS alone.
        Optional<IpAddress> local = Optional.empty();
        Optional<IpAddress> address = Optional.empty();
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case IFA_LOCAL -> local = Optional.of(in.address());
                case IFA_ADDRESS -> address = Optional.of(in.address());
                case IFA_FLAGS -> flags = in.i32();
                default -> {}
            }
        }
        int length = message.u8(1);
        int ifindex = message.i32(4);
        Optional<IpAddress> own = local.isPresent() ? local : address;
        boolean prefixRoute = (flags & IFA_F_NOPREFIXROUTE) == 0;
        return own.map(a -> new InterfaceAddress(ifindex, a, length, scope.get(), prefixRoute));
    }
}
