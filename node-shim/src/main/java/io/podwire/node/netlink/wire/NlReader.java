package io.podwire.node.netlink.wire;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Walks the attributes of a message or of a nested attribute: {@link #next} moves on, {@link #type}
 * tells which, and a typed read takes the value if it has exactly that type's length. No read leaves
 * the attribute. Every failure is an {@link NlFormatException} that names the attribute's path.
 */
public final class NlReader {
    /** NLA_TYPE_MASK: without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
    private static final int TYPE_MASK = 0x3FFF;

    private static final int HEADER = 4;

    private final ByteBuffer data;
    private final NlReader parent;
    private final int owner;
    private int next;
    private int type;
    private int start;
    private int length;

    /** The attributes in {@code data}, which belong to the attribute {@code owner} of {@code parent}, or to a message. */
    NlReader(ByteBuffer data, NlReader parent, int owner) {
        this.data = data;
        this.parent = parent;
        this.owner = owner;
    }

    /**
     * Moves to the next attribute.
     *
     * @return false when there is none
     */
    public boolean next() {
        int remaining = data.limit() - next;
        if (remaining == 0) {
            return false;
        }
        if (remaining < HEADER) {
            throw new NlFormatException(owner() + ": an attribute header has 4 bytes, " + remaining + " are left");
        }
        int whole = Short.toUnsignedInt(data.getShort(next));
        type = Short.toUnsignedInt(data.getShort(next + 2)) & TYPE_MASK;
        if (whole < HEADER || whole > remaining) {
            throw new NlFormatException(path() + " says " + whole + " bytes, " + remaining + " are left");
        }
        start = next + HEADER;
        length = whole - HEADER;
        next = Math.min(next + ((whole + 3) & ~3), data.limit());
        return true;
    }

    /** The attribute's type. */
    public int type() {
        return type;
    }

    /** Its value as one byte, unsigned. */
    public int u8() {
        need(1, "a u8");
        return Byte.toUnsignedInt(data.get(start));
    }

    /** Its value as one byte that is not 0. */
    public boolean flag() {
        return u8() != 0;
    }

    /** Its value as two bytes, native order, unsigned. */
    public int u16() {
        need(2, "a u16");
        return Short.toUnsignedInt(data.getShort(start));
    }

    /** Its value as two bytes in network order, unsigned. */
    public int u16be() {
        need(2, "a u16");
        return Byte.toUnsignedInt(data.get(start)) << 8 | Byte.toUnsignedInt(data.get(start + 1));
    }

    /** Its value as four bytes, native order. */
    public int i32() {
        need(4, "a u32");
        return data.getInt(start);
    }

    /** Its value as four bytes, native order, unsigned. */
    public long u32() {
        return Integer.toUnsignedLong(i32());
    }

    /** Its value as four bytes in network order. */
    public int i32be() {
        need(4, "a u32");
        return Byte.toUnsignedInt(data.get(start)) << 24
                | Byte.toUnsignedInt(data.get(start + 1)) << 16
                | Byte.toUnsignedInt(data.get(start + 2)) << 8
                | Byte.toUnsignedInt(data.get(start + 3));
    }

    /** Its value as eight bytes, native order. */
    public long i64() {
        need(8, "a u64");
        return data.getLong(start);
    }

    /** Its value as eight bytes in network order. */
    public long i64be() {
        need(8, "a u64");
        long value = 0;
        for (int i = 0; i < 8; i++) {
            value = value << 8 | Byte.toUnsignedLong(data.get(start + i));
        }
        return value;
    }

    /** Its value as it came. */
    public byte[] bytes() {
        return bytes(length);
    }

    /** Four bytes of the structure that is its value, native order. */
    public int i32(int offset) {
        if (offset + 4 > length) {
            throw wrongLength("at least " + (offset + 4));
        }
        return data.getInt(start + offset);
    }

    /** Its value as text: UTF-8 up to the closing NUL. */
    public String text() {
        int end = length > 0 && data.get(start + length - 1) == 0 ? length - 1 : length;
        return new String(bytes(end), StandardCharsets.UTF_8);
    }

    /** Its value as an IPv4 or IPv6 address. */
    public IpAddress address() {
        if (length != 4 && length != 16) {
            throw wrongLength("an address 4 or 16");
        }
        return IpAddress.ofBytes(bytes(length));
    }

    /** True when its value has the length of an Ethernet address; other link layers have others. */
    public boolean isMac() {
        return length == 6;
    }

    /** Its value as an Ethernet address. */
    public MacAddress mac() {
        need(6, "a MAC address");
        return MacAddress.ofBytes(bytes(6));
    }

    /** The attributes inside it. */
    public NlReader nested() {
        ByteBuffer inner = data.slice(start, length).order(ByteOrder.nativeOrder());
        return new NlReader(inner, this, type);
    }

    private byte[] bytes(int count) {
        byte[] bytes = new byte[count];
        data.get(start, bytes);
        return bytes;
    }

    private void need(int bytes, String what) {
        if (length != bytes) {
            throw wrongLength(what + " " + bytes);
        }
    }

    private NlFormatException wrongLength(String expected) {
        return new NlFormatException(path() + " has " + length + " bytes, " + expected);
    }

    private String path() {
        return owner() + " > attribute " + type;
    }

    private String owner() {
        return parent == null ? "message " + owner : parent.owner() + " > attribute " + owner;
    }
}
