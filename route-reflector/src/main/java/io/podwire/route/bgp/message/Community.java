package io.podwire.route.bgp.message;

/**
 * RFC 1997.
 *
 * @param value its 32 bits
 */
public record Community(int value) {
    /** Not to be told to other ASes. */
    public static final Community NO_EXPORT = new Community(0xFFFFFF01);
    /** Not to be told to anybody. */
    public static final Community NO_ADVERTISE = new Community(0xFFFFFF02);
    /** Not to be told to other members of a confederation, and so to no other AS. */
    public static final Community NO_EXPORT_SUBCONFED = new Community(0xFFFFFF03);
    /** The sender is about to go: RFC 8326. */
    public static final Community GRACEFUL_SHUTDOWN = new Community(0xFFFF0000);

    /**
     * Reads {@code 64512:100}.
     *
     * @throws IllegalArgumentException when it is not two numbers of 0 to 65535
     */
    public static Community parse(String text) {
        String[] parts = text.split(":", -1);
        if (parts.length == 2 && parts[0].matches("\\d{1,5}") && parts[1].matches("\\d{1,5}")) {
            int high = Integer.parseInt(parts[0]);
            int low = Integer.parseInt(parts[1]);
            if (high <= 0xFFFF && low <= 0xFFFF) {
                return new Community(high << 16 | low);
            }
        }
        throw new IllegalArgumentException(
                "'" + text + "' is not a community such as 64512:100, two numbers of 0 to 65535");
    }

    /** {@code 64512:100}. */
    @Override
    public String toString() {
        return (value >>> 16) + ":" + (value & 0xFFFF);
    }
}
