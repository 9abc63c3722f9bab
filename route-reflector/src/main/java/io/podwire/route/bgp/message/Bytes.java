package io.podwire.route.bgp.message;

import java.util.Arrays;
import java.util.HexFormat;

/** Bytes as a value: equal by content, never changed. */
public final class Bytes {
    /** No bytes. */
    public static final Bytes EMPTY = new Bytes(new byte[0]);

    private final byte[] content;

    private Bytes(byte[] content) {
        this.content = content;
    }

    /** A copy of these. */
    public static Bytes of(byte... content) {
        return new Bytes(content.clone());
    }

    /** A copy of them. */
    public byte[] toArray() {
        return content.clone();
    }

    /** How many. */
    public int size() {
        return content.length;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Bytes bytes && Arrays.equals(content, bytes.content);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(content);
    }

    /** Hex digits. */
    @Override
    public String toString() {
        return HexFormat.of().formatHex(content);
    }
}
