package io.podwire.node.nft.diff;

import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.text.NftWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What is known of a table by looking at it: enough to say whether it is the one that was meant, and
 * to read its counters.
 *
 * @param id which table
 * @param digests by chain: the comment of its first rule ({@link NftWriter#digest}), followed by " +N"
 *     where N rules stand behind it; empty for a chain without rules
 * @param sets by set or map: its members' canonical text
 * @param maps names of those that are maps
 * @param counters packets and bytes of each rule that has both a counter and a comment
 */
public record ListedTable(
        TableId id,
        SortedMap<String, String> digests,
        SortedMap<String, SortedSet<String>> sets,
        SortedSet<String> maps,
        SortedMap<CounterKey, Counter> counters) {

    /** Copies. */
    public ListedTable {
        digests = Collections.unmodifiableSortedMap(new TreeMap<>(digests));
        SortedMap<String, SortedSet<String>> copy = new TreeMap<>();
        sets.forEach((name, members) -> copy.put(name, Collections.unmodifiableSortedSet(new TreeSet<>(members))));
        sets = Collections.unmodifiableSortedMap(copy);
        maps = Collections.unmodifiableSortedSet(new TreeSet<>(maps));
        counters = Collections.unmodifiableSortedMap(new TreeMap<>(counters));
    }

    /**
     * Which counter.
     *
     * @param chain chain of its rule
     * @param comment comment of its rule
     */
    public record CounterKey(String chain, String comment) implements Comparable<CounterKey> {
        private static final Comparator<CounterKey> ORDER =
                Comparator.comparing(CounterKey::chain).thenComparing(CounterKey::comment);

        @Override
        public int compareTo(CounterKey other) {
            return ORDER.compare(this, other);
        }
    }

    /**
     * What was counted.
     *
     * @param packets packets since the rule was made
     * @param bytes their bytes from the IP header on
     */
    public record Counter(long packets, long bytes) {}

    /** What a faithful copy of the table looks like, all counters left out. */
    public static ListedTable expected(Table table) {
        SortedMap<String, String> digests = new TreeMap<>();
        table.chains()
                .forEach((name, chain) -> digests.put(
                        name, NftWriter.digest(chain) + " +" + chain.rules().size()));
        SortedMap<String, SortedSet<String>> sets = new TreeMap<>();
        SortedSet<String> maps = new TreeSet<>();
        table.sets().forEach((name, set) -> {
            sets.put(name, new TreeSet<>(NftWriter.elements(set)));
            if (set.isMap()) {
                maps.add(name);
            }
        });
        return new ListedTable(table.id(), digests, sets, maps, Collections.emptySortedMap());
    }

    /** What is in another table and not in this one, or is another chain here; what is here beside it is left out. */
    public List<String> lacking(ListedTable part) {
        List<String> lacking = new ArrayList<>();
        part.digests.forEach((chain, digest) -> {
            if (!digest.equals(digests.get(chain))) {
                lacking.add("chain " + chain + (digests.containsKey(chain) ? " as it was written" : ""));
            }
        });
        part.sets.forEach((set, members) -> {
            SortedSet<String> missing = new TreeSet<>(members);
            missing.removeAll(sets.getOrDefault(set, Collections.emptySortedSet()));
            if (!sets.containsKey(set)) {
                lacking.add("set " + set);
            } else if (!missing.isEmpty()) {
                lacking.add(missing.size() + " members of set " + set + ", among them " + missing.first());
            }
        });
        return List.copyOf(lacking);
    }

    /** What is not as in another table: what is lacking, and what is here beside it; one sentence without its subject each. */
    public List<String> differences(ListedTable wanted) {
        List<String> differences = new ArrayList<>();
        lacking(wanted).forEach(what -> differences.add("lacks " + what));
        digests.keySet().stream()
                .filter(chain -> !wanted.digests.containsKey(chain))
                .forEach(chain -> differences.add("has chain " + chain + ", which nobody wanted"));
        sets.forEach((set, members) -> {
            SortedSet<String> more = new TreeSet<>(members);
            more.removeAll(wanted.sets.getOrDefault(set, Collections.emptySortedSet()));
            if (!wanted.sets.containsKey(set)) {
                differences.add("has set " + set + ", which nobody wanted");
            } else if (!more.isEmpty()) {
                differences.add("has " + more.size() + " more members in set " + set + ", among them " + more.first());
            }
        });
        return List.copyOf(differences);
    }

    /** True for a table that has chains, and not one rule in any of them. */
    public boolean hasNoRules() {
        return !digests.isEmpty() && digests.values().stream().allMatch(String::isEmpty);
    }

    /** True when chains, sets and members are the same; counters are not looked at. */
    public boolean sameContent(ListedTable other) {
        return id.equals(other.id)
                && digests.equals(other.digests)
                && sets.equals(other.sets)
                && maps.equals(other.maps);
    }
}
