package io.podwire.node.nft.backend;

import io.podwire.node.nft.diff.ListedTable;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Action;
import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Match;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Rule;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.model.Verdict;
import io.podwire.node.nft.text.NftWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/** nf_tables in memory: refuses what the kernel refuses, on a copy, so a refused transaction changes nothing. */
public final class ModelNft implements NftBackend {
    private Map<TableId, State> tables = new TreeMap<>();
    private int failures;

    /** A table: rules by chain, members by set and their key. */
    private record State(
            Map<String, Chain> chains,
            Map<String, List<String>> comments,
            Map<String, List<Rule>> rules,
            Map<String, NftSet> sets,
            Map<String, Map<String, String>> members) {
        static State empty() {
            return new State(new TreeMap<>(), new TreeMap<>(), new TreeMap<>(), new TreeMap<>(), new TreeMap<>());
        }

        State copy() {
            State copy = empty();
            copy.chains.putAll(chains);
            comments.forEach((name, list) -> copy.comments.put(name, new ArrayList<>(list)));
            rules.forEach((name, list) -> copy.rules.put(name, new ArrayList<>(list)));
            copy.sets.putAll(sets);
            members.forEach((name, map) -> copy.members.put(name, new TreeMap<>(map)));
            return copy;
        }
    }

    /** The next {@code count} transactions fail. */
    public synchronized void failNext(int count) {
        failures = count;
    }

    @Override
    public synchronized void apply(Transaction transaction) throws NftException {
        if (failures > 0) {
            failures--;
            throw new NftException("refused on request");
        }
        Map<TableId, State> copy = new TreeMap<>();
        tables.forEach((id, state) -> copy.put(id, state.copy()));
        for (Command command : transaction.commands()) {
            String problem = apply(command, copy);
            if (!problem.isEmpty()) {
                throw new NftException(problem + ": " + NftWriter.commands(List.of(command)));
            }
        }
        tables = copy;
    }

    @Override
    public synchronized Optional<ListedTable> list(TableId table) {
        State state = tables.get(table);
        if (state == null) {
            return Optional.empty();
        }
        SortedMap<String, String> digests = new TreeMap<>();
        SortedMap<ListedTable.CounterKey, ListedTable.Counter> counters = new TreeMap<>();
        state.comments.forEach((chain, comments) -> {
            digests.put(chain, comments.isEmpty() ? "" : comments.getFirst() + " +" + (comments.size() - 1));
            if (!comments.isEmpty()) {
                counters.put(new ListedTable.CounterKey(chain, comments.getFirst()), new ListedTable.Counter(0, 0));
            }
        });
        state.rules.forEach((chain, rules) -> rules.stream()
                .filter(rule -> rule.counted() && !rule.comment().isEmpty())
                .forEach(rule -> counters.put(
                        new ListedTable.CounterKey(chain, rule.comment()), new ListedTable.Counter(0, 0))));
        SortedMap<String, SortedSet<String>> sets = new TreeMap<>();
        state.members.forEach((name, members) -> sets.put(name, new TreeSet<>(members.values())));
        SortedSet<String> maps = new TreeSet<>();
        state.sets.values().stream().filter(NftSet::isMap).forEach(map -> maps.add(map.name()));
        return Optional.of(new ListedTable(table, digests, sets, maps, counters));
    }

