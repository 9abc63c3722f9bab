package io.podwire.node.nft.text;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Value;
import io.podwire.node.nft.model.Verdict;
import java.util.List;
import java.util.stream.Collectors;

/** Canonical nft(8) text: what goldens hold, what digests are of, and what the kernel is sent. */
public final class NftWriter {
    private NftWriter() {}

    /** All commands, each on its line or lines, in order. */
    public static String commands(List<Command> commands) {
        StringBuilder text = new StringBuilder();
        for (Command command : commands) {
            write(command, text);
        }
        return text.toString();
    }

    private static void write(Command command, StringBuilder text) {
        switch (command) {
            case Command.AddTable(var table) -> line(text, "add table ", table);
            case Command.DeleteTable(var table) -> line(text, "delete table ", table);
            case Command.AddSet(var table, var set) ->
                line(text, "add ", kind(set.isMap()), " ", table, " ", set.name(), " ", declaration(set));
            case Command.DeleteSet(var table, var set, var map) ->
                line(text, "delete ", kind(map), " ", table, " ", set);
            case Command.AddChain(var table, var chain) ->
                line(text, "add chain ", table, " ", chain.name(), declaration(chain));
            case Command.FlushChain(var table, var chain) -> line(text, "flush chain ", table, " ", chain);
            case Command.AddRules(var table, var chain) -> {
                String start = "add rule " + table + " " + chain.name() + " ";
                line(text, start, "counter comment \"", digest(chain), "\"");
                for (Rule rule : chain.rules()) {
                    line(text, start, rule(rule));
                }
            }
            case Command.DeleteChain(var table, var chain) -> line(text, "delete chain ", table, " ", chain);
            case Command.AddElements(var table, var set, var elements) ->
                line(text, "add element ", table, " ", set, " { ", String.join(", ", elements), " }");
            case Command.DeleteElements(var table, var set, var elements) ->
                line(text, "delete element ", table, " ", set, " { ", String.join(", ", elements), " }");
        }
    }

    /**
     * The digest of a chain's declaration and rules: the comment of its first rule in the kernel, by
     * which a restarted node-shim knows that the chain is current. nft's own rule listing does not
     * round-trip, and nft 1.0.6 leaves chain comments out of its JSON.
     */
    public static String digest(Chain chain) {
        StringBuilder text = new StringBuilder(declaration(chain));
        for (Rule rule : chain.rules()) {
            text.append('\n').append(rule(rule));
        }
        return ShortHash.of(text.toString());
    }

    /** One rule without its place. */
    public static String rule(Rule rule) {
        StringBuilder text = new StringBuilder();
        for (Match match : rule.matches()) {
            text.append(match(match)).append(' ');
        }
        if (rule.counted()) {
            text.append("counter ");
        }
        text.append(action(rule.action()));
        if (!rule.comment().isEmpty()) {
            text.append(" comment \"").append(rule.comment()).append('"');
        }
        return text.toString();
    }

    /** All members of a set or map. */
    public static List<String> elements(NftSet set) {
        return switch (set) {
            case NftSet.Prefixes s ->
                s.members().stream().map(NftWriter::element).toList();
            case NftSet.Ports s -> s.members().stream().map(NftWriter::element).toList();
            case NftSet.Sources s ->
                s.members().stream().map(NftWriter::element).toList();
            case NftSet.VerdictMap s ->
                s.members().entrySet().stream()
                        .map(entry -> element(entry.getKey(), entry.getValue()))
                        .toList();
            case NftSet.PortMap s ->
                s.members().entrySet().stream()
                        .map(entry -> element(entry.getKey(), entry.getValue()))
                        .toList();
            case NftSet.ProtocolPorts s ->
                s.members().stream().map(NftWriter::element).toList();
            case NftSet.Selves s -> s.members().stream().map(NftWriter::pair).toList();
        };
    }

    /** A set's member: a bare address for /32 or /128. */
    public static String element(IpPrefix prefix) {
        return prefix.length() == prefix.family().bits() ? prefix.address().toString() : prefix.toString();
    }

    /** A member of {@link NftSet.Sources}. */
    public static String element(NftSet.Source source) {
        return "\"" + source.ifname() + "\" . " + source.mac() + " . " + source.address();
    }

    /** An entry of a map. */
    public static String element(IpAddress key, Verdict verdict) {
        return key + " : " + action(verdict);
    }

