package io.podwire.node.nft.diff;

import io.podwire.node.nft.model.Chain;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.Ruleset;
import io.podwire.node.nft.model.Table;
import io.podwire.node.nft.model.TableId;
import io.podwire.node.nft.text.NftWriter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

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
     * Our tables exactly so, whatever is there now: each is deleted and made again within the one transaction. Other
     * tables are left alone. No packet passes unjudged, but one that is inside a table at that moment may be dropped:
     * {@link Rewrite} does without that, where the kernel lets it.
     */
    public static Transaction replaceAll(Ruleset desired) {
        List<Command> commands = new ArrayList<>();
        for (Table table : desired.tables().values()) {
            TableWriter.replace(table, commands);
        }
        return new Transaction(commands);
    }

    /**
     * The same as transactions to be made one after the other. The first makes new chains, to which nothing leads yet;
     * the second leads to them. In one, a packet on its way could follow a new member of a map to a chain whose rules
     * it does not see: it keeps the rules of the moment at which it entered the base chain, and a chain that was not
     * there then has none, so nobody would judge it.
     */
    public List<Transaction> steps() {
        Set<TableId> replaced = new HashSet<>();
        Set<ChainId> flushed = new HashSet<>();
        for (Command command : commands) {
            switch (command) {
                case Command.DeleteTable(var table) -> replaced.add(table);
                case Command.FlushChain flush -> flushed.add(new ChainId(flush.table(), flush.chain()));
                default -> {}
            }
        }
        List<Command> first = new ArrayList<>();
        List<Command> second = new ArrayList<>();
        boolean fresh = false;
        for (Command command : commands) {
            boolean ahead = !replaced.contains(command.table())
                    && switch (command) {
                        case Command.AddTable _, Command.AddSet _ -> true;
                        case Command.AddChain(var table, var chain) -> isFresh(table, chain, flushed);
                        case Command.AddRules(var table, var chain) -> isFresh(table, chain, flushed);
                        case Command.AddElements _, Command.DeleteElements _, Command.FlushChain _ -> false;
                        case Command.DeleteChain _, Command.DeleteSet _, Command.DeleteTable _ -> false;
                    };
            fresh |= ahead && command instanceof Command.AddChain;
            (ahead ? first : second).add(command);
        }
        return fresh && !second.isEmpty() ? List.of(new Transaction(first), new Transaction(second)) : List.of(this);
    }

    private record ChainId(TableId table, String chain) {}

    /** One that is not there yet: one that is there is flushed before it is filled. */
    private static boolean isFresh(TableId table, Chain chain, Set<ChainId> flushed) {
        return chain instanceof Chain.Regular && !flushed.contains(new ChainId(table, chain.name()));
    }

    /**
     * Leaves nothing behind: makes a table with a chain and deletes it, so that a kernel that cannot have the chain refuses.
     *
     * @param table one that nobody has
     */
    public static Transaction trial(TableId table, Chain chain) {
        return new Transaction(List.of(
                new Command.AddTable(table),
                new Command.AddChain(table, chain),
                new Command.AddRules(table, chain),
                new Command.DeleteTable(table)));
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
