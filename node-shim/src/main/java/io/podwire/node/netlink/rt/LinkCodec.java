package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;
import java.util.OptionalInt;

/** struct ifinfomsg and its attributes, linux/rtnetlink.h and linux/if_link.h. */
public final class LinkCodec {
    /** RTM_NEWLINK. */
    public static final int NEW = 16;
    /** RTM_DELLINK. */
    public static final int DELETE = 17;
    /** RTM_GETLINK. */
    public static final int GET = 18;

    private static final int HEADER = 16;
    private static final int IFF_UP = 1;
    private static final int IFF_PROMISC = 0x100;
    private static final int IFF_ALLMULTI = 0x200;
    private static final int IFLA_ADDRESS = 1;
    private static final int IFLA_IFNAME = 3;
    private static final int IFLA_MTU = 4;
    private static final int IFLA_LINK = 5;
    private static final int IFLA_MASTER = 10;
    private static final int IFLA_PROTINFO = 12;
    private static final int IFLA_OPERSTATE = 16;
    private static final int IFLA_LINKINFO = 18;
    private static final int IFLA_IFALIAS = 20;
    private static final int IFLA_AF_SPEC = 26;
    private static final int IFLA_NET_NS_FD = 28;
    private static final int IFLA_EXT_MASK = 29;
    private static final int IFLA_NUM_TX_QUEUES = 31;
    private static final int IFLA_NUM_RX_QUEUES = 32;
    private static final int IFLA_LINK_NETNSID = 37;
    /** RTEXT_FILTER_SKIP_STATS: counters are half of a link's bytes, and not wanted here. */
    private static final int SKIP_STATS = 1 << 3;

    private static final int IFLA_INFO_KIND = 1;
    private static final int IFLA_INFO_DATA = 2;
    private static final int IFLA_INFO_SLAVE_KIND = 4;
    private static final int IFLA_INFO_SLAVE_DATA = 5;
    private static final int VETH_INFO_PEER = 1;
    private static final int IFLA_VXLAN_ID = 1;
    private static final int IFLA_VXLAN_LINK = 3;
    private static final int IFLA_VXLAN_LOCAL = 4;
    private static final int IFLA_VXLAN_LEARNING = 7;
    /** struct ifla_vxlan_port_range, linux/if_link.h: two numbers in network order. */
    private static final int IFLA_VXLAN_PORT_RANGE = 10;

    private static final int IFLA_VXLAN_PORT = 15;
    private static final int IFLA_VXLAN_LOCAL6 = 17;
    private static final int IFLA_VXLAN_UDP_CSUM = 18;
    private static final int IFLA_VXLAN_UDP_ZERO_CSUM6_TX = 19;
    private static final int IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 20;
    private static final int IFLA_MACVLAN_MODE = 1;
    private static final int IFLA_IPVLAN_MODE = 1;
    private static final int IFLA_IPVLAN_FLAGS = 2;
    private static final int IFLA_VLAN_ID = 1;
    private static final int IFLA_VLAN_PROTOCOL = 5;
    private static final int IFLA_BRPORT_MODE = 4;
    private static final int IFLA_BRPORT_LEARNING = 8;
    private static final int IFLA_BRPORT_UNICAST_FLOOD = 9;
    private static final int IFLA_BRPORT_MCAST_FLOOD = 27;
    private static final int IFLA_BRPORT_BCAST_FLOOD = 30;
    private static final int IFLA_BRPORT_NEIGH_SUPPRESS = 32;
    private static final int IFLA_BRPORT_ISOLATED = 33;
    private static final int IFLA_INET6_ADDR_GEN_MODE = 8;
    private static final int IN6_ADDR_GEN_MODE_NONE = 1;

    /** linux/if.h; a device that has never told is taken for one that works. */
    private static final int IF_OPER_UNKNOWN = 0;

    private static final int IF_OPER_UP = 6;

    private LinkCodec() {}

    /** Asks for all links. */
    public static void writeDump(NlWriter out) {
        header(out, 0, 0, 0);
        out.u32(IFLA_EXT_MASK, SKIP_STATS);
    }

    /** Asks for one link, or names it for deletion. */
    public static void writeGet(NlWriter out, int index) {
        header(out, index, 0, 0);
        out.u32(IFLA_EXT_MASK, SKIP_STATS);
    }

    /** Asks for one link. */
    public static void writeGet(NlWriter out, String name) {
        header(out, 0, 0, 0);
        out.text(IFLA_IFNAME, name);
        out.u32(IFLA_EXT_MASK, SKIP_STATS);
    }

