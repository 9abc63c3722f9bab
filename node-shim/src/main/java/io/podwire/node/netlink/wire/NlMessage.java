package io.podwire.node.netlink.wire;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One received netlink message: a view of the receive buffer, good until the next receive. Reads are
 * bounded by the message's own length.
 */
public final class NlMessage {
    /** NLMSG_ERROR, linux/netlink.h: an acknowledgement or a refusal. */
    public static final int ERROR = 2;
    /** NLMSG_DONE: the end of a dump. */
    public static final int DONE = 3;
    /** NLM_F_REQUEST. */
    public static final int REQUEST = 0x1;
    /** NLM_F_ACK: answer with an acknowledgement. */
    public static final int ACK = 0x4;
    /** NLM_F_ECHO: answer with the notification too. */
    public static final int ECHO = 0x8;
    /** NLM_F_DUMP_INTR, on an answer: the kernel's tables changed during the dump. */
    public static final int DUMP_INTERRUPTED = 0x10;
    /** NLM_F_REPLACE, on a request that makes something. */
    public static final int REPLACE = 0x100;
    /** NLM_F_EXCL. */
    public static final int EXCLUSIVE = 0x200;
    /** NLM_F_CREATE. */
    public static final int CREATE = 0x400;
    /** NLM_F_APPEND. */
    public static final int APPEND = 0x800;
    /** NLM_F_ROOT | NLM_F_MATCH: NLM_F_DUMP, on a request that asks. */
    public static final int DUMP = 0x300;
    /** NLM_F_CAPPED, on an NLMSG_ERROR: the request is not repeated in it. */
    public static final int CAPPED = 0x100;
    /** NLM_F_ACK_TLVS, on an NLMSG_ERROR or NLMSG_DONE: extended-acknowledgement attributes follow. */
    public static final int ACK_ATTRIBUTES = 0x200;

    private final int type;
    private final int flags;
    private final int sequence;
    private final int port;
    private final ByteBuffer payload;

    private NlMessage(int type, int flags, int sequence, int port, ByteBuffer payload) {
        this.type = type;
        this.flags = flags;
        this.sequence = sequence;
        this.port = port;
        this.payload = payload;
    }

    /**
     * Takes the message at the buffer's position and moves past it and its padding.
     *
     * @throws NlFormatException when header or length do not fit into what remains
     */
    public static NlMessage take(ByteBuffer datagram) {
        datagram.order(ByteOrder.nativeOrder());
        int start = datagram.position();
        int remaining = datagram.remaining();
        if (remaining < NlWriter.MESSAGE_HEADER) {
            throw new NlFormatException("a message header has 16 bytes, " + remaining + " are left");
        }
        int length = datagram.getInt(start);
        int type = Short.toUnsignedInt(datagram.getShort(start + 4));
        if (length < NlWriter.MESSAGE_HEADER || length > remaining) {
            throw new NlFormatException("message " + type + " says " + length + " bytes, " + remaining + " are left");
        }
        ByteBuffer payload = datagram.slice(start + NlWriter.MESSAGE_HEADER, length - NlWriter.MESSAGE_HEADER)
                .order(ByteOrder.nativeOrder());
        datagram.position(start + Math.min((length + 3) & ~3, remaining));
        int flags = Short.toUnsignedInt(datagram.getShort(start + 6));
        return new NlMessage(type, flags, datagram.getInt(start + 8), datagram.getInt(start + 12), payload);
    }

    /** Its type: NLMSG_... or RTM_.... */
    public int type() {
        return type;
    }

    /** True when all these flags are set. */
    public boolean has(int wanted) {
        return (flags & wanted) == wanted;
    }

    /** The number of the request that it answers. */
    public int sequence() {
        return sequence;
    }

    /** The port of the socket whose request it tells of; 0 for the kernel's own doing. */
    public int port() {
        return port;
    }

    /** Length of its payload in bytes. */
    public int length() {
        return payload.limit();
    }

    /** A byte of the fixed header, unsigned. */
    public int u8(int offset) {
        need(offset, 1);
        return Byte.toUnsignedInt(payload.get(offset));
    }

    /** Two bytes of the fixed header, native order, unsigned. */
    public int u16(int offset) {
        need(offset, 2);
        return Short.toUnsignedInt(payload.getShort(offset));
    }

    /** Four bytes of the fixed header, native order. */
    public int i32(int offset) {
        need(offset, 4);
        return payload.getInt(offset);
    }

    /** The attributes after a fixed header of {@code header} bytes. */
    public NlReader attributes(int header) {
        need(0, header);
        int start = Math.min((header + 3) & ~3, payload.limit());
        ByteBuffer rest = payload.slice(start, payload.limit() - start).order(ByteOrder.nativeOrder());
        return new NlReader(rest, null, type);
    }

    private void need(int offset, int bytes) {
        if (offset + bytes > payload.limit()) {
            throw new NlFormatException("message " + type + " has " + payload.limit() + " bytes, its header goes on to "
                    + (offset + bytes));
        }
    }
}
