package io.podwire.node.netlink.wire;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.MacAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/**
 * Writes one netlink message at a time into a buffer (netlink(7), linux/netlink.h): {@link #begin},
 * the fixed header by {@code put...}, attributes by type, {@link #finish}. Lengths are patched in
 * afterwards, each attribute is padded to 4 bytes. Not safe for several threads.
 */
public final class NlWriter {
    /** NLA_F_NESTED. */
    private static final int NESTED = 0x8000;
    /** NLA_HDRLEN. */
    private static final int ATTRIBUTE_HEADER = 4;
    /** NLMSG_HDRLEN. */
    static final int MESSAGE_HEADER = 16;
    /** Longest attribute that its 16-bit length can tell. */
    private static final int LONGEST = 0xFFFF;

    private final ByteBuffer buffer;

    /**
     * Writes to this buffer from its start.
     *
     * @throws java.nio.BufferOverflowException from any later call, when a message does not fit
     */
    public NlWriter(ByteBuffer buffer) {
        this.buffer = buffer.order(ByteOrder.nativeOrder());
    }

    /** Starts a message: RTM_... type, NLM_F_... flags, sequence number; the port stays the kernel's to fill. */
    public void begin(int type, int flags, int sequence) {
        buffer.clear().putInt(0).putShort((short) type).putShort((short) flags);
        buffer.putInt(sequence).putInt(0);
    }

    /** Ends the message: the buffer from its start to here, ready to send, good until the next begin. */
    public ByteBuffer finish() {
        buffer.putInt(0, buffer.position());
        return buffer.flip();
    }

    /** A byte of a fixed header. */
    public NlWriter put8(int value) {
        buffer.put((byte) value);
        return this;
    }

    /** Two bytes of a fixed header, native order. */
    public NlWriter put16(int value) {
        buffer.putShort((short) value);
        return this;
    }

    /** Four bytes of a fixed header, native order. */
    public NlWriter put32(int value) {
        buffer.putInt(value);
        return this;
    }

    /** An attribute of one byte. */
    public void u8(int type, int value) {
        header(type, 1).put((byte) value);
        pad();
    }

    /** An attribute of one byte: 1 or 0. */
    public void flag(int type, boolean value) {
        u8(type, value ? 1 : 0);
    }

    /** An attribute of two bytes, native order. */
    public void u16(int type, int value) {
        header(type, 2).putShort((short) value);
        pad();
    }

    /** An attribute of two bytes in network order. */
    public void u16be(int type, int value) {
        header(type, 2).put((byte) (value >>> 8)).put((byte) value);
        pad();
    }

    /** An attribute of four bytes, native order. */
    public void u32(int type, int value) {
        header(type, 4).putInt(value);
    }

    /** An attribute of eight bytes, native order. */
    public void u64(int type, long value) {
        header(type, 8).putLong(value);
    }

    /** An attribute that is the structure that {@code body} puts, of whole fours of bytes. */
    public void struct(int type, Consumer<NlWriter> body) {
        enclosing(type, body);
    }

    /** A text attribute: UTF-8 with the closing NUL. */
    public void text(int type, String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        header(type, utf8.length + 1).put(utf8).put((byte) 0);
        pad();
    }

    /** An address: 4 or 16 bytes. */
    public void address(int type, IpAddress value) {
        header(type, value.family() == IpFamily.V4 ? 4 : 16).put(value.bytes());
    }

    /** An Ethernet address: 6 bytes. */
    public void mac(int type, MacAddress value) {
        header(type, 6).put(value.bytes());
        pad();
    }

    /** An attribute of four bytes in network order. */
    public void u32be(int type, int value) {
        header(type, 4)
                .put((byte) (value >>> 24))
                .put((byte) (value >>> 16))
                .put((byte) (value >>> 8))
                .put((byte) value);
    }

    /** An attribute of eight bytes in network order. */
    public void u64be(int type, long value) {
        ByteBuffer to = header(type, 8);
        for (int shift = Long.SIZE - Byte.SIZE; shift >= 0; shift -= Byte.SIZE) {
            to.put((byte) (value >>> shift));
        }
    }

    /** An attribute of these bytes. */
    public void bytes(int type, byte[] value) {
        header(type, value.length).put(value);
        pad();
    }

    /** An attribute that holds what {@code body} writes. */
    public void nested(int type, Consumer<NlWriter> body) {
        enclosing(type | NESTED, body);
    }

    private void enclosing(int type, Consumer<NlWriter> body) {
        int start = buffer.position();
        header(type, 0);
        body.accept(this);
        int length = buffer.position() - start;
        checkLength(type, length);
        buffer.putShort(start, (short) length);
    }

    private ByteBuffer header(int type, int length) {
        checkLength(type, length + ATTRIBUTE_HEADER);
        return buffer.putShort((short) (length + ATTRIBUTE_HEADER)).putShort((short) type);
    }

    private static void checkLength(int type, int length) {
        if (length > LONGEST) {
            throw new IllegalArgumentException("attribute " + type + " has " + length + " bytes, more than " + LONGEST);
        }
    }

    private void pad() {
        while (buffer.position() % 4 != 0) {
            buffer.put((byte) 0);
        }
    }
}
