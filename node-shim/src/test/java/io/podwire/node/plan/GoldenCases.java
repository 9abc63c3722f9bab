package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.PodAddresses;
import io.podwire.node.plan.WiringMode.HostSide;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The inputs of golden/nft, by the name of their folder. */
final class GoldenCases {
    private static final EndpointKey ONE = RandomInputs.endpoint(1).key();
    private static final EndpointKey TWO = RandomInputs.endpoint(2).key();
    private static final EndpointKey THREE = RandomInputs.endpoint(3).key();

    private static final Set<IpFamily> BOTH = Set.of(IpFamily.V4, IpFamily.V6);

    private GoldenCases() {}

    static SortedMap<String, RulesetInput> all() {
        SortedMap<String, RulesetInput> cases = new TreeMap<>();
        cases.put("no-policy-service", input(2, Optional.empty()));
        cases.put("not-covered", input(2, program(new TreeMap<>(Map.of(ONE, EndpointPolicy.OPEN)))));
        cases.put("deny-all", denyAll());
        cases.put("web-from-client", webFromClient());
        cases.put("mixed-sets-and-ports", mixed());
        cases.put("host-ports", hostPorts());
        cases.put("dual-no-policy-service", input(BOTH, 2, Optional.empty()));
        cases.put("dual-web-from-client", dualWebFromClient(BOTH));
        cases.put("ipv6-web-from-client", dualWebFromClient(Set.of(IpFamily.V6)));
        cases.put("tiers", tiers());
        cases.put("unbridged", unbridged());
        cases.put("masquerade", masquerade());
        return cases;
    }

