package io.podwire.node.nft.diff;

import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.text.NftWriter;
import java.util.List;

/** A whole table as commands. Members of maps come last: they lead to chains. */
final class TableWriter {
    private TableWriter() {}

    /** Deletes the table, which is made first in case it is not there, and makes it anew. */
    static void replace(Table table, List<Command> commands) {
        commands.add(new Command.AddTable(table.id()));
        commands.add(new Command.DeleteTable(table.id()));
        commands.add(new Command.AddTable(table.id()));
        table.sets().values().forEach(set -> addSet(table.id(), set, commands));
        for (Chain chain : table.chains().values()) {
            commands.add(new Command.AddChain(table.id(), chain));
        }
        for (Chain chain : table.chains().values()) {
            commands.add(new Command.AddRules(table.id(), chain));
        }
        table.sets().values().forEach(set -> fillMap(table.id(), set, commands));
    }

    /** Makes a set, and fills it unless it is a map. */
    static void addSet(TableId table, NftSet set, List<Command> commands) {
        commands.add(new Command.AddSet(table, set));
        if (!(set instanceof NftSet.VerdictMap)) {
            addElements(table, set, NftWriter.elements(set), commands);
        }
    }

    /** Fills a set if it is a map. */
    static void fillMap(TableId table, NftSet set, List<Command> commands) {
        if (set instanceof NftSet.VerdictMap) {
            addElements(table, set, NftWriter.elements(set), commands);
        }
    }

    static void addElements(TableId table, NftSet set, List<String> elements, List<Command> commands) {
        if (!elements.isEmpty()) {
            commands.add(new Command.AddElements(table, set.name(), elements));
        }
    }

    static void deleteElements(TableId table, NftSet set, List<String> elements, List<Command> commands) {
        if (!elements.isEmpty()) {
            commands.add(new Command.DeleteElements(table, set.name(), elements));
        }
    }
}
