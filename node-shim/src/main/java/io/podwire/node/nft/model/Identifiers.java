package io.podwire.node.nft.model;

/** Names and comments that reach nft: no character of them can end a token or a string. */
public final class Identifiers {
    /** Longest comment that nft takes (NFTNL_UDATA_COMMENT_MAXLEN, libnftnl/udata.h). */
    public static final int MAX_COMMENT = 128;

    private static final int MAX_NAME = 128;

    private Identifiers() {}

    /**
     * A name of a table, chain or set: a lower-case letter, then lower-case letters, digits and '-'.
     *
     * @throws IllegalArgumentException naming {@code what} when it is not
     */
    static String check(String what, String name) {
        boolean ok = !name.isEmpty() && name.length() <= MAX_NAME && isLower(name.charAt(0));
        for (int i = 1; ok && i < name.length(); i++) {
            char c = name.charAt(i);
            ok = isLower(c) || isDigit(c) || c == '-';
        }
        if (!ok) {
            throw new IllegalArgumentException(
                    "'" + name + "' is not a " + what + " name of ours: a letter, then [a-z0-9-]");
        }
        return name;
    }

    /**
     * Text made fit for a comment: whatever is outside [A-Za-z0-9_./:-] becomes '_', and it is cut to
     * {@link #MAX_COMMENT} characters.
     */
    public static String comment(String text) {
        int length = Math.min(text.length(), MAX_COMMENT);
        StringBuilder safe = new StringBuilder(length);
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            safe.append(isComment(c) ? c : '_');
        }
        return safe.toString();
    }

    /**
     * A comment as {@link #comment} makes them; empty: none.
     *
     * @throws IllegalArgumentException when it is not
     */
    static String checkComment(String comment) {
        boolean ok = comment.length() <= MAX_COMMENT;
        for (int i = 0; ok && i < comment.length(); i++) {
            ok = isComment(comment.charAt(i));
        }
        if (!ok) {
            throw new IllegalArgumentException("'" + comment + "' is not a comment of [A-Za-z0-9_./:-], at most 128");
        }
        return comment;
    }

    private static boolean isComment(char c) {
        return isLower(c) || isDigit(c) || (c >= 'A' && c <= 'Z') || "_./:-".indexOf(c) >= 0;
    }

    private static boolean isLower(char c) {
        return c >= 'a' && c <= 'z';
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
