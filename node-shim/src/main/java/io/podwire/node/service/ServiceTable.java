package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.IpProtocol;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * The table of services without its members: maps, and the chains that lead from the kernel's hooks to them. All of it is
 * nat: only the first packet of a flow pays, for two lookups whatever the number of Services.
 *
 * <p>No mark of packets is used. Behind the choice, what has to be known of a flow is what it called, which conntrack
 * remembers.
 */
public final class ServiceTable {
    /** Behind host ports, which are at -100. */
    private static final int TRANSLATE_DESTINATION = -90;
    /** Before host ports, which are at 100. */
    private static final int TRANSLATE_SOURCE = 90;

    private static final int CLIENTS = 65_535;

    private ServiceTable() {}

    /**
     * A script that makes sure of it, whatever was there of it; members stay.
     *
     * @param podSides interfaces that packets of pods come by, '*' at the end for any rest
     * @param tunnel interface to other nodes by which the node must have another address than elsewhere
     * @param nodeAddresses where node ports are open, of these the node's own
     */
    public static String script(List<String> podSides, String tunnel, Collection<IpPrefix> nodeAddresses) {
        Script script = new Script();
        for (IpFamily family : IpFamily.values()) {
            maps(script, Terms.of(family), nodeAddresses);
        }
        script.chain("no-endpoints", "");
        script.chain("not-here", "");
        script.chain("cluster-ips", "");
        script.chain("inside", "");
        script.chain("outside", "");
        script.chain("remember", "");
        script.chain("translated", "");
        script.chain("prerouting", nat("prerouting", TRANSLATE_DESTINATION));
        script.chain("output", nat("output", TRANSLATE_DESTINATION));
        script.chain("input", nat("input", TRANSLATE_SOURCE));
        script.chain("postrouting", nat("postrouting", TRANSLATE_SOURCE));

        script.rule("no-endpoints", "counter comment \"no-endpoints\"");
        script.rule("no-endpoints", "meta l4proto tcp reject with tcp reset");
        script.rule("no-endpoints", "reject");
        script.rule("not-here", "counter drop comment \"not-here\"");
        choose(script, "inside", ServiceMap.INSIDE, ServiceMap.INSIDE_PORTS);
        choose(script, "outside", ServiceMap.OUTSIDE, ServiceMap.OUTSIDE_PORTS);
        for (IpFamily family : IpFamily.values()) {
            script.rule(
                    "cluster-ips",
                    Terms.of(family).ip() + " daddr @" + ServiceMap.CLUSTER_IPS.name(family) + " goto no-endpoints");
        }
        podSides.forEach(side -> script.rule("prerouting", "iifname \"" + side + "\" goto inside"));
        script.rule("prerouting", "goto outside");
        script.rule("output", "goto inside");
        script.rule("input", "ct status dnat goto remember");
        script.rule("postrouting", "ct status dnat goto translated");
        remember(script);
        translate(script, podSides, tunnel);
        return script.text();
    }

    private static String nat(String hook, int priority) {
        return " { type nat hook " + hook + " priority " + priority + "; policy accept; }";
    }

    private static void maps(Script script, Terms terms, Collection<IpPrefix> nodeAddresses) {
        IpFamily family = terms.family();
        String port = "inet_proto . inet_service";
        String key = terms.type() + " . " + port;
        // Only "typeof" says what a slot is. A map has one protocol, for nft takes its endpoints' ports for that one's.
        for (IpProtocol protocol : IpProtocol.values()) {
            String chosen = protocol.keyword() + " dport . numgen random mod 2 : " + terms.ip() + " daddr . "
                    + protocol.keyword() + " dport";
            script.map(
                    ServiceMap.endpoints(protocol, false).name(family), "typeof " + terms.ip() + " daddr . " + chosen);
            script.map(ServiceMap.endpoints(protocol, true).name(family), "typeof " + chosen);
        }
        for (ServiceMap map : List.of(ServiceMap.GUARDS, ServiceMap.INSIDE, ServiceMap.OUTSIDE, ServiceMap.STICKY)) {
            script.map(map.name(family), "type " + key + " : verdict");
        }
        for (ServiceMap map : List.of(ServiceMap.INSIDE_PORTS, ServiceMap.OUTSIDE_PORTS, ServiceMap.STICKY_PORTS)) {
            script.map(map.name(family), "type " + port + " : verdict");
        }
        String client = "type " + terms.type() + " . ";
        String endpoint = " : " + terms.type() + " . inet_service; flags dynamic,timeout; size " + CLIENTS;
        script.map(ServiceChains.affinity(family, false), client + key + endpoint);
        script.map(ServiceChains.affinity(family, true), client + port + endpoint);
        script.set(ServiceMap.TRANSLATED.name(family), "type " + key);
        script.set(ServiceMap.TRANSLATED_PORTS.name(family), "type " + port);
        script.set(ServiceMap.CLUSTER_IPS.name(family), "type " + terms.type());
        script.set(ServiceMap.SELF.name(family), "type " + terms.type() + " . " + terms.type());
        String own = "node-addresses-" + terms.digit();
        script.set(own, "type " + terms.type() + "; flags interval; auto-merge");
        script.members(
                own,
                nodeAddresses.stream()
                        .filter(prefix -> prefix.family() == family)
                        .map(IpPrefix::toString)
                        .distinct()
                        .sorted()
                        .toList());
    }

