package io.podwire.node.netns;

import java.io.Serial;
import java.nio.file.Path;

/** A path that could not be used as a network namespace. */
public final class NetnsException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        /** Nothing is at the path: the namespace was there once, or never. */
        GONE,
        /**
         * Something else is at the path. This is also what is left where a namespace's bind mount was
         * undone and its empty file stayed.
         */
        NOT_A_NAMESPACE,
        /** The kernel refused for another reason. */
        FAILED
    }

    private final Reason reason;

    NetnsException(Reason reason, Path path, String detail) {
        super("network namespace '" + path + "': " + detail);
        this.reason = reason;
    }

    /** Why. */
    public Reason reason() {
        return reason;
    }
}
