package io.podwire.common.net;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.regex.Pattern;

/**
 * A 48-bit Ethernet address (IEEE 802 EUI-48).
 *
 * @param bits its value in the lower 48 bits, first octet highest
 */
public record MacAddress(long bits) implements Comparable<MacAddress> {
    private static final Pattern TEXT = Pattern.compile("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}");
    private static final HexFormat HEX = HexFormat.ofDelimiter(":");

    /** Checks that it fits in 48 bits. */
    public MacAddress {
        if (bits >>> 48 != 0) {
            throw new IllegalArgumentException("a MAC address has 48 bits, got 0x" + Long.toHexString(bits));
        }
    }

    /**
     * Reads aa:bb:cc:dd:ee:ff.
     *
     * @throws IllegalArgumentException when it is not such text
     */
    public static MacAddress parse(String text) {
        if (!TEXT.matcher(text).matches()) {
            throw new IllegalArgumentException("'" + text + "' is not a MAC address such as 02:00:0a:01:00:05");
        }
        return ofBytes(HEX.parseHex(text));
    }

    /**
     * The address of these 6 bytes.
     *
     * @throws IllegalArgumentException when there are not 6
     */
    public static MacAddress ofBytes(byte[] bytes) {
        if (bytes.length != 6) {
            throw new IllegalArgumentException("a MAC address has 6 bytes, got " + bytes.length);
        }
        ByteBuffer buffer =
                ByteBuffer.allocate(8).putShort((short) 0).put(bytes).flip();
        return new MacAddress(buffer.getLong());
    }

    /**
     * A locally administered unicast address with the given value in its lower 40 bits: first octet
     * 0x02 (IEEE 802 §8.4). The same value always gives the same address.
     */
    public static MacAddress locallyAdministered(long value) {
        return new MacAddress((0x02L << 40) | (value & 0xFF_FFFF_FFFFL));
    }

    /** Its 6 bytes. */
    public byte[] bytes() {
        byte[] all = ByteBuffer.allocate(8).putLong(bits).array();
        return Arrays.copyOfRange(all, 2, 8);
    }

    @Override
    public int compareTo(MacAddress other) {
        return Long.compare(bits, other.bits);
    }

    /** aa:bb:cc:dd:ee:ff. */
    @Override
    public String toString() {
        return HEX.formatHex(bytes());
    }
}
