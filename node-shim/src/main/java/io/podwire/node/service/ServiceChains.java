package io.podwire.node.service;

import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.netlink.nft.FlushChain;
import io.podwire.node.netlink.nft.NewRule;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netlink.nft.Octets;
import io.podwire.node.plan.IpProtocol;
import java.time.Duration;
import java.util.ArrayList;
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

    /** Of linux/netfilter/nf_tables.h, and linux/netfilter.h. */
    private static final int NFT_META_NFPROTO = 15;

    private static final int NFPROTO_IPV4 = 2;
    private static final int NFPROTO_IPV6 = 10;
    private static final int NFT_CT_PROTOCOL = 10;
    private static final int NFT_CT_PROTO_DST = 12;
    private static final int NFT_CT_SRC_IP = 19;
    private static final int NFT_CT_DST_IP = 20;
    private static final int NFT_CT_SRC_IP6 = 21;
    private static final int NFT_CT_DST_IP6 = 22;
    private static final int NFT_PAYLOAD_NETWORK_HEADER = 1;
    private static final int NFT_PAYLOAD_TRANSPORT_HEADER = 2;
    /** Where the destination is in a header, RFC 791, RFC 8200, and the port of TCP, UDP and SCTP. */
    private static final int IPV4_DESTINATION = 16;

    private static final int IPV6_DESTINATION = 24;
    private static final int DESTINATION_PORT = 2;

    private ServiceChains() {}

    /**
     * A chain that some members lead to.
     *
     * @param name its name
     * @param rules its rules, one a line
     * @param written its rules where nft's language has none for it
     */
    public record Needed(String name, List<String> rules, List<NewRule> written) {
        /** Copies. */
        public Needed {
            rules = List.copyOf(rules);
            written = List.copyOf(written);
        }

        Needed(String name, List<String> rules) {
            this(name, rules, List.of());
        }
    }

    /** Name of the map that remembers clients. */
    static String affinity(IpFamily family, boolean nodePort) {
        return (nodePort ? "port-affinity-" : "affinity-") + Terms.of(family).digit();
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
    static Needed again(IpFamily family, boolean nodePort, Needed pick) {
        Terms terms = Terms.of(family);
        String key = terms.ip() + " saddr . " + (nodePort ? Terms.PORT : terms.key());
        return new Needed(
                "again-" + pick.name(),
                List.of(
                        "dnat " + terms.ip() + " to " + key + " map @" + affinity(family, nodePort),
                        "goto " + pick.name()));
    }

    /**
     * Remembers which endpoint a client has. Not in nft's language: libnftables 1.0.6 ends its process over a map's key of
     * more than 16 bytes in such a rule ("netlink_gen_expr: Assertion `dreg < ctx->reg_low' failed"), and what it lists of
     * IPv4's it cannot read again.
     */
    static Needed remember(IpFamily family, boolean nodePort, int seconds) {
        boolean six = family == IpFamily.V6;
        int address = family.bits() / Byte.SIZE;
        List<NewRule.Part> parts = new ArrayList<>();
        parts.add(new NewRule.Meta(NFT_META_NFPROTO, 0));
        parts.add(new NewRule.Equal(0, Octets.of((byte) (six ? NFPROTO_IPV6 : NFPROTO_IPV4))));
        int end = 0;
        parts.add(new NewRule.Original(six ? NFT_CT_SRC_IP6 : NFT_CT_SRC_IP, end));
        end += address;
        if (!nodePort) {
            parts.add(new NewRule.Original(six ? NFT_CT_DST_IP6 : NFT_CT_DST_IP, end));
            end += address;
        }
        parts.add(new NewRule.Original(NFT_CT_PROTOCOL, end));
        end += Integer.BYTES;
        parts.add(new NewRule.Original(NFT_CT_PROTO_DST, end));
        end += Integer.BYTES;
        parts.add(new NewRule.Header(
                NFT_PAYLOAD_NETWORK_HEADER, six ? IPV6_DESTINATION : IPV4_DESTINATION, address, end));
        parts.add(new NewRule.Header(NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT, Short.BYTES, end + address));
        parts.add(new NewRule.Update(affinity(family, nodePort), 0, end, Duration.ofSeconds(seconds)));
        String name = "remember" + scope(family, nodePort, false) + "-" + seconds;
        return new Needed(name, List.of(), List.of(new NewRule(NftMessage.INET, TABLE, name, parts)));
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

    /** A script that makes sure of such chains, but for what {@link #written} has of them. */
    public static String script(Iterable<Needed> chains) {
        StringBuilder script = new StringBuilder();
        for (Needed chain : chains) {
            script.append("add chain inet " + TABLE + " " + chain.name() + "\n");
            if (chain.written().isEmpty()) {
                script.append("flush chain inet " + TABLE + " " + chain.name() + "\n");
            }
        }
        for (Needed chain : chains) {
            chain.rules()
                    .forEach(rule -> script.append("add rule inet " + TABLE + " " + chain.name() + " " + rule + "\n"));
        }
        return script.toString();
    }

    /** The transaction that writes a chain's rules which are not in nft's language; empty where it has none. */
    public static List<NftMessage> written(Needed chain) {
        List<NftMessage> messages = new ArrayList<>();
        if (!chain.written().isEmpty()) {
            messages.add(new FlushChain(NftMessage.INET, TABLE, chain.name()));
            messages.addAll(chain.written());
        }
        return messages;
    }
}
