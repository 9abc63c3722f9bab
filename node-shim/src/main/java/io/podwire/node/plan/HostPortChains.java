package io.podwire.node.plan;

import static io.podwire.node.nft.model.Match.is;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.ChainType;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Hook;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.NftSet.PortKey;
import io.podwire.node.nft.model.NftSet.PortTarget;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Value;
import io.podwire.node.nft.model.Verdict;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Host ports: chains that are there while an endpoint has one, always the same, and maps from ports of the node to ports
 * of pods.
 *
 * <p>The destination is translated where a packet enters the node, and where the node itself sends; what is addressed
 * to another machine is never touched. Policy judges the flow afterwards, by the pod that it goes to and by who opened
 * it: no source is hidden, but that of a pod which calls itself, for which the node answers as the gateway.
 *
 * <p>A packet to 127.0.0.1 cannot leave the node, and the kernel's way to let it (route_localnet) lets neighbours
 * reach the node's loopback as well (CVE-2020-8558). Instead the node's own packets to a host port there get the
 * gateway's address as their source before conntrack sees them, and the answers get 127.0.0.1 back behind it.
 */
final class HostPortChains {
    private static final String HOST_PORTS = "host-ports";
    /** NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC, linux/netfilter_ipv4.h. */
    private static final int TRANSLATE_DESTINATION = -100;

    private static final int TRANSLATE_SOURCE = 100;
    /** NF_IP_PRI_RAW: before conntrack, which is at -200. */
    private static final int BEFORE_CONNTRACK = -300;
    /** Behind the translation back of what the node receives. */
    private static final int AFTER_TRANSLATION = TRANSLATE_SOURCE + 100;

    private static final Verdict RETURN = new Verdict.Return();
    private static final Match NOT_OURS = new Match.Not(Field.DESTINATION_TYPE, new Value.Symbol("local"));
    private static final Match HAS_PORTS = is(Field.PROTOCOL, "tcp", "udp", "sctp");

    /**
     * The terms of one family.
     *
     * @param loopbacks addresses that mean the node to itself alone
     * @param loopback the one of them that host ports are reached by
     */
    private record Terms(
            IpFamily family, Field source, Field destination, String suffix, IpPrefix loopbacks, IpAddress loopback) {
        private static final Terms V4 = new Terms(
                IpFamily.V4,
                Field.IP_SOURCE,
                Field.IP_DESTINATION,
                "-4",
                IpPrefix.parse("127.0.0.0/8"),
                IpAddress.parse("127.0.0.1"));
        private static final Terms V6 = new Terms(
                IpFamily.V6,
                Field.IP6_SOURCE,
                Field.IP6_DESTINATION,
                "-6",
                IpPrefix.parse("::1/128"),
                IpAddress.parse("::1"));

        static Terms of(IpFamily family) {
            return switch (family) {
                case V4 -> V4;
                case V6 -> V6;
            };
        }

        /** Ports on every address. */
        String ports() {
            return "host-ports" + suffix;
        }

        /** Ports on one address. */
        String addressPorts() {
            return "host-ip-ports" + suffix;
        }

        /** Ports on the loopback address. */
        String loopbackPorts() {
            return "loopback-ports" + suffix;
        }
    }

    private HostPortChains() {}

