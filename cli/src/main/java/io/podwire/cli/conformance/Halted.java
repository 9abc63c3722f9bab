package io.podwire.cli.conformance;

import java.io.Serial;

/** A check cannot go on after a finding, which the probe has. */
final class Halted extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;
}
