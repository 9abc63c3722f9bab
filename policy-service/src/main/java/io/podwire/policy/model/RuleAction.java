package io.podwire.policy.model;

/** What becomes of traffic that a rule of a tier matches. */
public enum RuleAction {
    /** It passes, whatever later rules and tiers say. */
    ACCEPT,
    /** It is dropped, whatever later rules and tiers say. */
    DENY,
    /** The next tier decides. */
    PASS
}
