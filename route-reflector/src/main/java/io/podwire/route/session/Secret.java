package io.podwire.route.session;

import java.nio.charset.StandardCharsets;

/**
 * A key that is not printed.
 *
 * @param text 0 to 80 octets in UTF-8, TCP_MD5SIG_MAXKEYLEN of linux/tcp.h; empty: no key
 */
public record Secret(String text) {
    /** No key. */
    public static final Secret NONE = new Secret("");

    private static final int LONGEST = 80;

    /** Checks the length. */
    public Secret {
        int length = text.getBytes(StandardCharsets.UTF_8).length;
        if (length > LONGEST) {
            throw new IllegalArgumentException("a TCP MD5 key has at most " + LONGEST + " octets, got " + length);
        }
    }

    /** True when there is one. */
    public boolean isPresent() {
        return !text.isEmpty();
    }

    byte[] bytes() {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Asterisks. */
    @Override
    public String toString() {
        return isPresent() ? "***" : "";
    }
}