    private static void choose(Script script, String chain, ServiceMap byAddress, ServiceMap byPort) {
        script.rule(chain, "meta l4proto != { tcp, udp, sctp } goto cluster-ips");
        for (IpFamily family : IpFamily.values()) {
            Terms terms = Terms.of(family);
            script.rule(chain, terms.key() + " vmap @" + ServiceMap.GUARDS.name(family));
            script.rule(chain, terms.key() + " vmap @" + byAddress.name(family));
        }
        for (IpFamily family : IpFamily.values()) {
            Terms terms = Terms.of(family);
            script.rule(
                    chain,
                    terms.ip() + " daddr @node-addresses-" + terms.digit() + " fib daddr type local " + Terms.PORT
                            + " vmap @" + byPort.name(family));
        }
        script.rule(chain, "goto cluster-ips");
    }

    private static void remember(Script script) {
        for (IpFamily family : IpFamily.values()) {
            Terms terms = Terms.of(family);
            for (String protocol : Terms.PROTOCOLS) {
                String flow = "meta nfproto ipv" + terms.digit() + " meta l4proto " + protocol + " ";
                script.rule("remember", flow + terms.originalKey() + " vmap @" + ServiceMap.STICKY.name(family));
                script.rule("remember", flow + Terms.ORIGINAL_PORT + " vmap @" + ServiceMap.STICKY_PORTS.name(family));
            }
        }
    }

    private static void translate(Script script, List<String> podSides, String tunnel) {
        String chain = "translated";
        script.rule(chain, "jump remember");
        for (IpFamily family : IpFamily.values()) {
            String ip = Terms.of(family).ip();
            script.rule(chain, ip + " saddr . " + ip + " daddr @" + ServiceMap.SELF.name(family) + " masquerade");
        }
        // The answers of this node's pods, and to them, come by this node.
        podSides.forEach(side -> script.rule(chain, "oifname \"" + side + "\" return"));
        podSides.forEach(side -> script.rule(chain, "iifname \"" + side + "\" return"));
        script.rule(chain, "oifname \"" + tunnel + "\" fib saddr type local masquerade");
        for (IpFamily family : IpFamily.values()) {
            Terms terms = Terms.of(family);
            for (String protocol : Terms.PROTOCOLS) {
                script.rule(
                        chain,
                        "meta nfproto ipv" + terms.digit() + " meta l4proto " + protocol + " " + terms.originalKey()
                                + " @" + ServiceMap.TRANSLATED.name(family) + " masquerade fully-random");
                script.rule(
                        chain,
                        "meta nfproto ipv" + terms.digit() + " meta l4proto " + protocol + " " + Terms.ORIGINAL_PORT
                                + " @" + ServiceMap.TRANSLATED_PORTS.name(family) + " masquerade fully-random");
            }
        }
    }

    /** Sets before chains before rules. */
    private static final class Script {
        private static final String TABLE = "inet " + ServiceChains.TABLE;

        private final List<String> sets = new ArrayList<>(List.of("add table " + TABLE));
        private final List<String> chains = new ArrayList<>();
        private final List<String> rules = new ArrayList<>();

        void map(String name, String definition) {
            sets.add("add map " + TABLE + " " + name + " { " + definition + "; }");
        }

        void set(String name, String definition) {
            sets.add("add set " + TABLE + " " + name + " { " + definition + "; }");
        }

        void members(String set, List<String> members) {
            sets.add("flush set " + TABLE + " " + set);
            if (!members.isEmpty()) {
                sets.add("add element " + TABLE + " " + set + " { " + String.join(", ", members) + " }");
            }
        }

        void chain(String name, String definition) {
            chains.add("add chain " + TABLE + " " + name + definition);
            chains.add("flush chain " + TABLE + " " + name);
        }

        void rule(String chain, String rule) {
            rules.add("add rule " + TABLE + " " + chain + " " + rule);
        }

        String text() {
            List<String> all = new ArrayList<>(sets);
            all.addAll(chains);
            all.addAll(rules);
            return String.join("\n", all) + "\n";
        }
    }
}
