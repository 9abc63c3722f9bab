package io.podwire.cli;

import java.io.Serial;

/** What a command could not do, in words for its user: what was attempted, what was answered, what helps. */
public final class CommandFailure extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    /** A failure that nothing else caused. */
    public CommandFailure(String message) {
        super(message);
    }

    /** A failure caused by another one. */
    public CommandFailure(String message, Throwable cause) {
        super(message, cause);
    }
}
