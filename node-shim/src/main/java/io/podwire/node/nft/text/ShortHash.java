package io.podwire.node.nft.text;

import com.google.common.io.BaseEncoding;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;

/** 65 bits of SHA-256 as 13 characters of lower-case base32 (RFC 4648 §6): short enough for a device's name. */
public final class ShortHash {
    private ShortHash() {}

    /** The hash of a text's UTF-8. */
    public static String of(String text) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return BaseEncoding.base32().encode(hash, 0, 10).substring(0, 13).toLowerCase(Locale.ROOT);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }
}
