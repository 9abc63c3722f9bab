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
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Owned by one thread. Plans as {@link RulesetPlan#plan} does, and shares with its previous plan whatever did not
 * change, so that one more endpoint costs microseconds here and in the diff.
 */
public final class RulesetPlanner {
    /** Policy and host ports, in the hooks of routed packets, and anti-spoofing of pods that are not on the bridge. */
    public static final TableId POLICY_TABLE = new TableId(TableFamily.INET, "podwire");

    /** Anti-spoofing, in the hooks of bridges. */
    public static final TableId SPOOF_TABLE = new TableId(TableFamily.BRIDGE, "podwire");

    private final Optional<DenialLog> log;
    private Fixed fixed = new Fixed(
            "", Set.of(), 0, false, false, EstablishedFlows.JUDGE, Masquerade.NONE, false, List.of(), List.of());
    private Map<String, AddressSet> addressSets = Map.of();
    private Map<String, Map<IpFamily, NftSet.Prefixes>> nftSets = Map.of();
    /** By what rules know the members of each set. */
    private Map<String, Map<IpFamily, Peers>> peers = Map.of();

    private Map<EndpointPolicy, EndpointChains.Part> known = Map.of();

    /**
     * The chains that depend on the node alone.
     *
     * @param hostPorts whether any endpoint has one: without them no packet pays for their hooks
     */
    private record Fixed(
            String bridge,
            Set<IpFamily> families,
            int vxlanPort,
            boolean unbridged,
            boolean hostPorts,
            EstablishedFlows established,
            Masquerade masquerade,
            boolean services,
            List<Chain> inetChains,
            List<Chain> bridgeChains) {}

    /** Plans rules that tell nobody what they deny. */
    public RulesetPlanner() {
        this(Optional.empty());
    }

    /**
     * A planner.
     *
     * @param log where what policies deny is told; empty: nowhere
     */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of rules, not a missing argument
    public RulesetPlanner(Optional<DenialLog> log) {
        this.log = log;
    }

    /** The ruleset for this input. */
    public Ruleset plan(RulesetInput input) {
        rememberFixed(input);
        // Sets of a program are made before any endpoint uses them: an ADD then adds none.
        rememberSets(input.program().map(NodeProgram::addressSets).orElseGet(TreeMap::new));

        SortedMap<String, NftSet> sets = new TreeMap<>();
        SortedMap<String, Chain> chains = new TreeMap<>();
        Map<EndpointPolicy, EndpointChains.Part> next = new HashMap<>();
        Map<IpFamily, Members> members = new EnumMap<>(IpFamily.class);
        input.families().forEach(family -> members.put(family, Members.empty()));

        nftSets.values().forEach(ofSet -> ofSet.values().forEach(set -> sets.put(set.name(), set)));
        fixed.inetChains().forEach(chain -> chains.put(chain.name(), chain));
        // So are the chains of pods that may come: their ADD adds members, which are quick (ADR 0010).
        input.program()
                .ifPresent(program -> program.expected().values().forEach(pod -> {
                    EndpointChains.Part part = part(pod.policy(), next);
                    part.chains().forEach(chain -> chains.put(chain.name(), chain));
                    part.portSets().forEach(set -> sets.put(set.name(), set));
                }));
        List<LocalEndpoint> covered = new ArrayList<>();
        for (LocalEndpoint endpoint : input.endpoints()) {
            Optional<EndpointChains.Part> part =
                    policyOf(endpoint, input.program()).map(policy -> part(policy, next));
            part.ifPresent(p -> {
                covered.add(endpoint);
                p.chains().forEach(chain -> chains.put(chain.name(), chain));
                p.portSets().forEach(set -> sets.put(set.name(), set));
            });
            for (IpAddress address : endpoint.addresses().list()) {
                Members of = members.get(address.family());
                NftSet.Source source = new NftSet.Source(endpoint.hostIfname(), endpoint.mac(), address);
                switch (endpoint.hostSide()) {
                    case BRIDGE_PORT -> of.sources().add(source);
                    case OWN_LINK, SHARED_DEVICE -> of.unbridged().add(source);
                    case NONE -> {}
                }
                part.ifPresent(p -> {
                    of.ingress().put(address, p.ingress());
                    of.egress().put(address, p.egress());
                });
            }
        }
        known = next;
        if (fixed.hostPorts()) {
            HostPortChains.sets(covered, input.families()).forEach(set -> sets.put(set.name(), set));
        }
        if (fixed.hostPorts() || fixed.services()) {
            SelfCalls.sets(covered, input.families(), input.services()).forEach(set -> sets.put(set.name(), set));
        }
        MasqueradeChain.sets(input.masquerade(), input.families()).forEach(set -> sets.put(set.name(), set));

        SortedMap<String, Chain> bridgeChains = new TreeMap<>();
        fixed.bridgeChains().forEach(chain -> bridgeChains.put(chain.name(), chain));
        SortedMap<String, NftSet> bridgeSets = new TreeMap<>();
        members.forEach((family, of) -> {
            FamilyTerms terms = FamilyTerms.of(family);
            of.sources().sort(null);
            sets.put(terms.ingressMap(), new NftSet.VerdictMap(terms.ingressMap(), family, of.ingress()));
            sets.put(terms.egressMap(), new NftSet.VerdictMap(terms.egressMap(), family, of.egress()));
            bridgeSets.put(terms.sources(), new NftSet.Sources(terms.sources(), family, of.sources()));
            if (input.unbridged()) {
                of.unbridged().sort(null);
                sets.put(terms.sources(), new NftSet.Sources(terms.sources(), family, of.unbridged()));
            }
        });
        return Ruleset.of(new Table(POLICY_TABLE, sets, chains), new Table(SPOOF_TABLE, bridgeSets, bridgeChains));
    }

    /** What the endpoints put in the maps and the sets of one family. */
    private record Members(
            SortedMap<IpAddress, Verdict> ingress,
            SortedMap<IpAddress, Verdict> egress,
            List<NftSet.Source> sources,
            List<NftSet.Source> unbridged) {
        static Members empty() {
            return new Members(new TreeMap<>(), new TreeMap<>(), new ArrayList<>(), new ArrayList<>());
        }
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
            return before != null ? before : EndpointChains.of(policy, peers, log);
        });
    }

    private void rememberFixed(RulesetInput input) {
        boolean hostPorts = input.endpoints().stream()
                .anyMatch(endpoint -> !endpoint.hostPorts().isEmpty());
        boolean same = input.bridge().equals(fixed.bridge())
                && input.families().equals(fixed.families())
                && input.vxlanPort() == fixed.vxlanPort()
                && input.unbridged() == fixed.unbridged()
                && hostPorts == fixed.hostPorts()
                && input.established() == fixed.established()
                && input.masquerade().equals(fixed.masquerade())
                && input.services() == fixed.services();
        if (same) {
            return;
        }
        if (!input.families().equals(fixed.families())) { // every set has other names and members
            addressSets = Map.of();
            nftSets = Map.of();
            peers = Map.of();
            known = Map.of();
        }
        fixed = new Fixed(
                input.bridge(),
                input.families(),
                input.vxlanPort(),
                input.unbridged(),
                hostPorts,
                input.established(),
                input.masquerade(),
                input.services(),
                inetChains(input, hostPorts),
                BaseChains.bridge(input.vxlanPort(), input.families()));
    }

    private static List<Chain> inetChains(RulesetInput input, boolean hostPorts) {
        List<Chain> chains = new ArrayList<>(BaseChains.inet(
                input.bridge(),
                input.vxlanPort(),
                input.families(),
                input.unbridged(),
                hostPorts || input.services()
                        ? SelfCalls.rules(BaseChains.podSides(input.bridge(), input.unbridged()), input.families())
                        : List.of(),
                input.established()));
        if (hostPorts) {
            chains.addAll(
                    HostPortChains.chains(BaseChains.podSides(input.bridge(), input.unbridged()), input.families()));
        }
        MasqueradeChain.chain(input.masquerade(), input.families()).ifPresent(chains::add);
        return chains;
    }

    private void rememberSets(Map<String, AddressSet> current) {
        if (current.equals(addressSets)) { // set by set at once, when they are the same objects
            return;
        }
        Map<String, Map<IpFamily, NftSet.Prefixes>> nextSets = new HashMap<>();
        Map<String, Map<IpFamily, Peers>> nextPeers = new HashMap<>();
        current.forEach((id, set) -> {
            Map<IpFamily, NftSet.Prefixes> nft = set.equals(addressSets.get(id)) ? nftSets.get(id) : prefixes(set);
            Map<IpFamily, Peers> ofSet = new EnumMap<>(IpFamily.class);
            nft.forEach((family, one) -> ofSet.put(family, new Peers.InSet(one.name())));
            Peers.block(set)
                    .filter(block -> fixed.families().contains(block.family()))
                    .ifPresent(block -> ofSet.put(block.family(), new Peers.InBlock(block)));
            nextSets.put(id, nft);
            nextPeers.put(id, ofSet);
        });
        if (!nextPeers.equals(peers)) {
            known = Map.of(); // any rule may name a set that came, went or changed its kind
        }
        addressSets = current;
        nftSets = nextSets;
        peers = nextPeers;
    }

    /** None for one that is a block: it is in the rules. */
    private Map<IpFamily, NftSet.Prefixes> prefixes(AddressSet set) {
        Map<IpFamily, NftSet.Prefixes> all = new EnumMap<>(IpFamily.class);
        if (Peers.block(set).isPresent()) {
            return all;
        }
        fixed.families().forEach(family -> all.put(family, prefixes(set, family)));
        return all;
    }

    /**
     * The kind is part of the name: a set of pods ("sel-") is a hash table, one with prefixes ("net-") a tree, and a
     * set that changes its kind is another set, with other rules naming it.
     */
    private static NftSet.Prefixes prefixes(AddressSet set, IpFamily family) {
        List<IpPrefix> members = of(set.members(), family);
        boolean interval = members.stream().anyMatch(member -> member.length() < family.bits());
        return new NftSet.Prefixes(
                (interval ? "net-" : "sel-") + set.id() + FamilyTerms.of(family).suffix(),
                family,
                Identifiers.comment(set.description()),
                interval,
                members);
    }

    /** Those of one family; the list itself where it has no others. They are sorted by family. */
    private static List<IpPrefix> of(List<IpPrefix> members, IpFamily family) {
        boolean all = members.isEmpty()
                || (members.getFirst().family() == family && members.getLast().family() == family);
        return all
                ? members
                : members.stream().filter(member -> member.family() == family).toList();
    }
}