    /** Empty: done. */
    private static String apply(Command command, Map<TableId, State> tables) {
        State state = tables.get(command.table());
        if (state == null && !(command instanceof Command.AddTable)) {
            return "no such table";
        }
        return switch (command) {
            case Command.AddTable(var id) -> {
                tables.putIfAbsent(id, State.empty());
                yield "";
            }
            case Command.DeleteTable(var id) -> tables.remove(id) == null ? "no such table" : "";
            case Command.AddSet(var _, var set) -> {
                NftSet before = state.sets.putIfAbsent(set.name(), set);
                state.members.putIfAbsent(set.name(), new TreeMap<>());
                yield before == null || before.getClass() == set.getClass() ? "" : "another kind of set is there";
            }
            case Command.DeleteSet(var _, var set, var map) -> {
                NftSet gone = state.sets.remove(set);
                if (gone == null || gone.isMap() != map) {
                    yield "no such set";
                }
                state.members.remove(set);
                yield dangling(state);
            }
            case Command.AddChain(var _, var chain) -> {
                state.chains.putIfAbsent(chain.name(), chain);
                state.comments.putIfAbsent(chain.name(), new ArrayList<>());
                state.rules.putIfAbsent(chain.name(), new ArrayList<>());
                yield "";
            }
            case Command.FlushChain(var _, var name) -> {
                if (!state.chains.containsKey(name)) {
                    yield "no such chain";
                }
                state.comments.get(name).clear();
                state.rules.get(name).clear();
                yield "";
            }
            case Command.AddRules(var _, var chain) -> {
                if (!state.chains.containsKey(chain.name())) {
                    yield "no such chain";
                }
                state.comments.get(chain.name()).add(NftWriter.digest(chain));
                chain.rules().forEach(rule -> state.comments.get(chain.name()).add(rule.comment()));
                state.rules.get(chain.name()).addAll(chain.rules());
                yield dangling(state);
            }
            case Command.DeleteChain(var _, var name) -> {
                if (state.chains.remove(name) == null) {
                    yield "no such chain";
                }
                state.comments.remove(name);
                yield state.rules.remove(name).isEmpty() ? dangling(state) : "chain has rules";
            }
            case Command.AddElements(var _, var set, var elements) -> add(state, set, elements);
            case Command.DeleteElements(var _, var set, var elements) -> {
                Map<String, String> members = state.members.getOrDefault(set, Collections.emptyMap());
                yield elements.stream().allMatch(element -> members.remove(element) != null) ? "" : "no such element";
            }
        };
    }

    private static String add(State state, String set, List<String> elements) {
        Map<String, String> members = state.members.get(set);
        if (members == null) {
            return "no such set";
        }
        boolean map = state.sets.get(set).isMap();
        for (String element : elements) {
            String key = map ? element.substring(0, element.indexOf(" : ")) : element;
            String before = members.put(key, element);
            if (before != null && !before.equals(element)) {
                return "another value is there";
            }
        }
        return dangling(state);
    }

    /** What is referred to and is not there; empty: nothing. */
    private static String dangling(State state) {
        for (List<Rule> rules : state.rules.values()) {
            for (Rule rule : rules) {
                for (Match match : rule.matches()) {
                    if (match instanceof Match.InSet(var _, String set) && !state.sets.containsKey(set)) {
                        return "a rule needs set " + set;
                    }
                }
                switch (rule.action()) {
                    case Action.Lookup(var _, String map)
                    when !state.sets.containsKey(map) -> {
                        return "a rule needs map " + map;
                    }
                    case Verdict.Jump(String chain)
                    when !state.chains.containsKey(chain) -> {
                        return "a rule needs chain " + chain;
                    }
                    case Verdict.Goto(String chain)
                    when !state.chains.containsKey(chain) -> {
                        return "a rule needs chain " + chain;
                    }
                    case Action.Translate(var _, var _, String map)
                    when !state.sets.containsKey(map) -> {
                        return "a rule needs map " + map;
                    }
                    case Action.Translate _,
                            Action.Masquerade _,
                            Action.Rewrite _,
                            Action.Log _,
                            Action.Lookup _,
                            Verdict.Jump _,
                            Verdict.Goto _,
                            Verdict.Accept _,
                            Verdict.Drop _,
                            Verdict.Return _ -> {}
                }
            }
        }
        for (Map<String, String> members : state.members.values()) {
            for (String element : members.values()) {
                int at = element.indexOf(" : goto ");
                if (at >= 0 && !state.chains.containsKey(element.substring(at + 8))) {
                    return "an entry needs chain " + element.substring(at + 8);
                }
            }
        }
        return "";
    }

    @Override
    public synchronized String toString() {
        return tables.toString();
    }
}
