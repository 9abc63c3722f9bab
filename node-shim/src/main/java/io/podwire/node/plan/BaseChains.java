package io.podwire.node.plan;

import static io.podwire.node.nft.model.Match.is;

import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Hook;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Value;
import io.podwire.node.nft.model.Verdict;
import java.util.List;
import java.util.stream.Stream;

/**
 * The chains that do not depend on who is attached: from the kernel's hooks to the maps.
 *
 * <p>Policy judges flows, not packets. Every packet to or from a pod, of either direction, is looked up by what conntrack
 * knows of its flow (who opened it, who was called, on which port), so both directions get the verdict
 * of the rules as they are now. Nothing passes for being "established": a changed policy cuts
 * what is open at once, replies too, and no conntrack entry has to be deleted for it. Only ICMP errors
 * about a flow pass by themselves: their own protocol is ICMP, so rules with ports could not judge them.
 */
final class BaseChains {
    /** Verdict by pod address, for flows that the pod was called by. */
    static final String INGRESS_MAP = "ingress-4";
    /** Verdict by pod address, for flows that the pod opened. */
    static final String EGRESS_MAP = "egress-4";
    /** Who may send by which bridge port. */
    static final String SOURCES = "endpoints";

    /** All host ends of veths are named so. The kernel's "meta ibrname" would need a module that is not everywhere. */
    private static final Value POD_PORT = new Value.Interface("pw*");

    private static final String FROM_PODS = "from-pods";
    private static final String TO_PODS = "to-pods";
    /** After destinations are translated (-100), before sources are (100). */
    private static final int FILTER = 0;
    /** Before anything else on a bridge. */
    private static final int BRIDGE_FIRST = -300;

    private static final Verdict RETURN = new Verdict.Return();
    private static final Rule NO_IPV6 = Rule.drop("ipv6", is(Field.FAMILY, "ipv6"));
    private static final Rule FLOW_ERRORS = Rule.of(
            RETURN,
            is(Field.FLOW_STATE, "related"),
            is(Field.ICMP_TYPE, "destination-unreachable", "time-exceeded", "parameter-problem"));
    private static final Rule NO_FLOW = Rule.drop("no-flow", is(Field.FLOW_STATE, "invalid", "untracked"));

    private BaseChains() {}

    /** Chains of the inet table. */
    static List<Chain> inet(String bridge) {
        Value name = new Value.Interface(bridge);
        Match in = is(Field.IIFNAME, name);
        Match out = is(Field.OIFNAME, name);
        Match notIn = new Match.Not(Field.IIFNAME, name);
        Match notOut = new Match.Not(Field.OIFNAME, name);
        Match original = is(Field.FLOW_DIRECTION, "original");
        Match reply = is(Field.FLOW_DIRECTION, "reply");
        Verdict fromPods = new Verdict.Jump(FROM_PODS);
        Verdict toPods = new Verdict.Jump(TO_PODS);
        return List.of(
                // Between pods, and between pods and elsewhere. A flow between two pods of this node is
                // judged by both ends: a chain that lets it pass returns here.
                new Chain.Base(
                        "forward",
                        Hook.FORWARD,
                        FILTER,
                        List.of(
                                Rule.of(RETURN, notIn, notOut),
                                NO_IPV6,
                                FLOW_ERRORS,
                                NO_FLOW,
                                Rule.of(fromPods, in, original),
                                Rule.of(fromPods, out, reply),
                                Rule.of(toPods, out, original),
                                Rule.of(toPods, in, reply))),
                // From pods to their node: egress, as to anywhere. Replies of pods to it pass.
                new Chain.Base(
                        "input",
                        Hook.INPUT,
                        FILTER,
                        List.of(Rule.of(RETURN, notIn), NO_IPV6, FLOW_ERRORS, NO_FLOW, Rule.of(fromPods, original))),
                // From the node: it may reach its pods (kubelet's probes). The kernel answers packets that
                // leave by the interface they came by with ICMP redirects: pods must not heed them.
                new Chain.Base(
                        "output",
                        Hook.OUTPUT,
                        FILTER,
                        List.of(
                                Rule.of(RETURN, notOut),
                                NO_IPV6,
                                Rule.drop("icmp-redirect", is(Field.ICMP_TYPE, "redirect")),
                                FLOW_ERRORS,
                                Rule.of(fromPods, reply))),
                lookup(FROM_PODS, Field.FLOW_SOURCE, EGRESS_MAP),
                lookup(TO_PODS, Field.FLOW_DESTINATION, INGRESS_MAP));
    }

    /** Chains of the bridge table. */
    static List<Chain> bridge(int vxlanPort) {
        return List.of(
                new Chain.Base(
                        "prerouting",
                        Hook.PREROUTING,
                        BRIDGE_FIRST,
                        List.of(
                                Rule.of(RETURN, new Match.Not(Field.IIFNAME, POD_PORT)),
                                Rule.drop("vlan", is(Field.ETHER_TYPE, "8021q", "8021ad")),
                                // Neighbours are permanent on both sides: nobody needs to ask.
                                Rule.drop("arp", is(Field.ETHER_TYPE, "arp")),
                                Rule.drop("ipv6", is(Field.ETHER_TYPE, "ip6")),
                                Rule.drop("ether-type", new Match.Not(Field.ETHER_TYPE, new Value.Symbol("ip"))),
                                Rule.drop("dhcp-server", is(Field.UDP_SOURCE_PORT, new Value.Span(67, 67))),
                                Rule.drop("vxlan", new Match.OneOf(Field.UDP_DESTINATION_PORT, vxlan(vxlanPort))),
                                Rule.of(
                                        RETURN,
                                        new Match.InSet(
                                                List.of(Field.IIFNAME, Field.ETHER_SOURCE, Field.IP_SOURCE), SOURCES)),
                                Rule.drop("spoofed"))),
                // Ports are isolated and every packet is routed: no frame is bridged.
                new Chain.Base(
                        "forward",
                        Hook.FORWARD,
                        BRIDGE_FIRST,
                        List.of(
                                Rule.drop("bridged-from", is(Field.IIFNAME, POD_PORT)),
                                Rule.drop("bridged-to", is(Field.OIFNAME, POD_PORT)))));
    }

    private static Chain lookup(String name, Field key, String map) {
        return new Chain.Regular(name, List.of(Rule.of(new Action.Lookup(key, map)), Rule.drop("not-covered")));
    }

    /** RFC 7348's port and ours. */
    private static List<Value> vxlan(int port) {
        return Stream.of(4789, port)
                .distinct()
                .sorted()
                .<Value>map(p -> new Value.Span(p, p))
                .toList();
    }
}