    /** The link's index alone. */
    public static void writeIndex(NlWriter out, int index) {
        header(out, index, 0, 0);
    }

    /** A new link, all but its alias, which the kernel ignores here; {@code up} apart from the record's. */
    public static void writeNew(NlWriter out, NewLink link, boolean up) {
        header(out, 0, up ? IFF_UP : 0, up ? IFF_UP : 0);
        out.text(IFLA_IFNAME, link.name());
        link.mac().ifPresent(mac -> out.mac(IFLA_ADDRESS, mac));
        link.mtu().ifPresent(mtu -> out.u32(IFLA_MTU, mtu));
        link.master().ifPresent(master -> out.u32(IFLA_MASTER, master));
        below(link.kind()).ifPresent(below -> out.u32(IFLA_LINK, below));
        if (link.kind() instanceof NewLinkKind.Veth) {
            oneQueue(out);
        }
        out.nested(IFLA_LINKINFO, info -> writeKind(info, link));
    }

    /**
     * A veth works with one queue for each direction until somebody asks for more. Unless it is made so, the kernel makes
     * one for each processor and then takes all but one away again, for which it waits once at either end
     * (synchronize_net() in netif_set_real_num_tx_queues(), by veth_init_queues(), drivers/net/veth.c): that was a third
     * of an ADD.
     */
    private static void oneQueue(NlWriter out) {
        out.u32(IFLA_NUM_TX_QUEUES, 1);
        out.u32(IFLA_NUM_RX_QUEUES, 1);
    }

    /** As {@link #writeNew}, made in the namespace of an open file; the device below it is in this one. */
    public static void writeNewIn(NlWriter out, NewLink link, int netnsFd) {
        writeNew(out, link, link.up());
        out.u32(IFLA_NET_NS_FD, netnsFd);
    }

    private static OptionalInt below(NewLinkKind kind) {
        return switch (kind) {
            case NewLinkKind.Macvlan macvlan -> OptionalInt.of(macvlan.below());
            case NewLinkKind.Ipvlan ipvlan -> OptionalInt.of(ipvlan.below());
            case NewLinkKind.Vlan vlan -> OptionalInt.of(vlan.below());
            case NewLinkKind.Veth _, NewLinkKind.Bridge _, NewLinkKind.Vxlan _, NewLinkKind.Ifb _ ->
                OptionalInt.empty();
        };
    }

    private static void writeKind(NlWriter info, NewLink link) {
        switch (link.kind()) {
            case NewLinkKind.Veth veth -> {
                info.text(IFLA_INFO_KIND, "veth");
                info.nested(
                        IFLA_INFO_DATA, data -> data.nested(VETH_INFO_PEER, peer -> writePeer(peer, veth, link.mtu())));
            }
            case NewLinkKind.Bridge _ -> info.text(IFLA_INFO_KIND, "bridge");
            case NewLinkKind.Vxlan vxlan -> {
                info.text(IFLA_INFO_KIND, "vxlan");
                info.nested(IFLA_INFO_DATA, data -> writeVxlan(data, vxlan));
            }
            case NewLinkKind.Macvlan macvlan -> {
                info.text(IFLA_INFO_KIND, "macvlan");
                info.nested(
                        IFLA_INFO_DATA,
                        data -> data.u32(IFLA_MACVLAN_MODE, macvlan.mode().number()));
            }
            case NewLinkKind.Ipvlan ipvlan -> {
                info.text(IFLA_INFO_KIND, "ipvlan");
                info.nested(IFLA_INFO_DATA, data -> {
                    data.u16(IFLA_IPVLAN_MODE, ipvlan.mode().number());
                    data.u16(IFLA_IPVLAN_FLAGS, ipvlan.reach().number());
                });
            }
            case NewLinkKind.Vlan vlan -> {
                info.text(IFLA_INFO_KIND, "vlan");
                info.nested(IFLA_INFO_DATA, data -> {
                    data.u16(IFLA_VLAN_ID, vlan.id());
                    data.u16be(IFLA_VLAN_PROTOCOL, vlan.protocol().number());
                });
            }
            case NewLinkKind.Ifb _ -> info.text(IFLA_INFO_KIND, "ifb");
        }
    }

