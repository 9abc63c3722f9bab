package io.podwire.cli.lab;

import java.io.Serial;
import java.util.List;

/** Something in the lab is not as it should be. */
public final class StepFailure extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String expected;
    private final String seen;
    private final transient List<ServiceProcess> concerned;

    /**
     * A failure.
     *
     * @param expected what should be, one sentence
     * @param seen what is
     * @param concerned processes whose logs may tell why
     */
    public StepFailure(String expected, String seen, ServiceProcess... concerned) {
        super("expected: " + expected + "; seen: " + seen);
        this.expected = expected;
        this.seen = seen;
        this.concerned = List.of(concerned);
    }

    String expected() {
        return expected;
    }

    String seen() {
        return seen;
    }

    List<ServiceProcess> concerned() {
        return concerned == null ? List.of() : concerned;
    }
}
