package io.podwire.policy.publish;

import io.podwire.policy.compile.TierRule;
import io.podwire.policy.model.RuleAction;
import io.podwire.policy.model.Tier;

/** Rules of tiers, between our records and podwire.policy.v1. */
final class TierMapping {
    private TierMapping() {}

    static io.podwire.proto.policy.v1.TierRule toProto(TierRule rule) {
        return io.podwire.proto.policy.v1.TierRule.newBuilder()
                .setTier(toProto(rule.tier()))
                .setAction(toProto(rule.action()))
                .setRule(ProgramMapping.toProto(rule.rule()))
                .setPriority(rule.priority())
                .setName(rule.name())
                .build();
    }

    static TierRule fromProto(io.podwire.proto.policy.v1.TierRule rule) {
        return new TierRule(
                fromProto(rule.getTier()),
                fromProto(rule.getAction()),
                ProgramMapping.fromProto(rule.getRule()),
                rule.getPriority(),
                rule.getName());
    }

    static io.podwire.proto.policy.v1.Tier toProto(Tier tier) {
        return switch (tier) {
            case ADMIN -> io.podwire.proto.policy.v1.Tier.TIER_ADMIN;
            case NETWORK_POLICY -> io.podwire.proto.policy.v1.Tier.TIER_NETWORK_POLICY;
            case BASELINE -> io.podwire.proto.policy.v1.Tier.TIER_BASELINE;
        };
    }

    private static Tier fromProto(io.podwire.proto.policy.v1.Tier tier) {
        return switch (tier) {
            case TIER_ADMIN -> Tier.ADMIN;
            case TIER_NETWORK_POLICY -> Tier.NETWORK_POLICY;
            case TIER_BASELINE -> Tier.BASELINE;
            case TIER_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("a rule needs a tier that is known, got " + tier);
        };
    }

    private static io.podwire.proto.policy.v1.RuleAction toProto(RuleAction action) {
        return switch (action) {
            case ACCEPT -> io.podwire.proto.policy.v1.RuleAction.RULE_ACTION_ACCEPT;
            case DENY -> io.podwire.proto.policy.v1.RuleAction.RULE_ACTION_DENY;
            case PASS -> io.podwire.proto.policy.v1.RuleAction.RULE_ACTION_PASS;
        };
    }

    private static RuleAction fromProto(io.podwire.proto.policy.v1.RuleAction action) {
        return switch (action) {
            case RULE_ACTION_ACCEPT -> RuleAction.ACCEPT;
            case RULE_ACTION_DENY -> RuleAction.DENY;
            case RULE_ACTION_PASS -> RuleAction.PASS;
            case RULE_ACTION_UNSPECIFIED, UNRECOGNIZED ->
                throw new IllegalArgumentException("a rule needs an action that is known, got " + action);
        };
    }
}
