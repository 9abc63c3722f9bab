package io.podwire.route.bgp.codec;

import io.podwire.common.net.IpAddress;
import io.podwire.route.bgp.message.Bytes;
import java.io.Serial;
import java.util.Arrays;

/** Reads a part of a message, and never past its end. Not safe for several threads. */
final class Slice {
    private final byte[] content;
    private final int end;
    private int position;

    Slice(byte[] content, int start, int end) {
        this.content = content;
        this.position = start;
        this.end = end;
    }

    /** Less is left than is asked for. */
    static final class ShortException extends Exception {
        @Serial
        private static final long serialVersionUID = 1L;

        private ShortException(int asked, int left) {
            super(asked + " octets asked for, " + left + " are left", null, false, false);
        }
    }

    int left() {
        return end - position;
    }

    boolean isEmpty() {
        return position == end;
    }

    int u8() throws ShortException {
        require(1);
        return content[position++] & 0xFF;
    }

    int u16() throws ShortException {
        return u8() << 8 | u8();
    }

    long u32() throws ShortException {
        return (long) u16() << 16 | u16();
    }

    long u64() throws ShortException {
        return u32() << 32 | u32();
    }

    byte[] bytes(int count) throws ShortException {
        require(count);
        byte[] out = Arrays.copyOfRange(content, position, position + count);
        position += count;
        return out;
    }

    /** The next octets as a part of their own. */
    Slice take(int count) throws ShortException {
        require(count);
        Slice out = new Slice(content, position, position + count);
        position += count;
        return out;
    }

    IpAddress v4() throws ShortException {
        return IpAddress.ofV4((int) u32());
    }

    Bytes rest() {
        byte[] out = Arrays.copyOfRange(content, position, end);
        position = end;
        return Bytes.of(out);
    }

    private void require(int count) throws ShortException {
        if (count > left()) {
            throw new ShortException(count, left());
        }
    }
}
