package io.podwire.node.plan;

import io.podwire.common.net.IpFamily;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Identifiers;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Value;
import io.podwire.node.nft.model.Verdict;
import io.podwire.node.nft.text.NftWriter;
import io.podwire.node.nft.text.ShortHash;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.Collectors;

/**
 * A policy as verdicts, and as a chain for each isolated direction. A chain is named after what it
 * says: endpoints with the same policy share it, so most ADDs change elements only, and its drop
 * counter counts for the policies that it names. Both families of an endpoint have the same chain: of
 * its rules about peers, those of the other family match nothing.
 */
final class EndpointChains {
    /** How the chains of each direction begin, and the comments of their last rules. */
    static final String INGRESS = "ingress-";

    static final String EGRESS = "egress-";
    static final String DENIED = "denied";

    private static final Verdict PASS = new Verdict.Return();
    private static final Value.Span ALL_PORTS = new Value.Span(0, 65535);
    private static final List<TierRule.Tier> BACKWARDS =
            List.of(TierRule.Tier.BASELINE, TierRule.Tier.NETWORK_POLICY, TierRule.Tier.ADMIN);

    private final Map<String, Map<IpFamily, Peers>> peers;
    private final Optional<DenialLog> log;
    private final List<Chain> chains = new ArrayList<>();
    private final SortedMap<String, NftSet.Ports> portSets = new TreeMap<>();

    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as below
    private EndpointChains(Map<String, Map<IpFamily, Peers>> peers, Optional<DenialLog> log) {
        this.peers = peers;
        this.log = log;
    }

    /**
     * What the ruleset has for one endpoint.
     *
     * @param ingress its entry in the ingress map
     * @param egress its entry in the egress map
     * @param chains the chains its verdicts name; other endpoints may have the same
     * @param portSets sets of ports that they name; other endpoints may have the same
     */
    record Part(Verdict ingress, Verdict egress, List<Chain> chains, List<NftSet.Ports> portSets) {}

    /**
     * The part of an endpoint with this policy.
     *
     * @param peers by what a rule knows the members of each address set, by id, of each family that the node serves; a
     *     rule about any other set matches nothing
     * @param log where what is denied is told; empty: nowhere
     */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of chains, not a missing argument
    static Part of(EndpointPolicy policy, Map<String, Map<IpFamily, Peers>> peers, Optional<DenialLog> log) {
        EndpointChains maker = new EndpointChains(peers, log);
        Verdict ingress = maker.direction(INGRESS, FamilyTerms::flowSource, policy.ingress());
        Verdict egress = maker.direction(EGRESS, FamilyTerms::flowDestination, policy.egress());
        return new Part(ingress, egress, List.copyOf(maker.chains), List.copyOf(maker.portSets.values()));
    }

    private Verdict direction(String prefix, Function<FamilyTerms, Field> peer, DirectionPolicy policy) {
        if (!policy.tiers().isEmpty()) {
            return tiers(prefix, peer, policy);
        }
        if (!policy.isolated()) {
            return PASS;
        }
        List<Rule> rules = new ArrayList<>();
        for (PolicyRule rule : policy.rules()) {
            String comment = Identifiers.comment(rule.policy() + ":" + rule.index());
            matches(peer, rule).forEach(both -> rules.add(new Rule(both, false, PASS, comment)));
        }
        return isolating(prefix, rules, policy);
    }

    /** A chain that drops what none of these rules lets pass. */
    private Verdict isolating(String prefix, List<Rule> rules, DirectionPolicy policy) {
        deny(prefix, rules, name -> denied(policy.isolatedBy(), name), List.of());
        return chain(prefix, rules);
    }

    /**
     * A chain for each tier that has a say, made from the last to the first, as each names the next one. Where
     * NetworkPolicies isolate the pod, their chain is the one that pods have which no other tier is about.
     */
    private Verdict tiers(String prefix, Function<FamilyTerms, Field> peer, DirectionPolicy policy) {
        Verdict next = PASS;
        for (TierRule.Tier tier : BACKWARDS) {
            List<TierRule> own =
                    policy.tiers().stream().filter(rule -> rule.tier() == tier).toList();
            if (!own.isEmpty()) {
                next = tier(prefix, peer, policy, own, next);
            }
        }
        return next;
    }

    private Verdict tier(
            String prefix,
            Function<FamilyTerms, Field> peer,
            DirectionPolicy policy,
            List<TierRule> own,
            Verdict next) {
        List<Rule> rules = new ArrayList<>();
        for (TierRule step : own) {
            PolicyRule rule = step.rule();
            if (step.tier() == TierRule.Tier.NETWORK_POLICY && step.action() == TierRule.RuleAction.DENY) {
                return isolating(prefix, rules, policy);
            }
            String comment = comment(step);
            for (List<Match> both : matches(peer, rule)) {
                switch (step.action()) {
                    case ACCEPT -> rules.add(new Rule(both, false, PASS, comment));
                    case DENY -> deny(prefix, rules, most -> shortened(comment, most), both);
                    case PASS -> rules.add(new Rule(both, false, next, comment));
                }
            }
        }
        rules.add(Rule.of(next));
        return chain(prefix, rules);
    }

