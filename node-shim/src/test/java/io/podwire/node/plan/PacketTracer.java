package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.ChainType;
import io.podwire.node.nft.model.Field;
import io.podwire.node.nft.model.Hook;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.model.Value;
import io.podwire.node.nft.model.Verdict;
import java.util.List;
import java.util.Map;

/**
 * Walks a packet through a ruleset: what the kernel would say, without one. It translates nothing: a flow here is what
 * it is after translation, as policy sees it.
 */
public final class PacketTracer {
    private final Ruleset ruleset;

    public PacketTracer(Ruleset ruleset) {
        this.ruleset = ruleset;
    }

    /** Where an end of a flow is. */
    public enum Side {
        POD,
        NODE,
        ELSEWHERE
    }

    /** A connection as the node in the middle sees it. */
    public record Flow(Side from, IpAddress source, Side to, IpAddress destination, String protocol, int port) {
        Map<Field, String> facts(boolean reply) {
            Side in = reply ? to : from;
            Side out = reply ? from : to;
            boolean v4 = source.family() == IpFamily.V4;
            return Map.of(
                    Field.IIFNAME,
                    in == Side.POD ? "pw0" : "eth0",
                    Field.OIFNAME,
                    out == Side.POD ? "pw0" : "eth0",
                    Field.FAMILY,
                    v4 ? "ipv4" : "ipv6",
                    Field.PROTOCOL,
                    protocol,
                    Field.FLOW_DIRECTION,
                    reply ? "reply" : "original",
                    Field.FLOW_STATE,
                    reply ? "established" : "new",
                    v4 ? Field.FLOW_SOURCE : Field.FLOW_SOURCE_6,
                    source.toString(),
                    v4 ? Field.FLOW_DESTINATION : Field.FLOW_DESTINATION_6,
                    destination.toString(),
                    Field.FLOW_PORT,
                    Integer.toString(port));
        }

        Hook hook(boolean reply) {
            Side in = reply ? to : from;
            Side out = reply ? from : to;
            return in == Side.NODE ? Hook.OUTPUT : out == Side.NODE ? Hook.INPUT : Hook.FORWARD;
        }
    }

    /** What became of a packet, and the comment of the rule that dropped it. */
    public record Outcome(boolean accepted, String by) {}

    /** True when packets of both directions pass. */
    public boolean passes(Flow flow) {
        return trace(flow, false).accepted() && trace(flow, true).accepted();
    }

    /** One direction of a flow. */
    public Outcome trace(Flow flow, boolean reply) {
        return trace(RulesetPlanner.POLICY_TABLE, flow.hook(reply), flow.facts(reply));
    }

    /** A packet of these facts in a hook; a fact that is missing matches nothing. */
    public Outcome trace(TableId id, Hook hook, Map<Field, String> packet) {
        Table table = ruleset.tables().get(id);
        for (Chain chain : table.chains().values()) {
            if (chain instanceof Chain.Base base && base.hook() == hook && base.type() == ChainType.FILTER) {
                Step step = walk(table, base, packet);
                if (step.kind == Kind.DROP) {
                    return new Outcome(false, step.by);
                }
            }
        }
        return new Outcome(true, "");
    }

    private enum Kind {
        ACCEPT,
        DROP,
        RETURN
    }

    private record Step(Kind kind, String by) {}

    private static Step walk(Table table, Chain chain, Map<Field, String> packet) {
        for (Rule rule : chain.rules()) {
            if (!rule.matches().stream().allMatch(match -> matches(table, match, packet))) {
                continue;
            }
            Action action = rule.action();
            if (action instanceof Action.Translate
                    || action instanceof Action.Masquerade
                    || action instanceof Action.Rewrite
                    || action instanceof Action.Log) {
                continue;
            }
            if (action instanceof Action.Lookup(Field key, String map)) {
                NftSet.VerdictMap verdicts = (NftSet.VerdictMap) table.sets().get(map);
                Verdict found =
                        packet.containsKey(key) ? verdicts.members().get(IpAddress.parse(packet.get(key))) : null;
                if (found == null) {
                    continue;
                }
                action = found;
            }
            switch ((Verdict) action) {
                case Verdict.Accept() -> {
                    return new Step(Kind.ACCEPT, rule.comment());
                }
                case Verdict.Drop() -> {
                    return new Step(Kind.DROP, rule.comment());
                }
                case Verdict.Return() -> {
                    return new Step(Kind.RETURN, rule.comment());
                }
                case Verdict.Goto(String target) -> {
                    return walk(table, table.chains().get(target), packet);
                }
                case Verdict.Jump(String target) -> {
                    Step step = walk(table, table.chains().get(target), packet);
                    if (step.kind != Kind.RETURN) {
                        return step;
                    }
                }
            }
        }
        return new Step(Kind.RETURN, "");
    }

    private static boolean matches(Table table, Match match, Map<Field, String> packet) {
        return switch (match) {
            case Match.OneOf(Field field, List<Value> values) ->
                packet.containsKey(field) && values.stream().anyMatch(value -> is(value, packet.get(field)));
            case Match.Not(Field field, List<Value> values) ->
                packet.containsKey(field) && values.stream().noneMatch(value -> is(value, packet.get(field)));
            case Match.InSet(List<Field> fields, String set) ->
                packet.keySet().containsAll(fields) && contains(table.sets().get(set), fields, packet);
        };
    }

    private static boolean contains(NftSet set, List<Field> fields, Map<Field, String> packet) {
        String first = packet.get(fields.getFirst());
        return switch (set) {
            case NftSet.Prefixes s -> s.members().stream().anyMatch(member -> member.contains(IpAddress.parse(first)));
            case NftSet.Ports s -> s.members().stream().anyMatch(member -> is(member, first));
            case NftSet.Sources s ->
                s.members().stream()
                        .anyMatch(member -> List.of(
                                        member.ifname(),
                                        member.mac().toString(),
                                        member.address().toString())
                                .equals(fields.stream().map(packet::get).toList()));
            case NftSet.VerdictMap s -> s.members().containsKey(IpAddress.parse(first));
            case NftSet.Selves s ->
                first.equals(packet.get(fields.getLast())) && s.members().contains(IpAddress.parse(first));
            case NftSet.PortMap _, NftSet.ProtocolPorts _ -> false;
        };
    }

    private static boolean is(Value value, String fact) {
        return switch (value) {
            case Value.Symbol(String symbol) -> symbol.equals(fact);
            case Value.Interface(String name) ->
                name.endsWith("*") ? fact.startsWith(name.substring(0, name.length() - 1)) : name.equals(fact);
            case Value.Network(var prefix) -> prefix.contains(IpAddress.parse(fact));
            case Value.Span(int first, int last) -> Integer.parseInt(fact) >= first && Integer.parseInt(fact) <= last;
        };
    }
}
