package io.podwire.node.netlink;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netns.Netns;
import java.util.function.Consumer;

/**
 * Tells which nftables tables change in one network namespace, and whether by this process or by others. One thread
 * of its own reads and calls the listener, which should hand on quickly: while it works, events wait, and too many
 * of them end as {@link NftEvent.Lost}.
 *
 * <p>Open it before the first look at the tables: then no change falls between the two.
 */
public final class NftMonitor implements AutoCloseable {
    /** NFNLGRP_NFTABLES, linux/netfilter/nfnetlink.h, is 7. */
    private static final int GROUPS = 1 << 6;

    private final EventReader reader;

    private NftMonitor(EventReader.Calls socket, Consumer<NftEvent> listener) {
        NftTransactions transactions = new NftTransactions(new OwnPorts(NetlinkSocket.NETLINK_NETFILTER)::contains);
        this.reader = EventReader.start("nft-monitor", socket, new EventReader.Handler() {
            @Override
            public void message(NlMessage message) {
                transactions.read(message).forEach(listener);
            }

            @Override
            public void lost() {
                transactions.forget();
                listener.accept(new NftEvent.Lost());
            }
        });
    }

    /**
     * Listens in the namespace of this process.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static NftMonitor open(Consumer<NftEvent> listener) {
        return new NftMonitor(EventReader.join(NetlinkSocket.NETLINK_NETFILTER, GROUPS), listener);
    }

    /**
     * Listens in another namespace, which may be closed afterwards.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static NftMonitor open(Netns ns, Consumer<NftEvent> listener) {
        return new NftMonitor(EventReader.join(ns, NetlinkSocket.NETLINK_NETFILTER, GROUPS), listener);
    }

    /** The same, with room for about so many bytes of events that wait. */
    static NftMonitor open(Netns ns, int socketBytes, Consumer<NftEvent> listener) {
        return new NftMonitor(EventReader.join(ns, NetlinkSocket.NETLINK_NETFILTER, GROUPS, socketBytes), listener);
    }

    /** Ends the thread: when this returns, the listener is not called any more. */
    @Override
    public void close() {
        reader.close();
    }
}
