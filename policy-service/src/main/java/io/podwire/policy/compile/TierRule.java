package io.podwire.policy.compile;

import io.podwire.policy.model.RuleAction;
import io.podwire.policy.model.Tier;

/**
 * One step of a direction that tiers decide.
 *
 * @param tier where it belongs
 * @param action what becomes of what it matches
 * @param rule what it matches and where it comes from; the end of tier NETWORK_POLICY, which denies all that none of
 *     that tier's rules allows, has an empty policy: it is {@link DirectionPolicy#isolatedBy}
 * @param priority of its policy; 0 in tier NETWORK_POLICY
 * @param name the rule's name, for people; may be empty
 */
public record TierRule(Tier tier, RuleAction action, Rule rule, int priority, String name) {}
