package io.podwire.node.netlink;

import io.podwire.node.netlink.rt.AddressCodec;
import io.podwire.node.netlink.rt.LinkCodec;
import io.podwire.node.netlink.rt.NeighbourCodec;
import io.podwire.node.netlink.rt.RouteCodec;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netns.Netns;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Tells what changes of links, addresses, routes, neighbours and forwarding entries in one network namespace
 * (rtnetlink(7)), whoever changes it, this process too. One thread of its own reads and calls the listener, which
 * should hand on quickly: while it works, events wait, and too many of them end as {@link RtnetlinkEvent.Lost}.
 *
 * <p>Open it before the first look at the kernel's tables: then no change falls between the two.
 */
public final class RtnetlinkMonitor implements AutoCloseable {
    /** RTNLGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR and _IPV6_ROUTE, linux/rtnetlink.h. */
    private static final int GROUPS = group(1) | group(3) | group(5) | group(7) | group(9) | group(11);

    /** An ADD is some fifteen messages: one wakeup, and not fifteen beside it. */
    private static final Duration REST = Duration.ofMillis(20);

    private final EventReader reader;

    private RtnetlinkMonitor(EventReader.Calls socket, Consumer<RtnetlinkEvent> listener) {
        this.reader = EventReader.start("rtnetlink-monitor", REST, socket, new EventReader.Handler() {
            @Override
            public void message(NlMessage message) {
                read(message).ifPresent(listener);
            }

            @Override
            public void lost() {
                listener.accept(new RtnetlinkEvent.Lost());
            }
        });
    }

    private static int group(int number) {
        return 1 << (number - 1);
    }

    /**
     * Listens in the namespace of this process.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static RtnetlinkMonitor open(Consumer<RtnetlinkEvent> listener) {
        return new RtnetlinkMonitor(EventReader.join(NetlinkSocket.NETLINK_ROUTE, GROUPS), listener);
    }

    /**
     * Listens in another namespace, which may be closed afterwards.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static RtnetlinkMonitor open(Netns ns, Consumer<RtnetlinkEvent> listener) {
        return new RtnetlinkMonitor(EventReader.join(ns, NetlinkSocket.NETLINK_ROUTE, GROUPS), listener);
    }

    /** The same, with room for about so many bytes of events that wait. */
    static RtnetlinkMonitor open(Netns ns, int socketBytes, Consumer<RtnetlinkEvent> listener) {
        return new RtnetlinkMonitor(EventReader.join(ns, NetlinkSocket.NETLINK_ROUTE, GROUPS, socketBytes), listener);
    }

    /** What a message tells; empty for what the codecs leave out. */
    static Optional<RtnetlinkEvent> read(NlMessage message) {
        return switch (message.type()) {
            case LinkCodec.NEW ->
                LinkCodec.read(message)
                        .<RtnetlinkEvent>map(RtnetlinkEvent.LinkChanged::new)
                        .or(() -> LinkCodec.readPort(message)
                                .map(port -> new RtnetlinkEvent.PortChanged(LinkCodec.index(message), port)));
            case LinkCodec.DELETE ->
                LinkCodec.readDeleted(message).stream()
                        .<RtnetlinkEvent>mapToObj(RtnetlinkEvent.LinkGone::new)
                        .findFirst();
            case AddressCodec.NEW -> AddressCodec.read(message).map(RtnetlinkEvent.AddressChanged::new);
            case AddressCodec.DELETE -> AddressCodec.read(message).map(RtnetlinkEvent.AddressGone::new);
            case RouteCodec.NEW -> RouteCodec.read(message).map(RtnetlinkEvent.RouteChanged::new);
            case RouteCodec.DELETE -> RouteCodec.read(message).map(RtnetlinkEvent.RouteGone::new);
            case NeighbourCodec.NEW ->
                NeighbourCodec.readFdb(message)
                        .<RtnetlinkEvent>map(RtnetlinkEvent.FdbChanged::new)
                        .or(() -> NeighbourCodec.read(message).map(RtnetlinkEvent.NeighbourChanged::new))
                        .or(() -> NeighbourCodec.readKey(message).map(RtnetlinkEvent.NeighbourGone::new));
            case NeighbourCodec.DELETE ->
                NeighbourCodec.readFdb(message)
                        .<RtnetlinkEvent>map(RtnetlinkEvent.FdbGone::new)
                        .or(() -> NeighbourCodec.readKey(message).map(RtnetlinkEvent.NeighbourGone::new));
            default -> Optional.empty();
        };
    }

    /** Ends the thread: when this returns, the listener is not called any more. */
    @Override
    public void close() {
        reader.close();
    }
}