    /** Cluster-wide policies over a pod that a NetworkPolicy isolates, over one that none does, and none over a third. */
    private static RulesetInput tiers() {
        PolicyRule web = new PolicyRule(
                "shop/web", 0, false, List.of("clients"), false, List.of(new PortRange(IpProtocol.TCP, 80, 80)));
        PolicyRule all = new PolicyRule("", 0, true, List.of(), true, List.of());
        TierRule monitoring =
                admin(TierRule.RuleAction.ACCEPT, 0, List.of("monitoring"), new PortRange(IpProtocol.TCP, 9100, 9100));
        TierRule pass = admin(TierRule.RuleAction.PASS, 1, List.of("clients"), new PortRange(IpProtocol.TCP, 0, 65535));
        TierRule deny = admin(TierRule.RuleAction.DENY, 2, List.of("clients", "monitoring"));
        TierRule baseline = new TierRule(
                TierRule.Tier.BASELINE,
                TierRule.RuleAction.DENY,
                new PolicyRule("closed", 0, true, List.of(), true, List.of()),
                1000,
                "");
        DirectionPolicy isolated = new DirectionPolicy(
                true,
                List.of(monitoring.rule()),
                List.of("shop/web"),
                List.of(
                        monitoring,
                        pass,
                        deny,
                        new TierRule(TierRule.Tier.NETWORK_POLICY, TierRule.RuleAction.ACCEPT, web, 0, ""),
                        new TierRule(TierRule.Tier.NETWORK_POLICY, TierRule.RuleAction.DENY, all, 0, "")));
        DirectionPolicy open = new DirectionPolicy(
                true, List.of(monitoring.rule()), List.of(), List.of(monitoring, pass, deny, baseline));
        DirectionPolicy without = new DirectionPolicy(true, List.of(web), List.of("shop/web"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(ONE, new EndpointPolicy(isolated, DirectionPolicy.OPEN));
        endpoints.put(TWO, new EndpointPolicy(open, DirectionPolicy.OPEN));
        endpoints.put(THREE, new EndpointPolicy(without, DirectionPolicy.OPEN));
        return input(
                BOTH,
                3,
                program(
                        endpoints,
                        set("clients", "clients", "10.2.0.1/32", "fd00::1/128"),
                        set("monitoring", "monitoring", "10.3.0.0/16")));
    }

    private static TierRule admin(TierRule.RuleAction action, int index, List<String> sets, PortRange... ports) {
        return new TierRule(
                TierRule.Tier.ADMIN,
                action,
                new PolicyRule("watch", index, false, sets, ports.length == 0, List.of(ports)),
                10,
                "rule-" + index);
    }

    /** A pod on the bridge, a denied one with a link of its own, two on a device, and one that the node does not see. */
    private static RulesetInput unbridged() {
        DirectionPolicy closed = new DirectionPolicy(true, List.of(), List.of("shop/deny-all"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        IntStream.rangeClosed(1, 5)
                .forEach(number -> endpoints.put(RandomInputs.endpoint(number).key(), EndpointPolicy.OPEN));
        endpoints.put(TWO, new EndpointPolicy(closed, DirectionPolicy.OPEN));
        return new RulesetInput(
                "pw0",
                BOTH,
                List.of(
                        RandomInputs.endpoint(1, BOTH),
                        seen(2, "pw1abcdefghijkl", HostSide.OWN_LINK),
                        seen(3, "pwmvabcdefghijk", HostSide.SHARED_DEVICE),
                        seen(4, "pwmvabcdefghijk", HostSide.SHARED_DEVICE),
                        seen(5, "pwabcdefghijklm", HostSide.NONE)),
                program(endpoints),
                8472,
                true,
                EstablishedFlows.JUDGE,
                Masquerade.NONE);
    }

    /** A pool of each family whose pods leave by the node's address, one within the other, and a network that knows pods. */
    private static RulesetInput masquerade() {
        return new RulesetInput(
                "pw0",
                BOTH,
                List.of(RandomInputs.endpoint(1, BOTH)),
                Optional.empty(),
                8472,
                false,
                EstablishedFlows.JUDGE,
                new Masquerade(
                        List.of(
                                IpPrefix.parse("fd00:1::/64"),
                                IpPrefix.parse("10.1.0.0/16"),
                                IpPrefix.parse("10.1.7.0/24")),
                        List.of(IpPrefix.parse("192.0.2.0/24"), IpPrefix.parse("192.0.2.7/32"))));
    }

    private static LocalEndpoint seen(int number, String hostIfname, HostSide hostSide) {
        LocalEndpoint e = RandomInputs.endpoint(number, BOTH);
        return new LocalEndpoint(e.key(), e.pod(), e.podUid(), hostIfname, hostSide, e.mac(), e.addresses(), List.of());
    }

    /** Two pods of both families, a denied third one with IPv4 alone, and one that no program covers. */
    private static RulesetInput hostPorts() {
        DirectionPolicy closed = new DirectionPolicy(true, List.of(), List.of("shop/deny-all"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(ONE, EndpointPolicy.OPEN);
        endpoints.put(TWO, EndpointPolicy.OPEN);
        endpoints.put(THREE, new EndpointPolicy(closed, closed));
        return new RulesetInput(
                "pw0",
                EnumSet.allOf(IpFamily.class),
                List.of(
                        hostPorts(
                                1,
                                List.of("10.1.0.1", "fd00::1"),
                                new HostPort(IpProtocol.TCP, 8080, 80, Optional.empty()),
                                new HostPort(IpProtocol.UDP, 53, 5353, Optional.of(IpAddress.parse("0.0.0.0")))),
                        hostPorts(
                                2,
                                List.of("10.1.0.2", "fd00::2"),
                                new HostPort(IpProtocol.TCP, 9090, 90, Optional.of(IpAddress.parse("192.168.9.1"))),
                                new HostPort(IpProtocol.TCP, 9090, 91, Optional.of(IpAddress.parse("127.0.0.1"))),
                                new HostPort(IpProtocol.TCP, 9090, 92, Optional.of(IpAddress.parse("fd09::1"))),
                                new HostPort(IpProtocol.SCTP, 36412, 36412, Optional.of(IpAddress.parse("::")))),
                        hostPorts(
                                3,
                                List.of("10.1.0.3"),
                                new HostPort(IpProtocol.TCP, 7070, 70, Optional.empty()),
                                new HostPort(IpProtocol.TCP, 7071, 71, Optional.of(IpAddress.parse("::1")))),
                        hostPorts(4, List.of("10.1.0.4"), new HostPort(IpProtocol.TCP, 6060, 60, Optional.empty()))),
                program(endpoints),
                8472);
    }

    private static LocalEndpoint hostPorts(int number, List<String> addresses, HostPort... ports) {
        LocalEndpoint e = RandomInputs.endpoint(number);
        return new LocalEndpoint(
                e.key(), e.pod(), e.podUid(), e.hostIfname(), e.mac(), PodAddresses.parse(addresses), List.of(ports));
    }

    /** Pods with two addresses, a set that is a hash table in one family and a tree in the other, a block of each. */
    private static RulesetInput dualWebFromClient(Set<IpFamily> families) {
        DirectionPolicy web = new DirectionPolicy(
                true,
                List.of(new PolicyRule(
                        "shop/web",
                        0,
                        false,
                        List.of("clients"),
                        false,
                        List.of(new PortRange(IpProtocol.TCP, 80, 80)))),
                List.of("shop/web"));
        DirectionPolicy client = new DirectionPolicy(
                true,
                List.of(
                        new PolicyRule("shop/client", 0, false, List.of("web"), true, List.of()),
                        new PolicyRule(
                                "shop/client",
                                1,
                                true,
                                List.of(),
                                false,
                                List.of(new PortRange(IpProtocol.UDP, 53, 53)))),
                List.of("shop/client"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(ONE, new EndpointPolicy(DirectionPolicy.OPEN, client));
        endpoints.put(TWO, new EndpointPolicy(web, DirectionPolicy.OPEN));
        return input(
                families,
                3,
                program(
                        endpoints,
                        set(
                                "clients",
                                "app=client in {shop} and a block",
                                "10.1.0.1/32",
                                "192.0.2.0/25",
                                "fd00:1::1/128",
                                "fd00:7::7/128"),
                        set("web", "app=web", "10.1.0.2/32", "fd00:1::2/128", "2001:db8::/32")));
    }

    private static RulesetInput denyAll() {
        DirectionPolicy closed = new DirectionPolicy(true, List.of(), List.of("shop/deny-all", "shop/more"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(ONE, new EndpointPolicy(closed, closed));
        endpoints.put(TWO, EndpointPolicy.OPEN);
        return input(2, program(endpoints));
    }

    private static RulesetInput webFromClient() {
        List<PortRange> http = List.of(new PortRange(IpProtocol.TCP, 80, 80));
        DirectionPolicy web = new DirectionPolicy(
                true,
                List.of(new PolicyRule("shop/web", 0, false, List.of("clients"), false, http)),
                List.of("shop/web"));
        DirectionPolicy client = new DirectionPolicy(
                true,
                List.of(new PolicyRule("shop/client", 0, false, List.of("web"), false, http)),
                List.of("shop/client"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(ONE, new EndpointPolicy(DirectionPolicy.OPEN, client));
        endpoints.put(TWO, new EndpointPolicy(web, DirectionPolicy.OPEN));
        endpoints.put(THREE, new EndpointPolicy(DirectionPolicy.OPEN, client));
        return input(
                3,
                program(
                        endpoints,
                        set("clients", "app=client in {shop}", "10.1.0.1/32", "10.1.7.7/32"),
                        set("web", "app=web", "10.1.0.2/32")));
    }

    private static RulesetInput mixed() {
        DirectionPolicy egress = new DirectionPolicy(
                true,
                List.of(
                        new PolicyRule("shop/egress", 0, false, List.of("block", "missing"), true, List.of()),
                        new PolicyRule(
                                "shop/egress",
                                1,
                                true,
                                List.of(),
                                false,
                                List.of(
                                        new PortRange(IpProtocol.UDP, 53, 53),
                                        new PortRange(IpProtocol.TCP, 53, 53),
                                        new PortRange(IpProtocol.TCP, 8085, 8090),
                                        new PortRange(IpProtocol.TCP, 8080, 8086),
                                        new PortRange(IpProtocol.SCTP, 0, 65535))),
                        // Neither peers nor ports: nothing.
                        new PolicyRule("shop/egress", 2, true, List.of(), false, List.of()),
                        new PolicyRule("shop/egress", 3, false, List.of(), true, List.of())),
                List.of("shop/egress"));
        SortedMap<EndpointKey, EndpointPolicy> endpoints = new TreeMap<>();
        endpoints.put(ONE, new EndpointPolicy(DirectionPolicy.OPEN, egress));
        return input(
                1, program(endpoints, set("block", "10.2.0.0/16 except the upper half", "10.2.0.0/17", "fd00::/8")));
    }

    private static RulesetInput input(int endpoints, Optional<NodeProgram> program) {
        return input(Set.of(IpFamily.V4), endpoints, program);
    }

    private static RulesetInput input(Set<IpFamily> families, int endpoints, Optional<NodeProgram> program) {
        return new RulesetInput(
                "pw0",
                families,
                IntStream.rangeClosed(1, endpoints)
                        .mapToObj(number -> RandomInputs.endpoint(number, families))
                        .toList(),
                program,
                8472);
    }

    private static Optional<NodeProgram> program(SortedMap<EndpointKey, EndpointPolicy> endpoints, AddressSet... sets) {
        SortedMap<String, AddressSet> byId = new TreeMap<>();
        for (AddressSet set : sets) {
            byId.put(set.id(), set);
        }
        return Optional.of(new NodeProgram(1, endpoints, byId));
    }

    private static AddressSet set(String id, String description, String... members) {
        return new AddressSet(
                id,
                description,
                Stream.of(members).map(IpPrefix::parse).sorted().toList());
    }
}
