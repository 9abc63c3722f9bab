package io.podwire.cli.conformance;

import io.podwire.cli.lab.CniExecution;
import io.podwire.cli.lab.CniVersion;
import java.util.List;

/**
 * What came of one tick in one version.
 *
 * @param tick its id
 * @param outcome what came of it
 * @param reason of a skip; empty otherwise
 * @param findings of a failure; empty otherwise
 * @param last the last execution of a plugin, as evidence of a pass; empty where none ran
 */
public record TickResult(
        String tick,
        CniVersion version,
        Outcome outcome,
        String reason,
        List<Finding> findings,
        List<CniExecution> last) {
    /** The three ends of a test. */
    public enum Outcome {
        /** The rule is kept. */
        PASS,
        /** It is not. */
        FAIL,
        /** It does not apply, or cannot be tested here. */
        SKIP
    }

    /** Copies what could change. */
    public TickResult {
        findings = List.copyOf(findings);
        last = List.copyOf(last);
    }
}