    /** The chains of a node that serves these families. */
    static List<Chain> chains(List<Value> podSides, Set<IpFamily> families) {
        Rule toHostPorts = Rule.of(new Verdict.Jump(HOST_PORTS));
        List<Rule> prerouting = new ArrayList<>(List.of(Rule.of(RETURN, NOT_OURS)));
        List<Rule> output = new ArrayList<>(List.of(Rule.of(RETURN, NOT_OURS)));
        List<Rule> postrouting = new ArrayList<>();
        List<Rule> ports = new ArrayList<>();
        List<Rule> loopbackOut = new ArrayList<>();
        List<Rule> loopbackIn = new ArrayList<>();
        for (IpFamily family : families) {
            Terms terms = Terms.of(family);
            IpAddress gateway = Gateway.of(family);
            // Another machine's or a pod's packet to a loopback address dies as a martian, if nothing translates it.
            prerouting.add(Rule.of(RETURN, is(terms.destination(), new Value.Network(terms.loopbacks()))));
            // What has such a source still cannot leave the node.
            output.add(Rule.of(RETURN, is(terms.source(), new Value.Network(terms.loopbacks()))));
            ports.add(Rule.of(
                    new Action.Translate(
                            family,
                            List.of(terms.destination(), Field.PROTOCOL, Field.DESTINATION_PORT),
                            terms.addressPorts()),
                    HAS_PORTS));
            ports.add(Rule.of(
                    new Action.Translate(family, List.of(Field.PROTOCOL, Field.DESTINATION_PORT), terms.ports()),
                    HAS_PORTS));
            postrouting.add(Rule.of(
                    new Action.Masquerade(false),
                    new Match.InSet(List.of(terms.source(), terms.destination()), SelfCalls.set(family))));
            Value loopback = new Value.Network(IpPrefix.ofHost(terms.loopback()));
            loopbackOut.add(Rule.of(
                    new Action.Rewrite(terms.source(), gateway),
                    is(terms.source(), loopback),
                    is(terms.destination(), loopback),
                    new Match.InSet(List.of(Field.PROTOCOL, Field.DESTINATION_PORT), terms.loopbackPorts())));
            loopbackIn.add(Rule.of(
                    new Action.Rewrite(terms.destination(), terms.loopback()),
                    new Match.OneOf(Field.IIFNAME, podSides),
                    is(terms.source(), loopback),
                    is(terms.destination(), new Value.Network(IpPrefix.ofHost(gateway)))));
        }
        prerouting.add(toHostPorts);
        output.add(toHostPorts);
        return List.of(
                new Chain.Base("nat-prerouting", ChainType.NAT, Hook.PREROUTING, TRANSLATE_DESTINATION, prerouting),
                new Chain.Base("nat-output", ChainType.NAT, Hook.OUTPUT, TRANSLATE_DESTINATION, output),
                new Chain.Base("nat-postrouting", ChainType.NAT, Hook.POSTROUTING, TRANSLATE_SOURCE, postrouting),
                new Chain.Base("loopback-output", Hook.OUTPUT, BEFORE_CONNTRACK, loopbackOut),
                new Chain.Base("loopback-input", Hook.INPUT, AFTER_TRANSLATION, loopbackIn),
                new Chain.Regular(HOST_PORTS, ports));
    }

    /** The sets and maps for these endpoints, whose host ports do not overlap. */
    static List<NftSet> sets(Collection<LocalEndpoint> endpoints, Set<IpFamily> families) {
        List<NftSet> sets = new ArrayList<>();
        for (IpFamily family : families) {
            Terms terms = Terms.of(family);
            SortedMap<PortKey, PortTarget> ports = new TreeMap<>();
            SortedMap<PortKey, PortTarget> addressPorts = new TreeMap<>();
            TreeSet<PortKey> loopbackPorts = new TreeSet<>();
            for (LocalEndpoint endpoint : endpoints) {
                Optional<IpAddress> address = endpoint.addresses().of(family);
                for (HostPort port : endpoint.hostPorts()) {
                    if (address.isEmpty() || !port.has(family)) {
                        continue;
                    }
                    PortKey anywhere =
                            new PortKey(Optional.empty(), port.protocol().keyword(), port.hostPort());
                    PortTarget target = new PortTarget(address.get(), port.containerPort());
                    if (port.onlyOn().isPresent()) {
                        addressPorts.put(new PortKey(port.onlyOn(), anywhere.protocol(), anywhere.port()), target);
                    } else {
                        ports.put(anywhere, target);
                    }
                    if (port.onlyOn().isEmpty() || port.onlyOn().get().equals(terms.loopback())) {
                        loopbackPorts.add(anywhere);
                    }
                }
            }
            sets.add(new NftSet.PortMap(terms.ports(), family, false, ports));
            sets.add(new NftSet.PortMap(terms.addressPorts(), family, true, addressPorts));
            sets.add(new NftSet.ProtocolPorts(terms.loopbackPorts(), List.copyOf(loopbackPorts)));
        }
        return sets;
    }
}
