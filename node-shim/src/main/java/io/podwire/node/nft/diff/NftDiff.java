package io.podwire.node.nft.diff;

import io.podwire.common.net.IpAddress;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.text.NftWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * The way from one ruleset to another. Parts that are the same object cost nothing, so a planner that
 * shares what did not change makes a small change cheap whatever the size of the rest.
 */
public final class NftDiff {
    private NftDiff() {}

    /**
     * What turns {@code applied} into {@code desired}. Chains are rewritten whole, sets and maps
     * member by member; a table whose declarations changed under the same name is replaced. Comments of
     * sets are left as they were.
     */
    public static Transaction between(Ruleset applied, Ruleset desired) {
        List<Command> commands = new ArrayList<>();
        each(applied.tables(), desired.tables(), (old, now) -> {
            if (old == null) {
                TableWriter.replace(now, commands);
            } else if (now == null) {
                commands.add(new Command.DeleteTable(old.id()));
            } else if (redeclared(old, now)) {
                TableWriter.replace(now, commands);
            } else {
                change(old, now, commands);
            }
        });
        return new Transaction(commands);
    }

    /** True when a set or base chain keeps its name and becomes another kind, which nft cannot do in place. */
    private static boolean redeclared(Table old, Table now) {
        boolean[] found = {false};
        each(old.sets(), now.sets(), (a, b) -> found[0] |= a != null && b != null && !sameKind(a, b));
        each(old.chains(), now.chains(), (a, b) -> found[0] |= a != null && b != null && !sameKind(a, b));
        return found[0];
    }

    private static boolean sameKind(NftSet a, NftSet b) {
        return switch (a) {
            case NftSet.Prefixes old ->
                b instanceof NftSet.Prefixes now && old.interval() == now.interval() && old.family() == now.family();
            case NftSet.Sources old -> b instanceof NftSet.Sources now && old.family() == now.family();
            case NftSet.VerdictMap old -> b instanceof NftSet.VerdictMap now && old.family() == now.family();
            case NftSet.Ports _ -> b instanceof NftSet.Ports;
            case NftSet.PortMap old ->
                b instanceof NftSet.PortMap now && old.byAddress() == now.byAddress() && old.family() == now.family();
            case NftSet.Selves old -> b instanceof NftSet.Selves now && old.family() == now.family();
            case NftSet.ProtocolPorts _ -> b instanceof NftSet.ProtocolPorts;
        };
    }

    private static boolean sameKind(Chain a, Chain b) {
        return switch (a) {
            case Chain.Base old ->
                b instanceof Chain.Base now
                        && old.type() == now.type()
                        && old.hook() == now.hook()
                        && old.priority() == now.priority();
            case Chain.Regular _ -> b instanceof Chain.Regular;
        };
    }

    /**
     * New sets, new chains, rules, then members: what is referred to stands before what refers to it.
     * Removals the other way round.
     */
    private static void change(Table old, Table now, List<Command> commands) {
        TableId id = now.id();
        List<Command> newChains = new ArrayList<>();
        List<Command> rules = new ArrayList<>();
        List<Command> members = new ArrayList<>();
        List<Command> flushes = new ArrayList<>();
        List<Command> setRemovals = new ArrayList<>();
        List<Command> chainRemovals = new ArrayList<>();

        each(old.chains(), now.chains(), (before, after) -> {
            if (before == null) {
                newChains.add(new Command.AddChain(id, after));
                rules.add(new Command.AddRules(id, after));
            } else if (after == null) {
                flushes.add(new Command.FlushChain(id, before.name()));
                chainRemovals.add(new Command.DeleteChain(id, before.name()));
            } else {
                rules.add(new Command.FlushChain(id, after.name()));
                rules.add(new Command.AddRules(id, after));
            }
        });
        each(old.sets(), now.sets(), (before, after) -> {
            if (before == null) {
                TableWriter.addSet(id, after, commands);
                TableWriter.fillMap(id, after, members);
            } else if (after == null) {
                setRemovals.add(new Command.DeleteSet(id, before.name(), before.isMap()));
            } else {
                changeMembers(id, before, after, members);
            }
        });
        commands.addAll(newChains);
        commands.addAll(rules);
        commands.addAll(members);
        commands.addAll(flushes);
        // Entries of a map lead to chains.
        commands.addAll(setRemovals);
        commands.addAll(chainRemovals);
    }

