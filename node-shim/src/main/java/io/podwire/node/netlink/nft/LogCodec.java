package io.podwire.node.netlink.nft;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;

/** struct nfgenmsg and nfnetlink_log's attributes, linux/netfilter/nfnetlink_log.h. */
public final class LogCodec {
    private static final int SUBSYSTEM = 4 << 8;
    /** NFULNL_MSG_PACKET. */
    private static final int PACKET = SUBSYSTEM;
    /** NFULNL_MSG_CONFIG. */
    public static final int CONFIG = SUBSYSTEM | 1;

    private static final int HEADER = 4;
    private static final int NFULA_CFG_CMD = 1;
    private static final int NFULA_CFG_MODE = 2;
    /** NFULNL_CFG_CMD_BIND. */
    private static final byte BIND = 1;
    /** NFULNL_COPY_PACKET. */
    private static final byte COPY_PACKET = 2;

    private static final int NFULA_PAYLOAD = 9;
    private static final int NFULA_PREFIX = 10;

    private LogCodec() {}

    /**
     * Has the packets of a group told to this socket.
     *
     * @param bytes of each, at most 255
     */
    public static void writeBind(NlWriter out, int group, int bytes) {
        // NFPROTO_UNSPEC, version 0, and the group in network order.
        out.put8(0).put8(0).put8(group >>> 8).put8(group);
        out.bytes(NFULA_CFG_CMD, new byte[] {BIND});
        out.bytes(NFULA_CFG_MODE, new byte[] {0, 0, 0, (byte) bytes, COPY_PACKET, 0});
    }

    /** A packet; empty for any other message. */
    public static Optional<LoggedPacket> read(NlMessage message) {
        if (message.type() != PACKET) {
            return Optional.empty();
        }
        String prefix = "";
        Octets payload = Octets.of();
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case NFULA_PREFIX -> prefix = in.text();
                case NFULA_PAYLOAD -> payload = Octets.of(in.bytes());
                default -> {}
            }
        }
        return Optional.of(new LoggedPacket(prefix, payload));
    }
}
