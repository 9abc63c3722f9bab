package io.podwire.node.upstream;

import io.podwire.node.plan.TierRule;
import io.podwire.proto.policy.v1.RuleAction;
import io.podwire.proto.policy.v1.Tier;

/** Rules of tiers become node-shim's own values, and back. */
final class TierMapping {
    private TierMapping() {}

    static io.podwire.proto.policy.v1.TierRule toProto(TierRule rule) {
        return io.podwire.proto.policy.v1.TierRule.newBuilder()
                .setTier(
                        switch (rule.tier()) {
                            case ADMIN -> Tier.TIER_ADMIN;
                            case NETWORK_POLICY -> Tier.TIER_NETWORK_POLICY;
                            case BASELINE -> Tier.TIER_BASELINE;
                        })
                .setAction(
                        switch (rule.action()) {
                            case ACCEPT -> RuleAction.RULE_ACTION_ACCEPT;
                            case DENY -> RuleAction.RULE_ACTION_DENY;
                            case PASS -> RuleAction.RULE_ACTION_PASS;
                        })
                .setRule(StreamMapping.rule(rule.rule()))
                .setPriority(rule.priority())
                .setName(rule.name())
                .build();
    }

    /**
     * A rule.
     *
     * @throws IllegalArgumentException when its tier or action is none that node-shim knows: leaving it out could open
     */
    static TierRule fromProto(io.podwire.proto.policy.v1.TierRule message) {
        return new TierRule(
                tier(message.getTier()),
                action(message.getAction()),
                StreamMapping.rule(message.getRule()),
                message.getPriority(),
                message.getName());
    }

    private static TierRule.Tier tier(Tier message) {
        return switch (message) {
            case TIER_ADMIN -> TierRule.Tier.ADMIN;
            case TIER_NETWORK_POLICY -> TierRule.Tier.NETWORK_POLICY;
            case TIER_BASELINE -> TierRule.Tier.BASELINE;
            case TIER_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("a rule has tier " + message + ", which node-shim does not know");
        };
    }

    private static TierRule.RuleAction action(RuleAction message) {
        return switch (message) {
            case RULE_ACTION_ACCEPT -> TierRule.RuleAction.ACCEPT;
            case RULE_ACTION_DENY -> TierRule.RuleAction.DENY;
            case RULE_ACTION_PASS -> TierRule.RuleAction.PASS;
            case RULE_ACTION_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("a rule has action " + message + ", which node-shim does not know");
        };
    }
}
