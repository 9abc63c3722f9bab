package io.podwire.node.journal;

import java.io.Serial;

/** The journal cannot be opened, read or written; the message says what to do. */
public final class JournalException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        /** It is not as it was written: what it says must not be believed. */
        DAMAGED,
        /** It is as it was written, and this process cannot use it: another one does, or a newer release wrote it. */
        UNUSABLE,
        /** It cannot be written now, as on a full disk. */
        UNWRITABLE
    }

    private final Reason reason;

    JournalException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    JournalException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    /** Why. */
    public Reason reason() {
        return reason;
    }
}
