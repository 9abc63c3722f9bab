package io.podwire.node.netlink;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.AddressCodec;
import io.podwire.node.netlink.rt.BridgePort;
import io.podwire.node.netlink.rt.FdbEntry;
import io.podwire.node.netlink.rt.InterfaceAddress;
import io.podwire.node.netlink.rt.KernelPart;
import io.podwire.node.netlink.rt.Link;
import io.podwire.node.netlink.rt.LinkCodec;
import io.podwire.node.netlink.rt.Neighbour;
import io.podwire.node.netlink.rt.NeighbourCodec;
import io.podwire.node.netlink.rt.NewLink;
import io.podwire.node.netlink.rt.NewLinkKind;
import io.podwire.node.netlink.rt.ProxyNeighbour;
import io.podwire.node.netlink.rt.Route;
import io.podwire.node.netlink.rt.RouteCodec;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import io.podwire.node.netns.Netns;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The kernel's links, addresses, routes and neighbours in one network namespace, rtnetlink(7). Safe
 * for all threads, one request at a time; a request holds its thread (and a virtual thread's
 * carrier) for as long as the kernel works: 10 us mostly, 20 ms to delete a veth.
 *
 * <p>Every method throws {@link NetlinkException} when the kernel refuses, except where its text says
 * what that means; reads throw {@link DumpInterruptedException} when the tables never stood still.
 */
public final class Rtnetlink implements AutoCloseable {
    private static final int MAKE = NlMessage.CREATE | NlMessage.EXCLUSIVE;
    private static final int PUT = NlMessage.CREATE | NlMessage.REPLACE;

    private final NetlinkSocket socket;

