package io.podwire.node.netlink.wire;

import java.io.Serial;

/** A netlink message that is not what its headers say; the text holds the path of the attribute. */
public final class NlFormatException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    NlFormatException(String message) {
        super(message);
    }
}
