package io.podwire.cli.conformance;

import io.podwire.cli.lab.CniExecution;
import java.util.List;

/**
 * One thing that is not as it should be.
 *
 * @param problem one sentence
 * @param evidence the executions that show it
 */
public record Finding(String problem, List<CniExecution> evidence) {
    private static final int LONGEST = 400;

    /** Copies what could change, and cuts a problem that quotes a whole stack trace. */
    public Finding {
        problem = problem.length() <= LONGEST ? problem : problem.substring(0, LONGEST) + " ...";
        evidence = List.copyOf(evidence);
    }
}