    private static void changeMembers(TableId id, NftSet before, NftSet after, List<Command> commands) {
        switch (after) {
            case NftSet.Prefixes set ->
                changeList(id, set, ((NftSet.Prefixes) before).members(), set.members(), NftWriter::element, commands);
            case NftSet.Sources set ->
                changeList(id, set, ((NftSet.Sources) before).members(), set.members(), NftWriter::element, commands);
            case NftSet.Ports set ->
                changeList(id, set, ((NftSet.Ports) before).members(), set.members(), NftWriter::element, commands);
            case NftSet.VerdictMap map ->
                changeMap(
                        id,
                        map,
                        ((NftSet.VerdictMap) before).members(),
                        map.members(),
                        IpAddress::toString,
                        NftWriter::element,
                        commands);
            case NftSet.PortMap map ->
                changeMap(
                        id,
                        map,
                        ((NftSet.PortMap) before).members(),
                        map.members(),
                        NftWriter::element,
                        NftWriter::element,
                        commands);
            case NftSet.ProtocolPorts set ->
                changeList(
                        id,
                        set,
                        ((NftSet.ProtocolPorts) before).members(),
                        set.members(),
                        NftWriter::element,
                        commands);
            case NftSet.Selves set ->
                changeList(id, set, ((NftSet.Selves) before).members(), set.members(), NftWriter::pair, commands);
        }
    }

    private static <T extends Comparable<T>> void changeList(
            TableId id, NftSet set, List<T> before, List<T> after, Function<T, String> text, List<Command> commands) {
        if (before.equals(after)) { // at once when it is the same list
            return;
        }
        List<String> removed = new ArrayList<>();
        List<String> added = new ArrayList<>();
        int i = 0;
        int j = 0;
        while (i < before.size() || j < after.size()) {
            int order = i == before.size()
                    ? 1
                    : j == after.size() ? -1 : before.get(i).compareTo(after.get(j));
            if (order < 0) {
                removed.add(text.apply(before.get(i++)));
            } else if (order > 0) {
                added.add(text.apply(after.get(j++)));
            } else {
                i++;
                j++;
            }
        }
        TableWriter.deleteElements(id, set, removed, commands);
        TableWriter.addElements(id, set, added, commands);
    }

    private static <K extends Comparable<K>, V> void changeMap(
            TableId id,
            NftSet map,
            SortedMap<K, V> before,
            SortedMap<K, V> after,
            Function<K, String> key,
            BiFunction<K, V, String> entry,
            List<Command> commands) {
        List<String> removed = new ArrayList<>();
        List<String> added = new ArrayList<>();
        eachEntry(before, after, (old, now) -> {
            if (old != null) {
                removed.add(key.apply(old.getKey()));
            }
            if (now != null) {
                added.add(entry.apply(now.getKey(), now.getValue()));
            }
        });
        TableWriter.deleteElements(id, map, removed, commands);
        TableWriter.addElements(id, map, added, commands);
    }

    /** Calls with (old, new) for each key whose values differ, in order of keys; null: not there. */
    private static <K extends Comparable<K>, V> void each(
            SortedMap<K, V> old, SortedMap<K, V> now, BiConsumer<V, V> action) {
        eachEntry(old, now, (a, b) -> action.accept(a == null ? null : a.getValue(), b == null ? null : b.getValue()));
    }

    private static <K extends Comparable<K>, V> void eachEntry(
            SortedMap<K, V> old, SortedMap<K, V> now, BiConsumer<Map.Entry<K, V>, Map.Entry<K, V>> action) {
        var olds = old.entrySet().iterator();
        var news = now.entrySet().iterator();
        Map.Entry<K, V> a = olds.hasNext() ? olds.next() : null;
        Map.Entry<K, V> b = news.hasNext() ? news.next() : null;
        while (a != null || b != null) {
            int order = a == null ? 1 : b == null ? -1 : a.getKey().compareTo(b.getKey());
            // Values that are the same object are equal at once.
            if (order != 0 || !Objects.equals(a.getValue(), b.getValue())) {
                action.accept(order <= 0 ? a : null, order >= 0 ? b : null);
            }
            if (order <= 0) {
                a = olds.hasNext() ? olds.next() : null;
            }
            if (order >= 0) {
                b = news.hasNext() ? news.next() : null;
            }
        }
    }
}
