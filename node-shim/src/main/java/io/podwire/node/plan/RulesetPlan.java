package io.podwire.node.plan;

import io.podwire.node.nft.model.Ruleset;

/** What the kernel must hold, as a function of what is true. {@link RulesetPlanner} is the same, faster. */
public final class RulesetPlan {
    private RulesetPlan() {}

    /** The ruleset for this input. */
    public static Ruleset plan(RulesetInput input) {
        return new RulesetPlanner().plan(input);
    }
}
