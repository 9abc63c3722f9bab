package io.podwire.node.plan;

/**
 * One step of a direction that tiers decide.
 *
 * @param tier where it belongs
 * @param action what becomes of what it matches
 * @param rule what it matches and where it comes from; the end of tier NETWORK_POLICY, which denies all that none of
 *     that tier's rules allows, has an empty policy
 * @param priority of its policy, for people
 * @param name of the rule, for people; may be empty
 */
public record TierRule(Tier tier, RuleAction action, PolicyRule rule, int priority, String name) {
    /** Who decides before whom; in this order. */
    public enum Tier {
        /** Cluster-wide policies that no namespace can overrule. */
        ADMIN,
        /** The namespaces' own policies. */
        NETWORK_POLICY,
        /** Cluster-wide policies for pods that none of these isolates. */
        BASELINE
    }

    /** What becomes of traffic that a rule matches. */
    public enum RuleAction {
        /** It passes, whatever later rules and tiers say. */
        ACCEPT,
        /** It is dropped, whatever later rules and tiers say. */
        DENY,
        /** The next tier decides. */
        PASS
    }
}