    /** A key of a {@link NftSet.PortMap}, or a member of {@link NftSet.ProtocolPorts}. */
    public static String element(NftSet.PortKey key) {
        return key.address().map(address -> address + " . ").orElse("") + key.protocol() + " . " + key.port();
    }

    /** An entry of a {@link NftSet.PortMap}. */
    public static String element(NftSet.PortKey key, NftSet.PortTarget target) {
        return element(key) + " : " + target.address() + " . " + target.port();
    }

    /** A member of {@link NftSet.Selves}. */
    public static String pair(IpAddress address) {
        return address + " . " + address;
    }

    private static String kind(boolean map) {
        return map ? "map" : "set";
    }

    private static String declaration(NftSet set) {
        String comment = set.comment().isEmpty() ? "" : " comment \"" + set.comment() + "\";";
        return switch (set) {
            case NftSet.Prefixes s ->
                "{ type " + type(s.family()) + ";" + (s.interval() ? " flags interval;" : "") + comment + " }";
            case NftSet.Ports _ -> "{ type inet_service; flags interval; }";
            case NftSet.Sources s -> "{ type ifname . ether_addr . " + type(s.family()) + "; }";
            case NftSet.VerdictMap s -> "{ type " + type(s.family()) + " : verdict; }";
            case NftSet.PortMap s ->
                "{ type " + (s.byAddress() ? type(s.family()) + " . " : "") + "inet_proto . inet_service : "
                        + type(s.family()) + " . inet_service; }";
            case NftSet.ProtocolPorts _ -> "{ type inet_proto . inet_service; }";
            case NftSet.Selves s -> "{ type " + type(s.family()) + " . " + type(s.family()) + "; }";
        };
    }

    private static String type(IpFamily family) {
        return switch (family) {
            case V4 -> "ipv4_addr";
            case V6 -> "ipv6_addr";
        };
    }

    private static String declaration(Chain chain) {
        return switch (chain) {
            case Chain.Base base ->
                " { type " + base.type().keyword() + " hook " + base.hook().keyword() + " priority " + base.priority()
                        + "; policy accept; }";
            case Chain.Regular _ -> "";
        };
    }

    private static String match(Match match) {
        return switch (match) {
            case Match.OneOf(Field field, List<Value> values) -> field.expression() + " " + values(values);
            case Match.Not(Field field, List<Value> values) -> field.expression() + " != " + values(values);
            case Match.InSet(List<Field> fields, String set) -> concatenated(fields) + " @" + set;
        };
    }

    /** A bare value, or an anonymous set. */
    private static String values(List<Value> values) {
        return values.size() == 1
                ? value(values.getFirst())
                : values.stream().map(NftWriter::value).collect(Collectors.joining(", ", "{ ", " }"));
    }

    private static String concatenated(List<Field> fields) {
        return fields.stream().map(Field::expression).collect(Collectors.joining(" . "));
    }

    private static String value(Value value) {
        return switch (value) {
            case Value.Symbol(String symbol) -> symbol;
            case Value.Interface(String name) -> "\"" + name + "\"";
            case Value.Span span -> element(span);
            case Value.Network(IpPrefix prefix) -> element(prefix);
        };
    }

    /** A member of {@link NftSet.Ports}. */
    public static String element(Value.Span span) {
        return span.first() == span.last() ? Integer.toString(span.first()) : span.first() + "-" + span.last();
    }

    /** A verdict or lookup. */
    public static String action(Action action) {
        return switch (action) {
            case Verdict.Accept() -> "accept";
            case Verdict.Drop() -> "drop";
            case Verdict.Return() -> "return";
            case Verdict.Jump(String chain) -> "jump " + chain;
            case Verdict.Goto(String chain) -> "goto " + chain;
            case Action.Lookup(Field key, String map) -> key.expression() + " vmap @" + map;
            case Action.Translate(IpFamily family, List<Field> keys, String map) ->
                "dnat " + (family == IpFamily.V4 ? "ip" : "ip6") + " to " + concatenated(keys) + " map @" + map;
            case Action.Masquerade(boolean randomPorts) -> randomPorts ? "masquerade fully-random" : "masquerade";
            case Action.Rewrite(Field field, IpAddress value) -> field.expression() + " set " + value;
            case Action.Log(int group, int perSecond, String prefix) ->
                "limit rate " + perSecond + "/second burst " + perSecond + " packets log prefix \"" + prefix
                        + "\" group " + group;
        };
    }

    private static void line(StringBuilder text, Object... parts) {
        for (Object part : parts) {
            text.append(part);
        }
        text.append('\n');
    }
}