    private static void writePeer(NlWriter out, NewLinkKind.Veth veth, OptionalInt mtu) {
        header(out, 0, 0, 0);
        out.text(IFLA_IFNAME, veth.peerName());
        veth.peerMac().ifPresent(mac -> out.mac(IFLA_ADDRESS, mac));
        OptionalInt peerMtu = veth.peerMtu().isPresent() ? veth.peerMtu() : mtu;
        peerMtu.ifPresent(value -> out.u32(IFLA_MTU, value));
        oneQueue(out);
        if (veth.peerNetnsFd() >= 0) {
            out.u32(IFLA_NET_NS_FD, veth.peerNetnsFd());
        }
    }

    private static void writeVxlan(NlWriter out, NewLinkKind.Vxlan vxlan) {
        out.u32(IFLA_VXLAN_ID, vxlan.vni());
        int local = vxlan.local().family() == IpFamily.V4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6;
        out.address(local, vxlan.local());
        VxlanOuter outer = vxlan.outer();
        outer.underlayIndex().ifPresent(index -> out.u32(IFLA_VXLAN_LINK, index));
        out.u32be(IFLA_VXLAN_PORT_RANGE, outer.firstSourcePort() << 16 | outer.lastSourcePort());
        out.u16be(IFLA_VXLAN_PORT, vxlan.port());
        out.flag(IFLA_VXLAN_LEARNING, vxlan.learning());
        out.flag(IFLA_VXLAN_UDP_CSUM, outer.checksum());
        out.flag(IFLA_VXLAN_UDP_ZERO_CSUM6_TX, false);
        out.flag(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, false);
    }

    /** Sets a link up or down. */
    public static void writeUp(NlWriter out, int index, boolean up) {
        flag(out, index, IFF_UP, up);
    }

    /** Has a link take every frame, or only those for it. */
    public static void writePromiscuous(NlWriter out, int index, boolean on) {
        flag(out, index, IFF_PROMISC, on);
    }

    /** Has a link take all multicast frames, or only those of its groups. */
    public static void writeAllMulticast(NlWriter out, int index, boolean on) {
        flag(out, index, IFF_ALLMULTI, on);
    }

    private static void flag(NlWriter out, int index, int flag, boolean on) {
        header(out, index, on ? flag : 0, flag);
    }

    /** Sets a link's Ethernet address. */
    public static void writeMac(NlWriter out, int index, MacAddress mac) {
        header(out, index, 0, 0);
        out.mac(IFLA_ADDRESS, mac);
    }

    /** Sets a link's name. */
    public static void writeName(NlWriter out, int index, String name) {
        NewLink.checkName(name);
        header(out, index, 0, 0);
        out.text(IFLA_IFNAME, name);
    }

    /**
     * Moves a link to the namespace of an open file. Without a new name: do_setlink() in
     * net/core/rtnetlink.c renames after the move, and a name that is taken there is an error then.
     */
    public static void writeMove(NlWriter out, int index, int netnsFd) {
        header(out, index, 0, 0);
        out.u32(IFLA_NET_NS_FD, netnsFd);
    }

    /** Sets a link's alias, and the link up if asked. */
    public static void writeAlias(NlWriter out, int index, String alias, boolean up) {
        NewLink.checkAlias(alias);
        header(out, index, up ? IFF_UP : 0, up ? IFF_UP : 0);
        out.text(IFLA_IFALIAS, alias);
    }

    /** Sets a link's MTU. */
    public static void writeMtu(NlWriter out, int index, int mtu) {
        header(out, index, 0, 0);
        out.u32(IFLA_MTU, mtu);
    }

    /** Makes a link a port of {@code master}, or of nothing when that is 0. */
    public static void writeMaster(NlWriter out, int index, int master) {
        header(out, index, 0, 0);
        out.u32(IFLA_MASTER, master);
    }

    /** Sets the flags of a bridge port. */
    public static void writeBridgePort(NlWriter out, int index, BridgePort port) {
        header(out, index, 0, 0);
        out.nested(IFLA_LINKINFO, info -> {
            info.text(IFLA_INFO_SLAVE_KIND, "bridge");
            info.nested(IFLA_INFO_SLAVE_DATA, data -> {
                data.flag(IFLA_BRPORT_MODE, port.hairpin());
                data.flag(IFLA_BRPORT_LEARNING, port.learning());
                data.flag(IFLA_BRPORT_UNICAST_FLOOD, port.unicastFlood());
                data.flag(IFLA_BRPORT_MCAST_FLOOD, port.multicastFlood());
                data.flag(IFLA_BRPORT_BCAST_FLOOD, port.broadcastFlood());
                data.flag(IFLA_BRPORT_ISOLATED, port.isolated());
                data.flag(IFLA_BRPORT_NEIGH_SUPPRESS, port.neighbourSuppression());
            });
        });
    }

