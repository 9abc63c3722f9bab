package io.podwire.node.journal;

import java.io.Serial;

/** A journal that a newer release wrote. */
final class NewerFormatException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    NewerFormatException(String message) {
        super(message);
    }
}
