package io.podwire.ipam.service;

import io.podwire.ipam.audit.Audited;
import io.podwire.ipam.audit.Looks.Seen;
import java.time.Duration;
import java.util.List;

/**
 * What an audit found, and what became of it.
 *
 * @param rows in the order of the findings
 * @param audited all that was looked at
 * @param interval how far apart two looks have to be that confirm a finding
 */
record AuditReport(List<Row> rows, Audited audited, Duration interval) {
    /** Copies. */
    AuditReport {
        rows = List.copyOf(rows);
    }

    /**
     * One finding.
     *
     * @param result what became of its repair
     * @param error why that failed, or empty
     */
    record Row(Seen seen, Result result, String error) {}

    /** What became of a repair. */
    enum Result {
        /** None is safe. */
        NONE,
        /** Not confirmed yet. */
        EARLY,
        /** It was not asked for, and would be done. */
        PROPOSED,
        /** It is done. */
        DONE,
        /** It was not so any more. */
        OVERTAKEN,
        /** The store refused, or did not answer. */
        FAILED,
        /** There were too many. */
        LEFT
    }
}
