package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Random inputs over few names, so that two of them share much and differ in every way. */
public final class RandomInputs {
    private static final int NAMES = 5;
    private static final List<IpProtocol> PROTOCOLS = List.of(IpProtocol.values());

    private final RandomGenerator random;
    private NodeProgram last = NodeProgram.EMPTY;

    public RandomInputs(RandomGenerator random) {
        this.random = random;
    }

    /** An endpoint of a fixed number: always the same key, interface, MAC and address. */
    public static LocalEndpoint endpoint(int number) {
        return endpoint(number, IpAddress.parse("10.1.0.0").plus(number));
    }

    /** The same with an address of each of these families. */
    public static LocalEndpoint endpoint(int number, Set<IpFamily> families) {
        return endpoint(
                number,
                families.stream().map(family -> firstOf(family).plus(number)).toArray(IpAddress[]::new));
    }

    /** Endpoints' addresses begin after it. */
    private static IpAddress firstOf(IpFamily family) {
        return switch (family) {
            case V4 -> IpAddress.parse("10.1.0.0");
            case V6 -> IpAddress.parse("fd00:1::");
        };
    }

    static LocalEndpoint endpoint(int number, IpAddress... addresses) {
        return new LocalEndpoint(
                new EndpointKey("c" + number, "eth0"),
                new PodName("ns", "pod-" + number),
                "",
                "pw" + number,
                MacAddress.locallyAdministered(number),
                PodAddresses.of(addresses));
    }

    public RulesetInput input() {
        // Mostly both, so that few steps in a row are of other families.
        Set<IpFamily> families = switch (random.nextInt(8)) {
            case 0 -> Set.of(IpFamily.V4);
            case 1 -> Set.of(IpFamily.V6);
            default -> EnumSet.allOf(IpFamily.class);
        };
        List<LocalEndpoint> endpoints = IntStream.rangeClosed(1, NAMES)
                .filter(_ -> random.nextInt(3) > 0)
                .mapToObj(i -> endpoint(i, someOf(families)))
                // An address may pass to another endpoint between two inputs.
                .map(endpoint -> random.nextInt(8) == 0 ? moved(endpoint) : endpoint)
                .filter(distinctAddresses())
                .map(this::withHostPorts)
                .toList();
        Optional<NodeProgram> program = random.nextInt(10) == 0 ? Optional.empty() : Optional.of(program());
        return new RulesetInput("pw0", families, endpoints, program, random.nextInt(10) == 0 ? 8472 : 4789);
    }

    /** Ports of its own number, each of which comes and goes. */
    private LocalEndpoint withHostPorts(LocalEndpoint e) {
        int number = 8000 + Integer.parseInt(e.hostIfname().substring(2));
        List<HostPort> ports = Stream.of(
                        new HostPort(IpProtocol.TCP, number, 80, Optional.empty()),
                        new HostPort(IpProtocol.UDP, number, 79, Optional.of(IpAddress.parse("192.168.9.1"))),
                        new HostPort(IpProtocol.UDP, number, 80, Optional.of(IpAddress.parse("127.0.0.1"))),
                        new HostPort(IpProtocol.SCTP, number, 80, Optional.of(IpAddress.parse("fd00::1"))))
                .filter(_ -> random.nextInt(3) == 0)
                .toList();
        return new LocalEndpoint(e.key(), e.pod(), e.podUid(), e.hostIfname(), e.mac(), e.addresses(), ports);
    }

    /** One of them, or all. */
    private Set<IpFamily> someOf(Set<IpFamily> families) {
        List<IpFamily> list = families.stream().sorted().toList();
        return random.nextInt(3) == 0 ? Set.of(list.get(random.nextInt(list.size()))) : families;
    }

    private static LocalEndpoint moved(LocalEndpoint endpoint) {
        return new LocalEndpoint(
                endpoint.key(),
                endpoint.pod(),
                endpoint.podUid(),
                endpoint.hostIfname(),
                endpoint.mac(),
                new PodAddresses(
                        endpoint.addresses().stream().map(a -> a.plus(1)).toList()));
    }

    private static Predicate<LocalEndpoint> distinctAddresses() {
        Set<IpAddress> seen = new HashSet<>();
        return endpoint -> endpoint.addresses().stream().noneMatch(seen::contains)
                && seen.addAll(endpoint.addresses().list());
    }

