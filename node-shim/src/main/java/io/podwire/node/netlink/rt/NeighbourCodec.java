package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;

/** struct ndmsg and its attributes, linux/neighbour.h: neighbours and forwarding entries. */
public final class NeighbourCodec {
    /** RTM_NEWNEIGH. */
    public static final int NEW = 28;
    /** RTM_DELNEIGH. */
    public static final int DELETE = 29;
    /** RTM_GETNEIGH. */
    public static final int GET = 30;

    private static final int HEADER = 12;
    private static final int NDA_DST = 1;
    private static final int NDA_LLADDR = 2;
    private static final int NDA_VLAN = 5;
    private static final int NUD_REACHABLE = 0x02;
    private static final int NUD_NOARP = 0x40;
    private static final int NUD_PERMANENT = 0x80;
    private static final int NTF_SELF = 0x02;
    private static final int NTF_MASTER = 0x04;
    private static final int NTF_PROXY = 0x08;
    private static final int NTF_ROUTER = 0x80;

    private NeighbourCodec() {}

    /** Asks for the family's neighbours. */
    public static void writeDump(NlWriter out, IpFamily family) {
        header(out, Families.number(family), 0, 0, 0);
    }

    /** Asks for the family's proxy entries. */
    public static void writeProxyDump(NlWriter out, IpFamily family) {
        header(out, Families.number(family), 0, 0, NTF_PROXY);
    }

    /** Asks for all forwarding entries. */
    public static void writeFdbDump(NlWriter out) {
        header(out, Families.BRIDGE, 0, 0, 0);
    }

    /** The neighbour, to replace or delete. */
    public static void write(NlWriter out, Neighbour neighbour) {
        int state = neighbour.permanent() ? NUD_PERMANENT : NUD_REACHABLE;
        int flags = neighbour.router() ? NTF_ROUTER : 0;
        header(out, Families.number(neighbour.address().family()), neighbour.ifindex(), state, flags);
        out.address(NDA_DST, neighbour.address());
        out.mac(NDA_LLADDR, neighbour.mac());
    }

    /** The proxy entry, to replace or delete. */
    public static void writeProxy(NlWriter out, ProxyNeighbour proxy) {
        header(out, Families.number(proxy.address().family()), proxy.ifindex(), 0, NTF_PROXY);
        out.address(NDA_DST, proxy.address());
    }

    /** The forwarding entry, to replace or delete. */
    public static void writeFdb(NlWriter out, FdbEntry entry) {
        int state = switch (entry.state()) {
            case PERMANENT -> NUD_PERMANENT;
            case STATIC -> NUD_NOARP;
            case LEARNED -> NUD_REACHABLE;
        };
        int flags = switch (entry.owner()) {
            case MASTER -> NTF_MASTER;
            case SELF -> NTF_SELF;
        };
        header(out, Families.BRIDGE, entry.ifindex(), state, flags);
        out.mac(NDA_LLADDR, entry.mac());
        entry.vxlanDestination().ifPresent(destination -> out.address(NDA_DST, destination));
    }

    /**
     * The neighbour of an RTM_NEWNEIGH; empty for one whose link-layer address is not known or not an
     * Ethernet address, for proxy entries, and for the kernel's own NUD_NOARP entries (multicast,
     * loopback).
     */
    public static Optional<Neighbour> read(NlMessage message) {
        int state = message.u16(8);
        int flags = message.u8(10);
        if (Families.of(message.u8(0)).isEmpty() || (state & NUD_NOARP) != 0 || (flags & NTF_PROXY) != 0) {
            return Optional.empty();
        }
        Optional<IpAddress> address = Optional.empty();
        Optional<MacAddress> mac = Optional.empty();
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case NDA_DST -> address = Optional.of(in.address());
                case NDA_LLADDR -> mac = in.isMac() ? Optional.of(in.mac()) : Optional.empty();
                default -> {}
            }
        }
        if (address.isEmpty() || mac.isEmpty()) {
            return Optional.empty();
        }
        boolean permanent = (state & NUD_PERMANENT) != 0;
        boolean router = (flags & NTF_ROUTER) != 0;
        return Optional.of(new Neighbour(message.i32(4), address.get(), mac.get(), permanent, router));
    }

    /**
     * Which neighbour an RTM_NEWNEIGH or RTM_DELNEIGH is about, known or not; empty for the entries that
     * {@link #read} leaves out for their kind.
     */
    public static Optional<NeighbourKey> readKey(NlMessage message) {
        boolean other = (message.u16(8) & NUD_NOARP) != 0 || (message.u8(10) & NTF_PROXY) != 0;
        if (other || Families.of(message.u8(0)).isEmpty()) {
            return Optional.empty();
        }
        Optional<IpAddress> address = Optional.empty();
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            if (in.type() == NDA_DST) {
                address = Optional.of(in.address());
            }
        }
        return address.map(a -> new NeighbourKey(message.i32(4), a));
    }

    /** The proxy entry of an RTM_NEWNEIGH; empty for another neighbour, and for one of all devices. */
    public static Optional<ProxyNeighbour> readProxy(NlMessage message) {
        int ifindex = message.i32(4);
        if (Families.of(message.u8(0)).isEmpty() || (message.u8(10) & NTF_PROXY) == 0 || ifindex == 0) {
            return Optional.empty();
        }
        Optional<IpAddress> address = Optional.empty();
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            if (in.type() == NDA_DST) {
                address = Optional.of(in.address());
            }
        }
        return address.map(a -> new ProxyNeighbour(ifindex, a));
    }

    /** The forwarding entry of an RTM_NEWNEIGH; empty for an entry of one VLAN. */
    public static Optional<FdbEntry> readFdb(NlMessage message) {
        if (message.u8(0) != Families.BRIDGE) {
            return Optional.empty();
        }
        Optional<IpAddress> destination = Optional.empty();
        Optional<MacAddress> mac = Optional.empty();
        boolean vlan = false;
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case NDA_DST -> destination = Optional.of(in.address());
                case NDA_LLADDR -> mac = in.isMac() ? Optional.of(in.mac()) : Optional.empty();
                case NDA_VLAN -> vlan = true;
                default -> {}
            }
        }
        if (vlan || mac.isEmpty()) {
            return Optional.empty();
        }
        FdbOwner owner = (message.u8(10) & NTF_SELF) != 0 ? FdbOwner.SELF : FdbOwner.MASTER;
        return Optional.of(new FdbEntry(message.i32(4), mac.get(), destination, owner, fdbState(message.u16(8))));
    }

    private static FdbState fdbState(int state) {
        if ((state & NUD_PERMANENT) != 0) {
            return FdbState.PERMANENT;
        }
        return (state & NUD_NOARP) != 0 ? FdbState.STATIC : FdbState.LEARNED;
    }

    private static void header(NlWriter out, int family, int ifindex, int state, int flags) {
        out.put8(family)
                .put8(0)
                .put16(0)
                .put32(ifindex)
                .put16(state)
                .put8(flags)
                .put8(0);
    }
}
