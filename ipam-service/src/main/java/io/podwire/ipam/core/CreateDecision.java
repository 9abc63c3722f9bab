package io.podwire.ipam.core;

/** What creating a pool comes to. */
public sealed interface CreateDecision {
    /** It is new and overlaps no other. */
    record Create() implements CreateDecision {}

    /** It is there already, with the same content. */
    record AlreadyThere() implements CreateDecision {}

    /** Its name belongs to a pool of another content. */
    record NameTaken(Pool by) implements CreateDecision {}

    /** It shares addresses with another pool. */
    record Overlap(Pool with) implements CreateDecision {}
}
