package io.podwire.policy.compile;

import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.RuleAction;
import io.podwire.policy.model.Tier;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** What cluster-wide policies make of a direction, beside its NetworkPolicies (policy.networking.k8s.io/v1alpha2). */
final class TierRules {
    /** Of equal priorities the API leaves the choice to us; the name makes it the same everywhere. */
    private static final Comparator<ClusterPolicy> ORDER = Comparator.comparing(ClusterPolicy::tier)
            .thenComparingInt(ClusterPolicy::priority)
            .thenComparing(ClusterPolicy::name);

    private TierRules() {}

    /**
     * Those of the policies that judge a pod with these labels, in their order.
     *
     * @param namespace the pod's; empty: nobody has told of it yet. Then every policy may be about it
     */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // the question is whether it is known
    static List<ClusterPolicy> judging(
            Collection<ClusterPolicy> policies, Optional<Namespace> namespace, Map<String, String> labels) {
        return policies.stream()
                .flatMap(policy -> judging(policy, namespace, labels).stream())
                .sorted(ORDER)
                .toList();
    }

    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as above
    private static Optional<ClusterPolicy> judging(
            ClusterPolicy policy, Optional<Namespace> namespace, Map<String, String> labels) {
        if (!policy.subject().pods().matches(labels)) {
            return Optional.empty();
        }
        LabelSelector namespaces = policy.subject().namespaces();
        if (namespace.isEmpty() && !namespaces.equals(LabelSelector.EVERYTHING)) {
            return Optional.of(policy.inDoubt());
        }
        return namespace.isEmpty() || namespaces.matches(namespace.get().labels())
                ? Optional.of(policy)
                : Optional.empty();
    }

    /**
     * The direction.
     *
     * @param networkPolicies what the NetworkPolicies make of it alone
     * @param cluster rules of tiers ADMIN and BASELINE, in their order
     */
    static DirectionPolicy of(DirectionPolicy networkPolicies, List<TierRule> cluster) {
        if (cluster.isEmpty()) {
            return networkPolicies;
        }
        List<TierRule> tiers = new ArrayList<>(tier(Tier.ADMIN, cluster).toList());
        networkPolicies.rules().forEach(rule -> tiers.add(networkPolicy(RuleAction.ACCEPT, rule)));
        if (networkPolicies.isolated()) {
            tiers.add(networkPolicy(RuleAction.DENY, new Rule("", 0, true, List.of(), true, List.of())));
        }
        tier(Tier.BASELINE, cluster).forEach(tiers::add);
        return withoutTiers(networkPolicies, cluster, tiers);
    }

    private static TierRule networkPolicy(RuleAction action, Rule rule) {
        return new TierRule(Tier.NETWORK_POLICY, action, rule, 0, "");
    }

    /** Beside the tiers, what passes for certain: by rules that only allow, nothing more can be said. */
    private static DirectionPolicy withoutTiers(
            DirectionPolicy networkPolicies, List<TierRule> cluster, List<TierRule> tiers) {
        boolean isolated = networkPolicies.isolated();
        List<Rule> certain = new ArrayList<>(certain(Tier.ADMIN, cluster));
        if (denies(Tier.ADMIN, cluster)) {
            isolated = true;
        } else if (isolated) {
            certain.addAll(networkPolicies.rules());
        } else if (denies(Tier.BASELINE, cluster)) {
            isolated = true;
            certain.addAll(certain(Tier.BASELINE, cluster));
        }
        return new DirectionPolicy(isolated, isolated ? certain : List.of(), networkPolicies.isolatedBy(), tiers);
    }

    /** Those of a tier that accept, before any that does not. */
    private static List<Rule> certain(Tier tier, List<TierRule> rules) {
        return tier(tier, rules)
                .takeWhile(rule -> rule.action() == RuleAction.ACCEPT)
                .map(TierRule::rule)
                .toList();
    }

    private static boolean denies(Tier tier, List<TierRule> rules) {
        return tier(tier, rules).anyMatch(rule -> rule.action() == RuleAction.DENY);
    }

    private static Stream<TierRule> tier(Tier tier, List<TierRule> rules) {
        return rules.stream().filter(rule -> rule.tier() == tier);
    }
}
