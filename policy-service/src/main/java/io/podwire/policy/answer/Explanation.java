package io.podwire.policy.answer;

/**
 * What becomes of a connection, and why.
 *
 * @param egress what the source's node says
 * @param ingress what the destination's node says
 */
public record Explanation(End source, End destination, Ruling egress, Ruling ingress) {
    /** True when both ends let it pass. */
    public boolean allowed() {
        return egress.passes() && ingress.passes();
    }
}
