package io.podwire.node.plan;

import static io.podwire.node.nft.model.Match.is;

import io.podwire.common.net.IpFamily;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Hook;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Value;
import io.podwire.node.nft.model.Verdict;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * The chains that do not depend on who is attached: from the kernel's hooks to the maps.
 *
 * <p>Policy judges flows, not packets. Every packet to or from a pod, of either direction, is looked up by what conntrack
 * knows of its flow (who opened it, who was called, on which port), so both directions get the verdict
 * of the rules as they are now. Nothing passes for being "established": a changed policy cuts
 * what is open at once, replies too, and no conntrack entry has to be deleted for it. Only ICMP errors
 * about a flow pass by themselves: their own protocol is ICMP, so rules with ports could not judge them.
 *
 * <p>Where open flows are to finish, one that both ends have agreed to passes before that, of either direction, and
 * policy is for those that begin.
 */
final class BaseChains {
    /** All host ends of veths are named so. The kernel's "meta ibrname" would need a module that is not everywhere. */
    private static final Value POD_PORT = new Value.Interface("pw*");

    /** Host ends of veths that are no bridge ports: the alphabet of other pods' names has no 1. */
    private static final Value ROUTED = new Value.Interface("pw1*");
    /** The node's own macvlans, by which it sees pods on other devices. In these hooks no bridge port is seen. */
    private static final Value MACVLANS = new Value.Interface("pwm*");
    /** Those of pods that shall not reach each other. */
    private static final Value PRIVATE_MACVLANS = new Value.Interface("pwmp*");

    /** What every byte is, so that a match of it says that it can be read. */
    private static final Value ANY_BYTE = new Value.Span(0, 255);

    private static final String FROM_PODS = "from-pods";
    private static final String TO_PODS = "to-pods";
    /** After destinations are translated (-100), before sources are (100). */
    private static final int FILTER = 0;
    /** Before anything else on a bridge. */
    private static final int BRIDGE_FIRST = -300;
    /** NF_IP_PRI_RAW, linux/netfilter_ipv4.h: fragments are one packet again, and conntrack has not seen it. */
    private static final int BEFORE_CONNTRACK = -300;

    private static final Verdict RETURN = new Verdict.Return();
    private static final Rule NO_FLOW = Rule.drop("no-flow", is(Field.FLOW_STATE, "invalid", "untracked"));

    private static final Rule OPEN_FLOW = Rule.of(RETURN, is(Field.FLOW_STATE, "established"));

    private static final int DHCP_SERVER = 67;
    private static final int DHCPV6_SERVER = 547;
    private static final int VXLAN = 4789;

    private final Set<IpFamily> families;

    private BaseChains(Set<IpFamily> families) {
        this.families = families;
    }

    /**
     * Chains of the inet table of a node that serves these families.
     *
     * @param unbridged true when pods may be wired without the bridge, too
     * @param selves rules about pods that call themselves by a translated address
     * @param established what becomes of open flows
     */
    static List<Chain> inet(
            String bridge,
            int vxlanPort,
            Set<IpFamily> families,
            boolean unbridged,
            List<Rule> selves,
            EstablishedFlows established) {
        BaseChains chains = new BaseChains(families);
        List<Chain> all = new ArrayList<>(chains.inet(podSides(bridge, unbridged), unbridged, selves, established));
        if (unbridged) {
            all.add(new Chain.Base(
                    "prerouting", Hook.PREROUTING, BEFORE_CONNTRACK, chains.unbridgedSenders(vxlanPort)));
        }
        return all;
    }

    /** The interfaces that packets of pods come in by and go out by, in the hooks of routed packets. */
    static List<Value> podSides(String bridge, boolean unbridged) {
        Value port = new Value.Interface(bridge);
        return unbridged ? List.of(port, ROUTED, MACVLANS) : List.of(port);
    }

    /** Chains of the bridge table. */
    static List<Chain> bridge(int vxlanPort, Set<IpFamily> families) {
        return new BaseChains(families).bridge(vxlanPort);
    }

