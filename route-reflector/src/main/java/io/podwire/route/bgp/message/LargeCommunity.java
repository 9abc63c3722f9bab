package io.podwire.route.bgp.message;

/**
 * RFC 8092: three numbers of 0 to 2^32 - 1.
 *
 * @param global an AS number
 * @param first of its own data
 * @param second of its own data
 */
public record LargeCommunity(long global, long first, long second) {
    private static final long MAX = 0xFFFF_FFFFL;

    /** Checks the ranges. */
    public LargeCommunity {
        if (global < 0 || first < 0 || second < 0 || global > MAX || first > MAX || second > MAX) {
            throw new IllegalArgumentException("a large community has three numbers of 0 to 4294967295, got " + global
                    + ":" + first + ":" + second);
        }
    }

    /**
     * Reads {@code 64512:1:2}.
     *
     * @throws IllegalArgumentException when it is not three numbers of 0 to 2^32 - 1
     */
    public static LargeCommunity parse(String text) {
        if (!text.matches("\\d{1,10}:\\d{1,10}:\\d{1,10}")) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not a large community such as 64512:1:2, three numbers of 0 to 4294967295");
        }
        String[] parts = text.split(":", -1);
        return new LargeCommunity(Long.parseLong(parts[0]), Long.parseLong(parts[1]), Long.parseLong(parts[2]));
    }

    /** {@code 64512:1:2}. */
    @Override
    public String toString() {
        return global + ":" + first + ":" + second;
    }
}
