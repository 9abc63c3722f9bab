package io.podwire.node.nft.diff;

import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.text.NftWriter;
import java.util.ArrayList;
import java.util.List;

/**
 * Commands that the kernel does all or none of, at one instant.
 *
 * @param commands in order
 */
public record Transaction(List<Command> commands) {
    /** Copies. */
    public Transaction {
        commands = List.copyOf(commands);
    }

    /**
     * Our tables exactly so, whatever is there now: each is deleted and made again within the one
     * transaction, so traffic never meets a gap. Other tables are left alone.
     */
    public static Transaction replaceAll(Ruleset desired) {
        List<Command> commands = new ArrayList<>();
        for (Table table : desired.tables().values()) {
            TableWriter.replace(table, commands);
        }
        return new Transaction(commands);
    }

    /** True when there is nothing to do. */
    public boolean isEmpty() {
        return commands.isEmpty();
    }

    /** What nft(8) is given. */
    public String text() {
        return NftWriter.commands(commands);
    }
}