    private List<Chain> inet(List<Value> podSides, boolean unbridged, List<Rule> selves, EstablishedFlows established) {
        Match in = new Match.OneOf(Field.IIFNAME, podSides);
        Match out = new Match.OneOf(Field.OIFNAME, podSides);
        Match notIn = new Match.Not(Field.IIFNAME, podSides);
        Match notOut = new Match.Not(Field.OIFNAME, podSides);
        Match original = is(Field.FLOW_DIRECTION, "original");
        Match reply = is(Field.FLOW_DIRECTION, "reply");
        Verdict fromPods = new Verdict.Jump(FROM_PODS);
        Verdict toPods = new Verdict.Jump(TO_PODS);
        List<Rule> pass = new ArrayList<>(notServed(Field.FAMILY, FamilyTerms::protocol));
        pass.addAll(flowErrors());
        pass.add(NO_FLOW);
        List<Rule> finishing = switch (established) {
            case JUDGE -> List.of();
            case FINISH -> List.of(OPEN_FLOW);
        };
        pass.addAll(finishing);

        // Between pods, and between pods and elsewhere. A flow between two pods of this node is
        // judged by both ends: a chain that lets it pass returns here.
        List<Rule> forward = new ArrayList<>(List.of(Rule.of(RETURN, notIn, notOut)));
        if (unbridged) {
            forward.add(Rule.drop("private", is(Field.IIFNAME, PRIVATE_MACVLANS), is(Field.OIFNAME, MACVLANS)));
            forward.add(Rule.drop("private", is(Field.IIFNAME, MACVLANS), is(Field.OIFNAME, PRIVATE_MACVLANS)));
        }
        forward.addAll(pass);
        forward.addAll(selves);
        forward.addAll(List.of(
                Rule.of(fromPods, in, original),
                Rule.of(fromPods, out, reply),
                Rule.of(toPods, out, original),
                Rule.of(toPods, in, reply)));

        // From pods to their node: egress, as to anywhere. Replies of pods to it pass.
        List<Rule> input = new ArrayList<>(List.of(Rule.of(RETURN, notIn)));
        input.addAll(pass);
        input.add(Rule.of(fromPods, original));

        // From the node: it may reach its pods (kubelet's probes). The kernel answers packets that
        // leave by the interface they came by with redirects: pods must not heed them.
        List<Rule> output = new ArrayList<>(List.of(Rule.of(RETURN, notOut)));
        output.addAll(notServed(Field.FAMILY, FamilyTerms::protocol));
        output.addAll(redirects());
        output.addAll(flowErrors());
        output.addAll(finishing);
        output.add(Rule.of(fromPods, reply));

        return List.of(
                new Chain.Base("forward", Hook.FORWARD, FILTER, forward),
                new Chain.Base("input", Hook.INPUT, FILTER, input),
                new Chain.Base("output", Hook.OUTPUT, FILTER, output),
                lookup(FROM_PODS, FamilyTerms::flowSource, FamilyTerms::egressMap),
                lookup(TO_PODS, FamilyTerms::flowDestination, FamilyTerms::ingressMap));
    }

    private List<Chain> bridge(int vxlanPort) {
        List<Rule> prerouting = new ArrayList<>(List.of(Rule.of(RETURN, new Match.Not(Field.IIFNAME, POD_PORT))));
        prerouting.addAll(usualSenders());
        prerouting.addAll(List.of(
                Rule.drop("vlan", is(Field.ETHER_TYPE, "8021q", "8021ad")),
                // Neighbours are permanent on both sides: nobody needs to ask.
                Rule.drop("arp", is(Field.ETHER_TYPE, "arp"))));
        prerouting.addAll(notServed(Field.ETHER_TYPE, FamilyTerms::etherType));
        if (served(IpFamily.V6)) {
            prerouting.addAll(neighbourDiscovery());
        }
        prerouting.add(Rule.drop("ether-type", new Match.Not(Field.ETHER_TYPE, etherTypes())));
        prerouting.addAll(notForPods(vxlanPort));
        prerouting.addAll(honestSenders());
        prerouting.add(Rule.drop("spoofed"));
        return List.of(
                new Chain.Base("prerouting", Hook.PREROUTING, BRIDGE_FIRST, prerouting),
                // Ports are isolated and every packet is routed: no frame is bridged.
                new Chain.Base(
                        "forward",
                        Hook.FORWARD,
                        BRIDGE_FIRST,
                        List.of(
                                Rule.drop("bridged-from", is(Field.IIFNAME, POD_PORT)),
                                Rule.drop("bridged-to", is(Field.OIFNAME, POD_PORT)))));
    }