    Rtnetlink(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** In the namespace of this process. */
    public static Rtnetlink open() {
        return new Rtnetlink(NetlinkSocket.open());
    }

    /**
     * In another namespace; {@code ns} may be closed afterwards.
     *
     * @throws io.podwire.node.netns.NetnsException when it cannot be entered
     */
    public static Rtnetlink open(Netns ns) {
        return new Rtnetlink(NetlinkSocket.open(ns));
    }

    /**
     * Sends the changes that {@code body} makes by this object as one message. It reads nothing, makes no links, and
     * whether something was there before is not told.
     *
     * @throws NetlinkException of the first change that the kernel refused; it made the others, those behind it too
     */
    public void atOnce(Runnable body) {
        socket.atOnce(body);
    }

    /** All links. */
    public List<Link> links() {
        return socket.dump(() -> "list links", LinkCodec.GET, LinkCodec::writeDump, LinkCodec::read);
    }

    /** The link of this name, at most 15 bytes. */
    public Optional<Link> link(String name) {
        return socket.get(
                () -> "get link " + name,
                LinkCodec.GET,
                out -> LinkCodec.writeGet(out, name),
                LinkCodec::read,
                Errno.ENODEV);
    }

    /** The link of this index, 1 or more. */
    public Optional<Link> link(int index) {
        return socket.get(
                () -> "get link " + index,
                LinkCodec.GET,
                out -> LinkCodec.writeGet(out, index),
                LinkCodec::read,
                Errno.ENODEV);
    }

    /**
     * Whether a link carries packets. The kernel turns a veth's carrier on when both ends are up, and gives the link a
     * queue, and its bridge port a state in which it forwards, some time later on a thread of its own. Since
     * Linux 6.8 it does so before it answers this (linkwatch_sync_dev() in rtnl_getlink(), net/core/rtnetlink.c); one
     * before that answers with what is.
     */
    public boolean operational(int index) {
        return socket.get(
                        () -> "get link " + index,
                        LinkCodec.GET,
                        out -> LinkCodec.writeGet(out, index),
                        message -> Optional.of(LinkCodec.readOperational(message)),
                        Errno.ENODEV)
                .orElse(false);
    }

    /**
     * Whether packets to an address arrive in this namespace. An IPv6 address that was just given to a link is there, and
     * not even tentative, some time before they do: its route is made by a thread of the kernel's own
     * (addrconf_dad_work(), net/ipv6/addrconf.c).
     */
    public boolean arrives(IpAddress address) {
        return socket.get(
                        () -> "get route to " + address,
                        RouteCodec.GET,
                        out -> RouteCodec.writeGet(out, address),
                        message -> Optional.of(RouteCodec.readLocal(message)),
                        Errno.ENETUNREACH,
                        Errno.EHOSTUNREACH)
                .orElse(false);
    }

    /**
     * Makes a link. With an alias it takes a second message, which also brings the link up: the kernel
     * takes no alias for a link that is not there yet. Should that fail, the link is deleted again.
     *
     * @return its index
     * @throws NetlinkException EEXIST when its name, or its peer's, is taken
     * @throws KernelLacksException when the kernel has no such kind of link
     */
    public int addLink(NewLink link) {
        boolean upAtOnce = link.up() && link.alias().isEmpty();
        // Linux 6.2 and later tell what they made.
        int index = ofKind(
                        link.kind(),
                        () -> socket.create(
                                () -> "make link " + link,
                                LinkCodec.NEW,
                                MAKE,
                                out -> LinkCodec.writeNew(out, link, upAtOnce),
                                LinkCodec::read))
                .or(() -> link(link.name()))
                .map(Link::index)
                .orElseThrow(
                        () -> new NetlinkException("make link " + link, Errno.ENODEV.number(), "it is gone again"));
        link.alias().ifPresent(alias -> finish(index, alias, link.up()));
        return index;
    }

    /**
     * Makes a link straight in another namespace: the device below it is in this one, its master in the other.
     * The kernel does not tell its index: look for its name inside.
     *
     * @param link one without an alias, which the kernel takes inside only
     * @throws NetlinkException EEXIST when its name is taken there
     * @throws KernelLacksException when the kernel has no such kind of link
     */
    public void addLinkIn(Netns target, NewLink link) {
        if (link.alias().isPresent()) {
            throw new IllegalArgumentException("the alias of a link in another namespace is set inside: " + link);
        }
        ofKind(
                link.kind(),
                () -> socket.change(
                        () -> "make in " + target + " link " + link,
                        LinkCodec.NEW,
                        MAKE,
                        out -> LinkCodec.writeNewIn(out, link, target.fd())));
    }

    private static <T> T ofKind(NewLinkKind kind, Supplier<T> request) {
        try {
            return request.get();
        } catch (NetlinkException e) {
            // A kind may refuse with the same number for reasons of its own; it says them.
            boolean unknown = e.kernelText().isEmpty() || e.kernelText().equals("Unknown device type");
            throw e.errno() == Errno.EOPNOTSUPP && unknown ? new KernelLacksException(e, KernelPart.of(kind)) : e;
        }
    }

    private void finish(int index, String alias, boolean up) {
        try {
            change("set alias " + alias + " of new link ", index, out -> LinkCodec.writeAlias(out, index, alias, up));
        } catch (NetlinkException e) {
            try {
                deleteLink(index);
            } catch (NetlinkException undo) {
                e.addSuppressed(undo);
            }
            throw e;
        }
    }

    /** Sets a link up. */
    public void setUp(int index) {
        change("set up link ", index, out -> LinkCodec.writeUp(out, index, true));
    }

    /** Sets a link down. */
    public void setDown(int index) {
        change("set down link ", index, out -> LinkCodec.writeUp(out, index, false));
    }

    /** Sets a link's MTU, in bytes. */
    public void setMtu(int index, int mtu) {
        change("set MTU " + mtu + " of link ", index, out -> LinkCodec.writeMtu(out, index, mtu));
    }

    /** Sets a link's alias, at most 255 bytes; an empty one removes it. */
    public void setAlias(int index, String alias) {
        change("set alias '" + alias + "' of link ", index, out -> LinkCodec.writeAlias(out, index, alias, false));
    }

    /** Sets a link's Ethernet address. */
    public void setMac(int index, MacAddress mac) {
        change("set MAC " + mac + " of link ", index, out -> LinkCodec.writeMac(out, index, mac));
    }

    /**
     * Sets a link's name, 1 to 15 bytes; kernels before 6.2 want the link down for that.
     *
     * @throws NetlinkException EEXIST when the name is taken
     */
    public void setName(int index, String name) {
        change("set name '" + name + "' of link ", index, out -> LinkCodec.writeName(out, index, name));
    }

    /** Has a link take every frame, or only those for it. */
    public void setPromiscuous(int index, boolean on) {
        change("set promiscuous " + on + " on link ", index, out -> LinkCodec.writePromiscuous(out, index, on));
    }

    /** Has a link take all multicast frames, or only those of its groups. */
    public void setAllMulticast(int index, boolean on) {
        change("set allmulti " + on + " on link ", index, out -> LinkCodec.writeAllMulticast(out, index, on));
    }

    /**
     * Moves a link to another namespace. It arrives down, without addresses, and with another index where its
     * own is taken there.
     *
     * @throws NetlinkException EEXIST when its name is taken there; the link stays where it is
     */
    public void moveTo(int index, Netns target) {
        change("move to " + target + " link ", index, out -> LinkCodec.writeMove(out, index, target.fd()));
    }

    /** Makes a link a port of {@code master}, or of nothing when that is 0. */
    public void setMaster(int index, int master) {
        change("set master " + master + " of link ", index, out -> LinkCodec.writeMaster(out, index, master));
    }

    /** Sets the flags of a bridge port. */
    public void setBridgePort(int index, BridgePort port) {
        change("set " + port + " of link ", index, out -> LinkCodec.writeBridgePort(out, index, port));
    }

    /**
     * Keeps the kernel from making an IPv6 link-local address on a link that is still down. Does nothing
     * where the kernel or the link has no IPv6.
     */
    public void disableIpv6LinkLocal(int index) {
        socket.change(
                () -> "disable the IPv6 link-local address of link " + index,
                LinkCodec.NEW,
                0,
                out -> LinkCodec.writeNoIpv6LinkLocal(out, index),
                Errno.EAFNOSUPPORT);
    }

    private void change(String asked, int index, Consumer<NlWriter> body) {
        socket.change(() -> asked + index, LinkCodec.NEW, 0, body);
    }

    /**
     * Deletes a link, and a veth's other end with it.
     *
     * @return false when it is gone
     */
    public boolean deleteLink(int index) {
        return socket.change(
                () -> "delete link " + index,
                LinkCodec.DELETE,
                0,
                out -> LinkCodec.writeIndex(out, index),
                Errno.ENODEV);
    }

    /** All addresses of all links, both families. */
    public List<InterfaceAddress> addresses() {
        return socket.dump(() -> "list addresses", AddressCodec.GET, AddressCodec::writeDump, AddressCodec::read);
    }

    /** Adds an address; one that is there stays. */
    public void replaceAddress(InterfaceAddress address) {
        socket.change(() -> "replace " + address, AddressCodec.NEW, PUT, out -> AddressCodec.write(out, address));
    }

    /**
     * Deletes an address.
     *
     * @return false when it, or its link, is gone
     */
    public boolean deleteAddress(InterfaceAddress address) {
        return socket.change(
                () -> "delete " + address,
                AddressCodec.DELETE,
                0,
                out -> AddressCodec.write(out, address),
                Errno.EADDRNOTAVAIL,
                Errno.ENODEV);
    }

    /** The main table's routes that forward or refuse, whoever made them. */
    public List<Route> routes(IpFamily family) {
        return routes(family, Route.MAIN);
    }

    /** The routes of a table that forward or refuse, whoever made them; none when there is no such table. */
    public List<Route> routes(IpFamily family, long table) {
        try {
            return socket.dump(
                    () -> "list routes of " + family + " in table " + table,
                    RouteCodec.GET,
                    out -> RouteCodec.writeDump(out, family, table),
                    message -> RouteCodec.read(message).filter(route -> route.table() == table));
        } catch (NetlinkException e) {
            // A namespace that never had a route has no table yet, and strict checking makes that an error.
            if (e.errno() == Errno.ENOENT) {
                return List.of();
            }
            throw e;
        }
    }

    /**
     * Adds a route in place of the one with the same destination and metric in its table, even where
     * another program made that: look first where that matters.
     */
    public void replaceRoute(Route route) {
        socket.change(() -> "replace " + route, RouteCodec.NEW, PUT, out -> RouteCodec.write(out, route));
    }

    /**
     * Adds a route.
     *
     * @return false when there is one with the same destination and metric in its table
     */
    public boolean addRoute(Route route) {
        return socket.change(
                () -> "add " + route,
                RouteCodec.NEW,
                NlMessage.CREATE | NlMessage.EXCLUSIVE,
                out -> RouteCodec.write(out, route),
                Errno.EEXIST);
    }

    /**
     * Deletes a route that agrees with all that is said of it, its protocol included. An IPv4 metric of 0
     * says nothing: the route of the smallest metric goes.
     *
     * @return false when there is none, or its link is gone
     */
    public boolean deleteRoute(Route route) {
        return socket.change(
                () -> "delete " + route,
                RouteCodec.DELETE,
                0,
                out -> RouteCodec.write(out, route),
                Errno.ESRCH,
                Errno.ENODEV);
    }

    /** The neighbours whose link-layer address is known. */
    public List<Neighbour> neighbours(IpFamily family) {
        return socket.dump(
                () -> "list neighbours of " + family,
                NeighbourCodec.GET,
                out -> NeighbourCodec.writeDump(out, family),
                NeighbourCodec::read);
    }

    /** Adds a neighbour in place of what is known of its address. */
    public void replaceNeighbour(Neighbour neighbour) {
        socket.change(
                () -> "replace " + neighbour, NeighbourCodec.NEW, PUT, out -> NeighbourCodec.write(out, neighbour));
    }

    /**
     * Deletes a neighbour.
     *
     * @return false when it, or its link, is gone
     */
    public boolean deleteNeighbour(Neighbour neighbour) {
        return socket.change(
                () -> "delete " + neighbour,
                NeighbourCodec.DELETE,
                0,
                out -> NeighbourCodec.write(out, neighbour),
                Errno.ENOENT,
                Errno.ENODEV);
    }

    /** The addresses of the family that the node answers for on a device. */
    public List<ProxyNeighbour> proxyNeighbours(IpFamily family) {
        return socket.dump(
                () -> "list proxy neighbours of " + family,
                NeighbourCodec.GET,
                out -> NeighbourCodec.writeProxyDump(out, family),
                NeighbourCodec::readProxy);
    }

    /** Answers for an address; once is enough. */
    public void replaceProxyNeighbour(ProxyNeighbour proxy) {
        socket.change(() -> "replace " + proxy, NeighbourCodec.NEW, PUT, out -> NeighbourCodec.writeProxy(out, proxy));
    }

    /**
     * Does not answer for an address any more.
     *
     * @return false when it did not, or the link is gone
     */
    public boolean deleteProxyNeighbour(ProxyNeighbour proxy) {
        return socket.change(
                () -> "delete " + proxy,
                NeighbourCodec.DELETE,
                0,
                out -> NeighbourCodec.writeProxy(out, proxy),
                Errno.ENOENT,
                Errno.ENODEV);
    }

    /** The forwarding entries of all bridges and VXLAN devices, but those of one VLAN. */
    public List<FdbEntry> fdb() {
        return socket.dump(
                () -> "list forwarding entries",
                NeighbourCodec.GET,
                NeighbourCodec::writeFdbDump,
                NeighbourCodec::readFdb);
    }

    /** Adds a forwarding entry in place of the one for its MAC address. */
    public void replaceFdb(FdbEntry entry) {
        socket.change(() -> "replace " + entry, NeighbourCodec.NEW, PUT, out -> NeighbourCodec.writeFdb(out, entry));
    }

    /**
     * Deletes a forwarding entry.
     *
     * @return false when it, or its link, is gone
     */
    public boolean deleteFdb(FdbEntry entry) {
        return socket.change(
                () -> "delete " + entry,
                NeighbourCodec.DELETE,
                0,
                out -> NeighbourCodec.writeFdb(out, entry),
                Errno.ENOENT,
                Errno.ENODEV);
    }

    /** How fast devices send and receive. */
    public TrafficControl trafficControl() {
        return new TrafficControl(socket);
    }

    /** Closes the socket once no request is under way; what was made stays. */
    @Override
    public void close() {
        socket.close();
    }
}
