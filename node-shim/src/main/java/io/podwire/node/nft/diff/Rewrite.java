package io.podwire.node.nft.diff;

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
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * The way from tables that were looked at to a ruleset, without a packet lost on it: every chain is written anew in
 * its place, and of sets only the members change that differ.
 *
 * <p>{@link Transaction#replaceAll} would be simpler. But a packet that is inside a table while that is replaced goes
 * on by the old rules and finds the old verdict maps empty: the kernel chooses a chain's rules once, when the packet
 * enters the base chain (nft_do_chain(), net/netfilter/nf_tables_core.c), and a map's members at each lookup.
 */
public final class Rewrite {
    /** A member that a listing gives as JSON: it is none that Podwire wrote, and has no text to be deleted by. */
    private static final String JSON = "{";

    private Rewrite() {}

    /**
     * What turns the tables into the ruleset. The kernel refuses it where a set or chain is declared otherwise there.
     *
     * @param found those of the ruleset's tables that are there
     */
    public static Transaction of(Map<TableId, ListedTable> found, Ruleset desired) {
        List<Command> commands = new ArrayList<>();
        for (Table table : desired.tables().values()) {
            ListedTable there = found.get(table.id());
            if (there == null || there.sets().values().stream().anyMatch(Rewrite::hasForeign)) {
                TableWriter.replace(table, commands);
            } else {
                change(there, table, commands);
            }
        }
        return new Transaction(commands);
    }

    private static boolean hasForeign(SortedSet<String> members) {
        return members.stream().anyMatch(member -> member.startsWith(JSON));
    }

    private static void change(ListedTable there, Table table, List<Command> commands) {
        TableId id = table.id();
        for (NftSet set : table.sets().values()) {
            commands.add(new Command.AddSet(id, set));
        }
        for (Chain chain : table.chains().values()) {
            commands.add(new Command.AddChain(id, chain));
        }
        for (Chain chain : table.chains().values()) {
            if (there.digests().containsKey(chain.name())) {
                commands.add(new Command.FlushChain(id, chain.name()));
            }
            commands.add(new Command.AddRules(id, chain));
        }
        for (NftSet set : table.sets().values()) {
            members(id, set, there.sets().getOrDefault(set.name(), new TreeSet<>()), commands);
        }
        List<String> surplus = there.digests().keySet().stream()
                .filter(chain -> !table.chains().containsKey(chain))
                .toList();
        surplus.forEach(chain -> commands.add(new Command.FlushChain(id, chain)));
        there.sets().keySet().stream()
                .filter(set -> !table.sets().containsKey(set))
                .forEach(set ->
                        commands.add(new Command.DeleteSet(id, set, there.maps().contains(set))));
        surplus.forEach(chain -> commands.add(new Command.DeleteChain(id, chain)));
    }

    private static void members(TableId id, NftSet set, SortedSet<String> there, List<Command> commands) {
        SortedSet<String> wanted = new TreeSet<>(NftWriter.elements(set));
        TableWriter.deleteElements(
                id,
                set,
                there.stream()
                        .filter(member -> !wanted.contains(member))
                        .map(member -> set.isMap() ? member.substring(0, member.indexOf(" : ")) : member)
                        .toList(),
                commands);
        TableWriter.addElements(
                id,
                set,
                wanted.stream().filter(member -> !there.contains(member)).toList(),
                commands);
    }
}