    /**
     * Drops, and tells where that is wanted. What is accepted never comes here.
     *
     * @param why names the cause, in so many characters
     */
    private void deny(String prefix, List<Rule> rules, IntFunction<String> why, List<Match> matches) {
        log.ifPresent(to -> rules.add(new Rule(
                matches,
                false,
                new Action.Log(to.group(), to.perSecond(), prefix + why.apply(Action.Log.MAX_PREFIX - prefix.length())),
                "")));
        rules.add(Rule.drop(why.apply(Identifiers.MAX_COMMENT), matches.toArray(Match[]::new)));
    }

    private static String shortened(String comment, int most) {
        return comment.substring(0, Math.min(comment.length(), most));
    }

    /** "ns/name:0" as ever; "admin:name:0" of a cluster-wide policy. */
    private static String comment(TierRule step) {
        String place = step.rule().policy() + ":" + step.rule().index();
        return Identifiers.comment(
                switch (step.tier()) {
                    case ADMIN -> "admin:" + place;
                    case NETWORK_POLICY -> place;
                    case BASELINE -> "baseline:" + place;
                });
    }

    private Verdict chain(String prefix, List<Rule> rules) {
        String name = prefix + NftWriter.digest(new Chain.Regular(prefix, rules));
        chains.add(new Chain.Regular(name, rules));
        return new Verdict.Goto(name);
    }

    /** Peers AND ports, each as the matches of one rule: any of them. */
    private List<List<Match>> matches(Function<FamilyTerms, Field> peer, PolicyRule rule) {
        List<List<Match>> all = new ArrayList<>();
        for (List<Match> peers : peers(peer, rule)) {
            for (List<Match> ports : ports(rule)) {
                List<Match> both = new ArrayList<>(peers);
                both.addAll(ports);
                all.add(both);
            }
        }
        return all;
    }

    private List<List<Match>> peers(Function<FamilyTerms, Field> peer, PolicyRule rule) {
        if (rule.anyPeer()) {
            return List.of(List.of());
        }
        List<List<Match>> matches = new ArrayList<>();
        for (String id : rule.addressSets()) {
            peers.getOrDefault(id, Map.of())
                    .forEach((family, members) ->
                            matches.add(List.of(members.match(peer.apply(FamilyTerms.of(family))))));
        }
        return matches;
    }

    private List<List<Match>> ports(PolicyRule rule) {
        if (rule.anyPort()) {
            return List.of(List.of());
        }
        Map<IpProtocol, TreeSet<Value.Span>> byProtocol = new EnumMap<>(IpProtocol.class);
        for (PortRange range : rule.ports()) {
            byProtocol
                    .computeIfAbsent(range.protocol(), _ -> new TreeSet<>())
                    .add(new Value.Span(range.first(), range.last()));
        }
        List<List<Match>> matches = new ArrayList<>();
        byProtocol.forEach((protocol, spans) -> matches.add(ports(protocol, merged(spans))));
        return matches;
    }

    private List<Match> ports(IpProtocol protocol, List<Value.Span> spans) {
        Match isProtocol = Match.is(Field.PROTOCOL, protocol.keyword());
        if (spans.size() > 1) {
            return List.of(isProtocol, Match.in(Field.FLOW_PORT, portSet(spans)));
        }
        return spans.getFirst().equals(ALL_PORTS)
                ? List.of(isProtocol)
                : List.of(isProtocol, Match.is(Field.FLOW_PORT, spans.getFirst()));
    }

    /** Named after its content, so it never changes. */
    private String portSet(List<Value.Span> spans) {
        String content = spans.stream().map(NftWriter::element).collect(Collectors.joining(","));
        String name = "ports-" + ShortHash.of(content);
        portSets.put(name, new NftSet.Ports(name, spans));
        return name;
    }

    /** Overlapping and adjacent spans made one: an interval set holds no overlap. */
    private static List<Value.Span> merged(SortedSet<Value.Span> sorted) {
        List<Value.Span> merged = new ArrayList<>();
        for (Value.Span span : sorted) {
            Value.Span last = merged.isEmpty() ? null : merged.getLast();
            if (last != null && span.first() <= last.last() + 1) {
                merged.set(merged.size() - 1, new Value.Span(last.first(), Math.max(last.last(), span.last())));
            } else {
                merged.add(span);
            }
        }
        return merged;
    }

    /** "denied:ns/a:ns/b", shortened at a name's end to so many characters. */
    private static String denied(List<String> policies, int most) {
        StringBuilder text = new StringBuilder(DENIED);
        for (int i = 0; i < policies.size(); i++) {
            String more = ":and-" + (policies.size() - i) + "-more";
            if (i > 0 && text.length() + 1 + policies.get(i).length() + more.length() > most) {
                text.append(more);
                break;
            }
            text.append(':').append(policies.get(i));
        }
        return shortened(Identifiers.comment(text.toString()), most);
    }
}
