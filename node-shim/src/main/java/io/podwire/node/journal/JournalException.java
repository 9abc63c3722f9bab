package io.podwire.node.journal;

import java.io.Serial;

/** The journal cannot be opened or read; the message says what to do. */
public final class JournalException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    JournalException(String message) {
        super(message);
    }

    JournalException(String message, Throwable cause) {
        super(message, cause);
    }
}