    /**
     * The same for pods whose packets no bridge sees. There is no ARP here: the kernel answers it, and it leads
     * nowhere, since neighbours are permanent and routes decide which link a packet leaves by.
     */
    private List<Rule> unbridgedSenders(int vxlanPort) {
        List<Rule> rules = new ArrayList<>();
        rules.add(Rule.of(RETURN, new Match.Not(Field.IIFNAME, List.of(ROUTED, MACVLANS))));
        rules.addAll(notServed(Field.FAMILY, FamilyTerms::protocol));
        if (served(IpFamily.V6)) {
            rules.addAll(neighbourDiscovery());
        }
        rules.addAll(notForPods(vxlanPort));
        rules.addAll(honestSenders());
        // The node's own macvlan hears the network behind its master, too: a switch's IGMP, say.
        rules.add(Rule.drop(
                "lan-multicast", is(Field.IIFNAME, MACVLANS), is(Field.PACKET_TYPE, "broadcast", "multicast")));
        rules.add(Rule.drop("spoofed"));
        return rules;
    }

    /** Drops of what no pod has to say. */
    private List<Rule> notForPods(int vxlanPort) {
        return List.of(
                Rule.drop(
                        "dhcp-server",
                        new Match.OneOf(
                                Field.UDP_SOURCE_PORT,
                                served(IpFamily.V6) ? ports(DHCP_SERVER, DHCPV6_SERVER) : ports(DHCP_SERVER))),
                Rule.drop("vxlan", new Match.OneOf(Field.UDP_DESTINATION_PORT, ports(VXLAN, vxlanPort))));
    }

    /**
     * Most frames, before all else: those that no other rule is about, but for who sent them. Of IPv4 what is not UDP; of
     * IPv6, whose errors and discovery are one protocol and whose headers may hide another, TCP alone.
     */
    private List<Rule> usualSenders() {
        List<Rule> rules = new ArrayList<>();
        if (served(IpFamily.V4)) {
            rules.add(Rule.of(
                    RETURN,
                    is(Field.ETHER_TYPE, FamilyTerms.of(IpFamily.V4).etherType()),
                    new Match.Not(Field.PROTOCOL, new Value.Symbol("udp")),
                    honest(IpFamily.V4)));
        }
        if (served(IpFamily.V6)) {
            rules.add(Rule.of(
                    RETURN,
                    is(Field.ETHER_TYPE, FamilyTerms.of(IpFamily.V6).etherType()),
                    is(Field.PROTOCOL, "tcp"),
                    honest(IpFamily.V6)));
        }
        return rules;
    }

    /** What has the one interface, MAC and IP address of its sender passes. */
    private List<Rule> honestSenders() {
        List<Rule> rules = new ArrayList<>();
        if (served(IpFamily.V4)) {
            rules.add(Rule.of(RETURN, honest(IpFamily.V4)));
        }
        if (served(IpFamily.V6)) {
            // RFC 7112: a first fragment holds all headers. What two fragments hide from the rules before
            // would be discovery, or VXLAN, after reassembly.
            rules.add(Rule.of(RETURN, is(Field.TRANSPORT_START, ANY_BYTE), honest(IpFamily.V6)));
            rules.add(Rule.of(
                    RETURN,
                    new Match.Not(Field.FRAGMENT_OFFSET, new Value.Span(0, 0)),
                    is(Field.PROTOCOL, ANY_BYTE),
                    honest(IpFamily.V6)));
            rules.add(Rule.drop("ipv6-headers", honest(IpFamily.V6)));
        }
        return rules;
    }

