package io.podwire.cli.conformance;

import java.io.Serial;

/** A check does not apply here; the message says why. */
final class Skipped extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    Skipped(String reason) {
        super(reason);
    }
}
