package io.podwire.policy.compile;

import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.ClusterRule;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.NamedPort;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.model.PolicyRule;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.Tier;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** One direction of a pod: what the policies that are about it let pass, and the sets that this names. */
final class DirectionRules {
    /** Who a named port of an egress rule without peers can mean: only pods name their ports. */
    private static final Peer EVERY_POD = new Peer.InNamespaces(LabelSelector.EVERYTHING, LabelSelector.EVERYTHING);

    /** Where peers become sets of a program. */
    interface PeerSets {
        /** Id of the set with the peer's addresses, which the program has from now on. */
        String setOf(Peer peer);

        /**
         * For every number that pods of the peer give to a port of that name: id of the set with those of the peer's
         * addresses whose pods do, which the program has from now on.
         */
        SortedMap<Integer, String> setsOf(Peer peer, PolicyPort.Named port);
    }

    private DirectionRules() {}

    /**
     * The direction.
     *
     * @param namedPorts the pod's own
     * @param isolating the NetworkPolicies that isolate it, in their order
     * @param judging the cluster-wide policies that are about the pod, in their order
     */
    static DirectionPolicy of(
            Direction direction,
            List<NamedPort> namedPorts,
            List<NetworkPolicy> isolating,
            List<ClusterPolicy> judging,
            PeerSets sets) {
        List<Rule> rules = isolating.stream()
                .flatMap(policy -> IntStream.range(0, policy.rules(direction).size())
                        .boxed()
                        .flatMap(index -> rules(
                                direction,
                                namedPorts,
                                policy.key().toString(),
                                index,
                                policy.rules(direction).get(index),
                                sets)))
                .toList();
        DirectionPolicy networkPolicies = new DirectionPolicy(
                !isolating.isEmpty(),
                rules,
                isolating.stream().map(policy -> policy.key().toString()).toList());
        return TierRules.of(
                networkPolicies,
                judging.stream()
                        // Where a NetworkPolicy isolates the pod, nothing is left for tier BASELINE to decide.
                        .filter(policy -> policy.tier() == Tier.ADMIN || isolating.isEmpty())
                        .flatMap(policy -> policy.rules(direction).stream()
                                .flatMap(rule -> tierRules(direction, namedPorts, policy, rule, sets)))
                        .toList());
    }

    private static Stream<TierRule> tierRules(
            Direction direction, List<NamedPort> namedPorts, ClusterPolicy policy, ClusterRule rule, PeerSets sets) {
        PolicyRule matched = new PolicyRule(rule.peers(), rule.ports());
        return rules(direction, namedPorts, policy.name(), rule.index(), matched, sets)
                .map(one -> new TierRule(policy.tier(), rule.action(), one, policy.priority(), rule.name()));
    }

    private static Stream<Rule> rules(
            Direction direction, List<NamedPort> namedPorts, String name, int index, PolicyRule rule, PeerSets sets) {
        boolean anyPeer = rule.peers().isEmpty();
        List<PortRange> ports = numberedPorts(direction, namedPorts, rule);
        List<Rule> out = new ArrayList<>();
        if (rule.ports().isEmpty() || !ports.isEmpty()) {
            List<String> peers =
                    rule.peers().stream().map(sets::setOf).distinct().sorted().toList();
            out.add(new Rule(name, index, anyPeer, peers, rule.ports().isEmpty(), ports));
        }
        if (direction == Direction.EGRESS) {
            rule.ports().stream()
                    .filter(PolicyPort.Named.class::isInstance)
                    .map(PolicyPort.Named.class::cast)
                    .distinct()
                    .flatMap(port -> byResolvedPort(name, index, rule, port, sets))
                    .forEach(out::add);
        }
        return out.stream();
    }

    /** Ports that are numbers for every peer: to this pod, its own named ports are. */
    private static List<PortRange> numberedPorts(Direction direction, List<NamedPort> namedPorts, PolicyRule rule) {
        return rule.ports().stream()
                .flatMap(port -> switch (port) {
                    case PolicyPort.Range(Protocol protocol, int first, int last) ->
                        Stream.of(new PortRange(protocol, first, last));
                    case PolicyPort.Named named ->
                        switch (direction) {
                            case INGRESS ->
                                resolve(named, namedPorts)
                                        .mapToObj(number -> new PortRange(named.protocol(), number, number));
                            case EGRESS -> Stream.empty();
                        };
                })
                .distinct()
                .toList();
    }

    /** A named port in egress: one rule for each number, to the peers that give it that number. */
    private static Stream<Rule> byResolvedPort(
            String policy, int index, PolicyRule rule, PolicyPort.Named port, PeerSets sets) {
        SortedMap<Integer, List<String>> setsByNumber = new TreeMap<>();
        for (Peer peer : rule.peers().isEmpty() ? List.of(EVERY_POD) : rule.peers()) {
            sets.setsOf(peer, port)
                    .forEach((number, id) -> setsByNumber
                            .computeIfAbsent(number, _ -> new ArrayList<>())
                            .add(id));
        }
        return setsByNumber.entrySet().stream()
                .map(e -> new Rule(
                        policy,
                        index,
                        false,
                        e.getValue().stream().distinct().sorted().toList(),
                        false,
                        List.of(new PortRange(port.protocol(), e.getKey(), e.getKey()))));
    }

    /** The numbers that a pod with these ports gives to a port of that name. */
    static IntStream resolve(PolicyPort.Named port, List<NamedPort> namedPorts) {
        return namedPorts.stream()
                .filter(named -> named.name().equals(port.name()) && named.protocol() == port.protocol())
                .mapToInt(NamedPort::port)
                .sorted()
                .distinct();
    }

    /** What the set of those addresses of a peer is named after whose pods give a port that number. */
    static String definition(Peer peer, PolicyPort.Named port, int number) {
        return peer + " with port " + port.name() + "=" + port.protocol() + " " + number;
    }
}