    /** Keeps the kernel from making an IPv6 link-local address when the link comes up. */
    public static void writeNoIpv6LinkLocal(NlWriter out, int index) {
        header(out, index, 0, 0);
        out.nested(
                IFLA_AF_SPEC,
                families -> families.nested(
                        Families.INET6, inet6 -> inet6.u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)));
    }

    /** The index in an RTM_DELLINK; empty when it tells of a bridge port, not of a link. */
    public static OptionalInt readDeleted(NlMessage message) {
        return message.u8(0) == 0 ? OptionalInt.of(message.i32(4)) : OptionalInt.empty();
    }

    /** The index in any message of a link. */
    public static int index(NlMessage message) {
        return message.i32(4);
    }

    /** Whether the link of an RTM_NEWLINK carries packets (RFC 2863, ifOperStatus). */
    public static boolean readOperational(NlMessage message) {
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            if (in.type() == IFLA_OPERSTATE) {
                return in.u8() == IF_OPER_UP || in.u8() == IF_OPER_UNKNOWN;
            }
        }
        return false;
    }

    /** The port flags of an RTM_NEWLINK of family AF_BRIDGE; empty for a link. */
    public static Optional<BridgePort> readPort(NlMessage message) {
        if (message.u8(0) != Families.BRIDGE) {
            return Optional.empty();
        }
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            if (in.type() == IFLA_PROTINFO) {
                return Optional.of(readBridgePort(in.nested()));
            }
        }
        return Optional.empty();
    }

    /** The link of an RTM_NEWLINK; empty for one of a family of its own (AF_BRIDGE). */
    public static Optional<Link> read(NlMessage message) {
        if (message.u8(0) != 0) {
            return Optional.empty();
        }
        String name = "";
        String alias = "";
        Optional<MacAddress> mac = Optional.empty();
        int mtu = 0;
        OptionalInt master = OptionalInt.empty();
        OptionalInt peer = OptionalInt.empty();
        OptionalInt peerNetns = OptionalInt.empty();
        LinkInfo info = LinkInfo.NONE;
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case IFLA_IFNAME -> name = in.text();
                case IFLA_IFALIAS -> alias = in.text();
                case IFLA_ADDRESS -> mac = in.isMac() ? Optional.of(in.mac()) : Optional.empty();
                case IFLA_MTU -> mtu = in.i32();
                case IFLA_MASTER -> master = OptionalInt.of(in.i32());
                case IFLA_LINK -> peer = in.i32() == 0 ? OptionalInt.empty() : OptionalInt.of(in.i32());
                case IFLA_LINK_NETNSID -> peerNetns = in.i32() < 0 ? OptionalInt.empty() : OptionalInt.of(in.i32());
                case IFLA_LINKINFO -> info = readInfo(in.nested());
                default -> {}
            }
        }
        int flags = message.i32(8);
        return Optional.of(new Link(
                message.i32(4),
                name,
                alias,
                mac,
                mtu,
                (flags & IFF_UP) != 0,
                (flags & IFF_PROMISC) != 0,
                (flags & IFF_ALLMULTI) != 0,
                master,
                info.kind(),
                info.port(),
                peer,
                peerNetns));
    }

    private record LinkInfo(LinkKind kind, Optional<BridgePort> port) {
        static final LinkInfo NONE = new LinkInfo(new LinkKind.Other(""), Optional.empty());
    }

    private static LinkInfo readInfo(NlReader in) {
        String name = "";
        String slaveKind = "";
        LinkKind kind = new LinkKind.Other("");
        Optional<BridgePort> port = Optional.empty();
        while (in.next()) {
            switch (in.type()) {
                case IFLA_INFO_KIND -> {
                    name = in.text();
                    kind = ofName(name);
                }
                case IFLA_INFO_SLAVE_KIND -> slaveKind = in.text();
                // The kernel writes the kind first.
                case IFLA_INFO_DATA -> kind = ofData(name, in.nested()).orElse(kind);
                case IFLA_INFO_SLAVE_DATA ->
                    port = slaveKind.equals("bridge") ? Optional.of(readBridgePort(in.nested())) : port;
                default -> {}
            }
        }
        return new LinkInfo(kind, port);
    }

    private static LinkKind ofName(String name) {
        return switch (name) {
            case "veth" -> new LinkKind.Veth();
            case "bridge" -> new LinkKind.Bridge();
            case "ifb" -> new LinkKind.Ifb();
            default -> new LinkKind.Other(name);
        };
    }

    /** Empty where the name says it all, or the data says what is not known here. */
    private static Optional<LinkKind> ofData(String name, NlReader data) {
        return switch (name) {
            case "vxlan" -> Optional.of(readVxlan(data));
            case "macvlan" -> readMacvlan(data);
            case "ipvlan" -> readIpvlan(data);
            case "vlan" -> readVlan(data);
            default -> Optional.empty();
        };
    }

    private static Optional<LinkKind> readMacvlan(NlReader in) {
        Optional<MacvlanMode> mode = Optional.empty();
        while (in.next()) {
            if (in.type() == IFLA_MACVLAN_MODE) {
                mode = MacvlanMode.of(in.i32());
            }
        }
        return mode.map(LinkKind.Macvlan::new);
    }

    private static Optional<LinkKind> readIpvlan(NlReader in) {
        Optional<IpvlanMode> mode = Optional.empty();
        Optional<IpvlanReach> reach = Optional.of(IpvlanReach.BRIDGE); // what Linux before 4.15 has, and does not say
        while (in.next()) {
            switch (in.type()) {
                case IFLA_IPVLAN_MODE -> mode = IpvlanMode.of(in.u16());
                case IFLA_IPVLAN_FLAGS -> reach = IpvlanReach.of(in.u16());
                default -> {}
            }
        }
        return mode.isPresent() && reach.isPresent()
                ? Optional.of(new LinkKind.Ipvlan(mode.get(), reach.get()))
                : Optional.empty();
    }

    private static Optional<LinkKind> readVlan(NlReader in) {
        int id = 0;
        Optional<VlanProtocol> protocol = Optional.empty();
        while (in.next()) {
            switch (in.type()) {
                case IFLA_VLAN_ID -> id = in.u16();
                case IFLA_VLAN_PROTOCOL -> protocol = VlanProtocol.of(in.u16be());
                default -> {}
            }
        }
        int number = id;
        return protocol.map(p -> new LinkKind.Vlan(number, p));
    }

    private static LinkKind.Vxlan readVxlan(NlReader in) {
        int vni = 0;
        Optional<IpAddress> local = Optional.empty();
        int port = 0;
        boolean learning = false;
        OptionalInt below = OptionalInt.empty();
        int sourcePorts = 0;
        boolean checksum = true;
        while (in.next()) {
            switch (in.type()) {
                case IFLA_VXLAN_ID -> vni = in.i32();
                case IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6 -> local = Optional.of(in.address());
                case IFLA_VXLAN_PORT -> port = in.u16be();
                case IFLA_VXLAN_LEARNING -> learning = in.flag();
                case IFLA_VXLAN_LINK -> below = OptionalInt.of(in.i32());
                case IFLA_VXLAN_PORT_RANGE -> sourcePorts = in.i32be();
                case IFLA_VXLAN_UDP_CSUM -> checksum = in.flag();
                default -> {}
            }
        }
        return new LinkKind.Vxlan(
                vni, local, port, learning, new VxlanOuter(below, sourcePorts >>> 16, sourcePorts & 0xFFFF, checksum));
    }

    private static BridgePort readBridgePort(NlReader in) {
        boolean isolated = false;
        boolean learning = false;
        boolean unicast = false;
        boolean multicast = false;
        boolean broadcast = false;
        boolean hairpin = false;
        boolean suppression = false;
        while (in.next()) {
            switch (in.type()) {
                case IFLA_BRPORT_ISOLATED -> isolated = in.flag();
                case IFLA_BRPORT_LEARNING -> learning = in.flag();
                case IFLA_BRPORT_UNICAST_FLOOD -> unicast = in.flag();
                case IFLA_BRPORT_MCAST_FLOOD -> multicast = in.flag();
                case IFLA_BRPORT_BCAST_FLOOD -> broadcast = in.flag();
                case IFLA_BRPORT_MODE -> hairpin = in.flag();
                case IFLA_BRPORT_NEIGH_SUPPRESS -> suppression = in.flag();
                default -> {}
            }
        }
        return new BridgePort(isolated, learning, unicast, multicast, broadcast, hairpin, suppression);
    }

    private static void header(NlWriter out, int index, int flags, int change) {
        out.put8(0).put8(0).put16(0).put32(index).put32(flags).put32(change);
    }
}
