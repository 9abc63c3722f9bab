package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Identifiers;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableFamily;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.model.Verdict;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Owned by one thread. Plans as {@link RulesetPlan#plan} does, and shares with its previous plan whatever did not
 * change, so that one more endpoint costs microseconds here and in the diff.
 */
public final class RulesetPlanner {
    /** Policy, in the hooks of routed packets. */
    public static final TableId POLICY_TABLE = new TableId(TableFamily.INET, "podwire");

    /** Anti-spoofing, in the hooks of bridges. */
    public static final TableId SPOOF_TABLE = new TableId(TableFamily.BRIDGE, "podwire");

    private Map<String, AddressSet> addressSets = Map.of();
    private Map<String, NftSet.Prefixes> nftSets = Map.of();
    private Map<String, String> setNames = Map.of();
    private Map<EndpointPolicy, EndpointChains.Part> known = Map.of();
    private Fixed fixed = new Fixed("", 0, List.of(), List.of());

    /** The chains that depend on the node alone. */
    private record Fixed(String bridge, int vxlanPort, List<Chain> inetChains, List<Chain> bridgeChains) {}

    /** The ruleset for this input. */
    public Ruleset plan(RulesetInput input) {
        rememberFixed(input);
        // Sets of a program are made before any endpoint uses them: an ADD then adds none.
        rememberSets(input.program().map(NodeProgram::addressSets).orElseGet(TreeMap::new));

        SortedMap<String, NftSet> sets = new TreeMap<>();
        SortedMap<String, Chain> chains = new TreeMap<>();
        SortedMap<IpAddress, Verdict> ingress = new TreeMap<>();
        SortedMap<IpAddress, Verdict> egress = new TreeMap<>();
        List<NftSet.Source> sources = new ArrayList<>(input.endpoints().size());
        Map<EndpointPolicy, EndpointChains.Part> next = new HashMap<>();

        nftSets.values().forEach(set -> sets.put(set.name(), set));
        fixed.inetChains().forEach(chain -> chains.put(chain.name(), chain));
        for (LocalEndpoint endpoint : input.endpoints()) {
            sources.add(new NftSet.Source(endpoint.hostIfname(), endpoint.mac(), endpoint.address()));
            policyOf(endpoint, input.program()).ifPresent(policy -> {
                EndpointChains.Part part = part(policy, next);
                ingress.put(endpoint.address(), part.ingress());
                egress.put(endpoint.address(), part.egress());
                part.chains().forEach(chain -> chains.put(chain.name(), chain));
                part.portSets().forEach(set -> sets.put(set.name(), set));
            });
        }
        known = next;
        sources.sort(null);
        sets.put(BaseChains.INGRESS_MAP, new NftSet.VerdictMap(BaseChains.INGRESS_MAP, ingress));
        sets.put(BaseChains.EGRESS_MAP, new NftSet.VerdictMap(BaseChains.EGRESS_MAP, egress));

        SortedMap<String, Chain> bridgeChains = new TreeMap<>();
        fixed.bridgeChains().forEach(chain -> bridgeChains.put(chain.name(), chain));
        SortedMap<String, NftSet> bridgeSets = new TreeMap<>();
        bridgeSets.put(BaseChains.SOURCES, new NftSet.Sources(BaseChains.SOURCES, sources));
        return Ruleset.of(new Table(POLICY_TABLE, sets, chains), new Table(SPOOF_TABLE, bridgeSets, bridgeChains));
    }

    /** Empty: not covered, so it gets no entry and nothing passes. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as in RulesetInput
    private static Optional<EndpointPolicy> policyOf(LocalEndpoint endpoint, Optional<NodeProgram> program) {
        return program.isEmpty()
                ? Optional.of(EndpointPolicy.OPEN)
                : Optional.ofNullable(program.get().endpoints().get(endpoint.key()));
    }

    private EndpointChains.Part part(EndpointPolicy policy, Map<EndpointPolicy, EndpointChains.Part> next) {
        return next.computeIfAbsent(policy, _ -> {
            EndpointChains.Part before = known.get(policy);
            return before != null ? before : EndpointChains.of(policy, setNames);
        });
    }

    private void rememberFixed(RulesetInput input) {
        if (!input.bridge().equals(fixed.bridge()) || input.vxlanPort() != fixed.vxlanPort()) {
            fixed = new Fixed(
                    input.bridge(),
                    input.vxlanPort(),
                    BaseChains.inet(input.bridge()),
                    BaseChains.bridge(input.vxlanPort()));
        }
    }

    private void rememberSets(Map<String, AddressSet> current) {
        if (current.equals(addressSets)) { // set by set at once, when they are the same objects
            return;
        }
        Map<String, NftSet.Prefixes> nextSets = new HashMap<>();
        Map<String, String> nextNames = new HashMap<>();
        current.forEach((id, set) -> {
            NftSet.Prefixes nft = set.equals(addressSets.get(id)) ? nftSets.get(id) : prefixes(set);
            nextSets.put(id, nft);
            nextNames.put(id, nft.name());
        });
        if (!nextNames.equals(setNames)) {
            known = Map.of(); // any rule may name a set that came, went or changed its kind
        }
        addressSets = current;
        nftSets = nextSets;
        setNames = nextNames;
    }

    /**
     * The kind is part of the name: a set of pods ("sel-") is a hash table, one with prefixes ("net-") a tree, and a
     * set that changes its kind is another set, with other rules naming it.
     */
    private static NftSet.Prefixes prefixes(AddressSet set) {
        List<IpPrefix> members = v4(set.members());
        boolean interval = members.stream().anyMatch(member -> member.length() < IpFamily.V4.bits());
        return new NftSet.Prefixes(
                (interval ? "net-" : "sel-") + set.id() + "-4",
                Identifiers.comment(set.description()),
                interval,
                members);
    }

    /** IPv4 sorts first, so the list itself is shared where no IPv6 follows. */
    private static List<IpPrefix> v4(List<IpPrefix> members) {
        return members.isEmpty() || members.getLast().family() == IpFamily.V4
                ? members
                : members.stream()
                        .filter(member -> member.family() == IpFamily.V4)
                        .toList();
    }
}