    public NodeProgram program() {
        SortedMap<String, AddressSet> sets = new TreeMap<>();
        for (int i = 0; i < NAMES; i++) {
            if (random.nextInt(3) > 0) {
                sets.put("s" + i, new AddressSet("s" + i, "set " + i, members()));
            }
        }
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        // Often the same policies over other sets: a set comes, goes or changes its kind under a rule.
        boolean same = random.nextBoolean();
        if (same) {
            endpoints.putAll(last.endpoints());
        }
        for (int i = 1; i <= NAMES && !same; i++) {
            if (random.nextInt(4) > 0) {
                endpoints.put(endpoint(i).key(), new EndpointPolicy(direction(sets), direction(sets)));
            }
        }
        last = new NodeProgram(1 + random.nextInt(1000), endpoints, sets);
        return last;
    }

    private List<IpPrefix> members() {
        List<IpPrefix> members = new ArrayList<>(members(IpFamily.V4, 0, 8, 24, 25, 30, 31));
        members.addAll(members(IpFamily.V6, 0, 8, 64, 125, 126, 127));
        return members;
    }

    private List<IpPrefix> members(IpFamily family, int... shorter) {
        TreeSet<IpPrefix> members = new TreeSet<>();
        boolean single = random.nextBoolean();
        for (int i = random.nextInt(6); i > 0; i--) {
            int length = single || random.nextInt(4) == 0 ? family.bits() : shorter[random.nextInt(shorter.length)];
            // Few addresses, at the edges too, so that neighbours and changes of length come up.
            IpAddress address = switch (random.nextInt(10)) {
                case 0 -> IpPrefix.all(family).last();
                case 1 -> IpPrefix.all(family).address();
                default -> firstOf(family).plus(random.nextInt(8));
            };
            IpPrefix member = IpPrefix.containing(address, length);
            if (members.stream().noneMatch(member::overlaps)) {
                members.add(member);
            }
        }
        return List.copyOf(members);
    }

    private DirectionPolicy direction(SortedMap<String, AddressSet> sets) {
        if (random.nextInt(3) == 0) {
            return DirectionPolicy.OPEN;
        }
        List<PolicyRule> rules = rules(sets, "ns/policy-", 3);
        return new DirectionPolicy(
                true, rules, List.of("ns/policy-0"), random.nextInt(4) == 0 ? tiers(sets, rules) : List.of());
    }

    private List<PolicyRule> rules(SortedMap<String, AddressSet> sets, String policy, int fewerThan) {
        List<PolicyRule> rules = new ArrayList<>();
        for (int i = random.nextInt(fewerThan); i > 0; i--) {
            boolean anyPeer = sets.isEmpty() || random.nextInt(4) == 0;
            boolean anyPort = random.nextInt(3) == 0;
            rules.add(new PolicyRule(
                    policy + random.nextInt(3),
                    i,
                    anyPeer,
                    anyPeer
                            ? List.of()
                            : sets.keySet().stream()
                                    .filter(_ -> random.nextInt(3) == 0)
                                    .toList(),
                    anyPort,
                    anyPort ? List.of() : ports()));
        }
        return rules;
    }

    private List<TierRule> tiers(SortedMap<String, AddressSet> sets, List<PolicyRule> networkPolicies) {
        List<TierRule> tiers = new ArrayList<>();
        rules(sets, "cluster-", 4).forEach(rule -> tiers.add(clusterRule(TierRule.Tier.ADMIN, rule)));
        if (random.nextBoolean()) {
            networkPolicies.forEach(rule ->
                    tiers.add(new TierRule(TierRule.Tier.NETWORK_POLICY, TierRule.RuleAction.ACCEPT, rule, 0, "")));
            tiers.add(new TierRule(
                    TierRule.Tier.NETWORK_POLICY,
                    TierRule.RuleAction.DENY,
                    new PolicyRule("", 0, true, List.of(), true, List.of()),
                    0,
                    ""));
        } else {
            rules(sets, "cluster-", 4).forEach(rule -> tiers.add(clusterRule(TierRule.Tier.BASELINE, rule)));
        }
        return tiers;
    }

    private TierRule clusterRule(TierRule.Tier tier, PolicyRule rule) {
        TierRule.RuleAction[] actions = TierRule.RuleAction.values();
        return new TierRule(tier, actions[random.nextInt(actions.length)], rule, random.nextInt(1001), "rule");
    }

    private List<PortRange> ports() {
        return IntStream.range(0, random.nextInt(4))
                .mapToObj(_ -> {
                    IpProtocol protocol = PROTOCOLS.get(random.nextInt(3));
                    int first = 78 + random.nextInt(4);
                    return random.nextInt(8) == 0
                            ? new PortRange(protocol, 0, 65535)
                            : new PortRange(protocol, first, first + random.nextInt(3));
                })
                .toList();
    }
}
