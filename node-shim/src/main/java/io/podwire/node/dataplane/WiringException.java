package io.podwire.node.dataplane;

import java.io.Serial;

/** A pod cannot be wired as its configuration says, on this node as it is. Nothing was done. */
public final class WiringException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String details;

    WiringException(String message, String details) {
        super(message);
        this.details = details;
    }

    /** What there is, and what helps. */
    public String details() {
        return details;
    }
}
