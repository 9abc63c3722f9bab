package io.podwire.node.nft.model;

import java.util.List;

/**
 * One rule.
 *
 * @param matches all must hold; none: every packet
 * @param counted true: it counts what matched
 * @param action what happens then
 * @param comment for people and for reading its counter; empty: none
 */
public record Rule(List<Match> matches, boolean counted, Action action, String comment) {
    /** Checks and copies. */
    public Rule {
        matches = List.copyOf(matches);
        Identifiers.checkComment(comment);
    }

    /** A rule without counter and comment. */
    public static Rule of(Action action, Match... matches) {
        return new Rule(List.of(matches), false, action, "");
    }

    /** Drops and counts. */
    public static Rule drop(String comment, Match... matches) {
        return new Rule(List.of(matches), true, new Verdict.Drop(), comment);
    }
}
