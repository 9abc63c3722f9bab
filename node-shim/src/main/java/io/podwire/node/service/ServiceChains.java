package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.plan.IpProtocol;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The chains of the table of services in nft(8)'s language. Those that choose depend on how many there are to choose
 * from, not on the Service: ten thousand Services are some dozen chains.
 */
public final class ServiceChains {
    /** The table, of family inet. */
    public static final String TABLE = "podwire-services";

    /** Rejects: nobody serves. */
    static final String NO_ENDPOINTS = "no-endpoints";
    /** Drops: others serve, this node does not. */
    static final String NOT_HERE = "not-here";

    /** Slots of endpoints that are chosen from where traffic must not leave the node. */
    static final int LOCAL = 1 << 24;

    private ServiceChains() {}

    /**
     * A chain that some members lead to.
     *
     * @param name its name
     * @param rules its rules, one a line
     */
    public record Needed(String name, List<String> rules) {
        /** Copies. */
        public Needed {
            rules = List.copyOf(rules);
        }
    }

    /** Name of the map that remembers clients, of IPv4. */
    static String affinity(boolean nodePort) {
        return nodePort ? "port-affinity-4" : "affinity-4";
    }

    /** Chooses among so many endpoints. */
    static Needed pick(IpFamily family, IpProtocol protocol, boolean nodePort, boolean local, int count) {
        Terms terms = Terms.of(family);
        String map = ServiceMap.endpoints(protocol, nodePort).name(family);
        String offset = local ? " offset " + LOCAL : "";
        String choose = "dnat " + terms.ip() + " to " + called(terms, protocol, nodePort) + " . numgen random mod ";
        return new Needed(
                "pick" + scope(family, nodePort, local) + "-" + protocol.keyword() + "-" + count,
                List.of(
                        choose + count + offset + " map @" + map,
                        // A packet that came before a change finds the count of then, and the endpoints of now.
                        choose + "1" + offset + " map @" + map,
                        "goto " + NOT_HERE));
    }

    private static String called(Terms terms, IpProtocol protocol, boolean nodePort) {
        return (nodePort ? "" : terms.ip() + " daddr . ") + protocol.keyword() + " dport";
    }

    /** Finds the endpoint of a client that has been here, else chooses. */
    static Needed again(boolean nodePort, Needed pick) {
        Terms terms = Terms.of(IpFamily.V4);
        String key = "ip saddr . " + (nodePort ? Terms.PORT : terms.key());
        return new Needed(
                "again-" + pick.name(),
                List.of("dnat ip to " + key + " map @" + affinity(nodePort), "goto " + pick.name()));
    }

    /**
     * Finds the same endpoint for a client as long as their number is the same. libnftables 1.0.6 ends its process over a
     * rule that would remember an IPv6 client as {@link #remember} does IPv4's ("netlink_gen_expr: Assertion `dreg <
     * ctx->reg_low' failed").
     */
    static Needed byHash(IpProtocol protocol, boolean nodePort, boolean local, int count, Needed pick) {
        Terms terms = Terms.of(IpFamily.V6);
        String map = ServiceMap.endpoints(protocol, nodePort).name(IpFamily.V6);
        return new Needed(
                "hash-" + pick.name(),
                List.of(
                        "dnat ip6 to " + called(terms, protocol, nodePort) + " . jhash ip6 saddr mod " + count
                                + " seed 0x1" + (local ? " offset " + LOCAL : "") + " map @" + map,
                        "goto " + pick.name()));
    }

    /** Remembers which endpoint a client has. */
    static Needed remember(boolean nodePort, int seconds) {
        Terms terms = Terms.of(IpFamily.V4);
        String key = "ct original ip saddr . " + (nodePort ? Terms.ORIGINAL_PORT : terms.originalKey());
        return new Needed(
                "remember" + scope(IpFamily.V4, nodePort, false) + "-" + seconds,
                Terms.PROTOCOLS.stream()
                        .map(protocol -> "meta l4proto " + protocol + " update @" + affinity(nodePort) + " { " + key
                                + " timeout " + seconds + "s : ip daddr . th dport }")
                        .toList());
    }

    /** Lets these call, and nobody else. */
    static Needed guard(IpFamily family, List<IpPrefix> sources, String name) {
        Terms terms = Terms.of(family);
        String drop = "counter drop comment \"source-range\"";
        return new Needed(
                name,
                sources.isEmpty()
                        ? List.of(drop)
                        : List.of(
                                terms.ip() + " saddr { "
                                        + sources.stream()
                                                .map(IpPrefix::toString)
                                                .collect(Collectors.joining(", "))
                                        + " } return",
                                drop));
    }

    private static String scope(IpFamily family, boolean nodePort, boolean local) {
        return "-" + Terms.of(family).digit() + (nodePort ? "-port" : "") + (local ? "-local" : "");
    }

    /** A script that makes sure of such chains. */
    public static String script(Iterable<Needed> chains) {
        StringBuilder script = new StringBuilder();
        for (Needed chain : chains) {
            script.append("add chain inet " + TABLE + " " + chain.name() + "\n");
            script.append("flush chain inet " + TABLE + " " + chain.name() + "\n");
        }
        for (Needed chain : chains) {
            chain.rules()
                    .forEach(rule -> script.append("add rule inet " + TABLE + " " + chain.name() + " " + rule + "\n"));
        }
        return script.toString();
    }
}