    /**
     * What IPv6 has in place of ARP, wherever it is behind extension headers. Nothing of it is needed:
     * neighbours and routers are set by hand, and no duplicate is looked for. Later fragments have no
     * type to look at, which {@link #honestSenders} minds.
     */
    private static List<Rule> neighbourDiscovery() {
        return List.of(
                Rule.drop("ra", is(Field.ICMPV6_TYPE, "nd-router-advert")),
                Rule.drop(
                        "nd",
                        is(
                                Field.ICMPV6_TYPE,
                                "nd-router-solicit",
                                "nd-neighbor-solicit",
                                "nd-neighbor-advert",
                                "nd-redirect",
                                "ind-neighbor-solicit",
                                "ind-neighbor-advert")),
                Rule.drop(
                        "mld",
                        is(
                                Field.ICMPV6_TYPE,
                                "mld-listener-query",
                                "mld-listener-report",
                                "mld-listener-done",
                                "mld2-listener-report")));
    }

    private List<Rule> flowErrors() {
        List<Rule> rules = new ArrayList<>();
        if (served(IpFamily.V4)) {
            rules.add(Rule.of(
                    RETURN,
                    is(Field.FLOW_STATE, "related"),
                    is(Field.ICMP_TYPE, "destination-unreachable", "time-exceeded", "parameter-problem")));
        }
        if (served(IpFamily.V6)) {
            rules.add(Rule.of(
                    RETURN,
                    is(Field.FLOW_STATE, "related"),
                    is(
                            Field.ICMPV6_TYPE,
                            "destination-unreachable",
                            "packet-too-big",
                            "time-exceeded",
                            "parameter-problem")));
        }
        return rules;
    }

    private List<Rule> redirects() {
        List<Rule> rules = new ArrayList<>();
        if (served(IpFamily.V4)) {
            rules.add(Rule.drop("icmp-redirect", is(Field.ICMP_TYPE, "redirect")));
        }
        if (served(IpFamily.V6)) {
            // Unlike IPv4's, no setting of the kernel keeps it from making them.
            rules.add(Rule.drop("icmpv6-redirect", is(Field.ICMPV6_TYPE, "nd-redirect")));
        }
        return rules;
    }

    /** A drop, counted under the family's name, of each family that pods have no address of. */
    private List<Rule> notServed(Field field, Function<FamilyTerms, String> term) {
        return Arrays.stream(IpFamily.values())
                .filter(family -> !served(family))
                .map(FamilyTerms::of)
                .map(terms -> Rule.drop(terms.protocol(), is(field, term.apply(terms))))
                .toList();
    }

    private Chain lookup(String name, Function<FamilyTerms, Field> key, Function<FamilyTerms, String> map) {
        List<Rule> rules = new ArrayList<>();
        for (IpFamily family : families) {
            FamilyTerms terms = FamilyTerms.of(family);
            rules.add(Rule.of(new Action.Lookup(key.apply(terms), map.apply(terms))));
        }
        rules.add(Rule.drop("not-covered"));
        return new Chain.Regular(name, rules);
    }

    private static Match honest(IpFamily family) {
        FamilyTerms terms = FamilyTerms.of(family);
        return new Match.InSet(List.of(Field.IIFNAME, Field.ETHER_SOURCE, terms.source()), terms.sources());
    }

    private List<Value> etherTypes() {
        return families.stream()
                .<Value>map(family -> new Value.Symbol(FamilyTerms.of(family).etherType()))
                .toList();
    }

    private boolean served(IpFamily family) {
        return families.contains(family);
    }

    private static List<Value> ports(Integer... ports) {
        return Stream.of(ports)
                .distinct()
                .sorted()
                .<Value>map(p -> new Value.Span(p, p))
                .toList();
    }
}
