package io.podwire.node.plan;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** What becomes of open flows when policy changes (ADR 0002). */
public enum EstablishedFlows {
    /** They are judged as new ones are: what is not allowed any more is cut at once. */
    JUDGE,
    /** They go on to their end: the new policy is for flows that begin. */
    FINISH;

    /** The one of that name, in lower case. */
    public static Optional<EstablishedFlows> of(String name) {
        return Arrays.stream(values())
                .filter(one -> one.name().toLowerCase(Locale.ROOT).equals(name))
                .findFirst();
    }
}
