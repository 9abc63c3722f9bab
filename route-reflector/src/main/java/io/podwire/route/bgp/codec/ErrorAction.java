package io.podwire.route.bgp.codec;

/** What a malformed UPDATE leads to, weakest first: RFC 7606 §2. */
public enum ErrorAction {
    /** The attribute is dropped, the rest counts. */
    DISCARD_ATTRIBUTE,
    /** The prefixes count as withdrawn, the session goes on. */
    TREAT_AS_WITHDRAW,
    /** The session ends with a NOTIFICATION. A family that cannot be read is not disabled but ends it too. */
    RESET_SESSION
}
