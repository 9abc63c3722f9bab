package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.PodAddresses;
import java.util.ArrayList;
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

    static LocalEndpoint endpoint(int number, IpAddress address) {
        return new LocalEndpoint(
                new EndpointKey("c" + number, "eth0"),
                new PodName("ns", "pod-" + number),
                "",
                "pw" + number,
                MacAddress.locallyAdministered(number),
                PodAddresses.of(address));
    }

    public RulesetInput input() {
        List<LocalEndpoint> endpoints = IntStream.rangeClosed(1, NAMES)
                .filter(_ -> random.nextInt(3) > 0)
                // An address may pass to another endpoint between two inputs.
                .mapToObj(i -> random.nextInt(8) == 0
                        ? endpoint(i, IpAddress.parse("10.1.1.0").plus(i == 1 ? 2 : i))
                        : endpoint(i))
                .filter(distinctAddress())
                .map(this::withHostPorts)
                .toList();
        Optional<NodeProgram> program = random.nextInt(10) == 0 ? Optional.empty() : Optional.of(program());
        return new RulesetInput("pw0", Set.of(IpFamily.V4), endpoints, program, random.nextInt(10) == 0 ? 8472 : 4789);
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

    private static Predicate<LocalEndpoint> distinctAddress() {
        Set<IpAddress> seen = new HashSet<>();
        return endpoint -> seen.add(endpoint.addresses().first());
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
        TreeSet<IpPrefix> members = new TreeSet<>();
        int[] lengths = random.nextBoolean() ? new int[] {32} : new int[] {0, 8, 24, 25, 30, 31, 32};
        for (int i = random.nextInt(6); i > 0; i--) {
            int length = lengths[random.nextInt(lengths.length)];
            // Few addresses, at the edges too, so that neighbours and changes of length come up.
            int bits = switch (random.nextInt(10)) {
                case 0 -> -1;
                case 1 -> 0;
                default -> 0x0A010000 + random.nextInt(8);
            };
            IpPrefix member = IpPrefix.containing(IpAddress.ofV4(bits), length);
            if (members.stream().noneMatch(member::overlaps)) {
                members.add(member);
            }
        }
        if (random.nextInt(6) == 0) {
            members.add(IpPrefix.parse("fd00::/64"));
        }
        return List.copyOf(members);
    }

    private DirectionPolicy direction(SortedMap<String, AddressSet> sets) {
        if (random.nextInt(3) == 0) {
            return DirectionPolicy.OPEN;
        }
        List<PolicyRule> rules = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            boolean anyPeer = sets.isEmpty() || random.nextInt(4) == 0;
            boolean anyPort = random.nextInt(3) == 0;
            rules.add(new PolicyRule(
                    "ns/policy-" + random.nextInt(3),
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
        return new DirectionPolicy(true, rules, List.of("ns/policy-0"));
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
