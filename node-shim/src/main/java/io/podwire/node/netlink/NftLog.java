package io.podwire.node.netlink;

import io.podwire.node.netlink.nft.LogCodec;
import io.podwire.node.netlink.nft.LoggedPacket;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netns.Netns;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * Listens to a group of nfnetlink_log: packets that rules log. One thread of its own reads and calls the listener. Packets
 * that it has no time for are lost, which is no harm: they are for people.
 */
public final class NftLog implements AutoCloseable {
    /** The IP header, and ports behind some extension headers. */
    private static final int BYTES = 128;
    /** A burst wakes the thread once. */
    private static final Duration REST = Duration.ofMillis(50);

    private final EventReader reader;

    private NftLog(EventReader.Calls socket, int group, Consumer<LoggedPacket> listener) {
        EventReader.Calls bound;
        try {
            bound = EventReader.request(
                    socket,
                    "listen to log group " + group,
                    LogCodec.CONFIG,
                    out -> LogCodec.writeBind(out, group, BYTES));
        } catch (RuntimeException e) {
            socket.close();
            throw e;
        }
        this.reader = EventReader.start("nft-log", REST, bound, new EventReader.Handler() {
            @Override
            public void message(NlMessage message) {
                LogCodec.read(message).ifPresent(listener);
            }

            @Override
            public void lost() {}
        });
    }

    /**
     * Listens in the namespace of this process.
     *
     * @throws NetlinkException when the kernel has no nfnetlink_log, or another program listens to the group (EPERM)
     */
    public static NftLog open(int group, Consumer<LoggedPacket> listener) {
        return new NftLog(EventReader.join(NetlinkSocket.NETLINK_NETFILTER, 0), group, listener);
    }

    /** Listens in another namespace, which may be closed afterwards; throws as {@link #open(int, Consumer)}. */
    public static NftLog open(Netns ns, int group, Consumer<LoggedPacket> listener) {
        return new NftLog(EventReader.join(ns, NetlinkSocket.NETLINK_NETFILTER, 0), group, listener);
    }

    /** Ends the thread: when this returns, the listener is not called any more. */
    @Override
    public void close() {
        reader.close();
    }
}
