package io.podwire.node.nft.backend;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.MacAddress;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netlink.nft.SetElement;
import io.podwire.node.netlink.nft.SetElements;
import io.podwire.node.netlink.nft.SetVerdict;
import io.podwire.node.nft.diff.Transaction;
import io.podwire.node.nft.model.Command;
import io.podwire.node.nft.model.NftSet;
import io.podwire.node.nft.model.TableId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which transactions change nothing but members of hash sets and verdict maps, and their messages. Remembers
 * what each set was declared as. Not safe for several threads.
 */
final class MemberChanges {
    /** IFNAMSIZ, linux/if.h. */
    private static final int IFNAME_BYTES = 16;
    /** An Ethernet address takes two registers of four bytes. */
    private static final int MAC_BYTES = 8;

    private final Map<SetId, NftSet> declared = new HashMap<>();

    private record SetId(TableId table, String set) {}

    /** The messages for a transaction; empty when it changes more than such members. */
    Optional<List<SetElements>> messages(Transaction transaction) {
        List<SetElements> messages = new ArrayList<>();
        for (Command command : transaction.commands()) {
            Optional<SetElements> message = switch (command) {
                case Command.AddElements(var table, var set, var elements) -> message(table, set, false, elements);
                case Command.DeleteElements(var table, var set, var elements) -> message(table, set, true, elements);
                case Command.AddTable _, Command.DeleteTable _, Command.AddSet _, Command.DeleteSet _ ->
                    Optional.empty();
                case Command.AddChain _, Command.FlushChain _, Command.AddRules _, Command.DeleteChain _ ->
                    Optional.empty();
            };
            if (message.isEmpty()) {
                return Optional.empty();
            }
            messages.add(message.get());
        }
        return messages.isEmpty() ? Optional.empty() : Optional.of(messages);
    }

    /** Takes note of the declarations in a transaction that was applied. */
    void applied(Transaction transaction) {
        for (Command command : transaction.commands()) {
            switch (command) {
                case Command.AddSet(var table, var set) -> declared.put(new SetId(table, set.name()), set);
                case Command.DeleteSet(var table, var set, var _) -> declared.remove(new SetId(table, set));
                case Command.DeleteTable(var table) ->
                    declared.keySet().removeIf(id -> id.table().equals(table));
                case Command.AddTable _, Command.AddElements _, Command.DeleteElements _ -> {}
                case Command.AddChain _, Command.FlushChain _, Command.AddRules _, Command.DeleteChain _ -> {}
            }
        }
    }

    private Optional<SetElements> message(TableId table, String name, boolean delete, List<String> texts) {
        NftSet set = declared.get(new SetId(table, name));
        List<SetElement> elements = new ArrayList<>(texts.size());
        for (String text : texts) {
            switch (set) {
                case NftSet.Prefixes prefixes when !prefixes.interval() -> elements.add(address(text));
                case NftSet.Sources _ -> elements.add(source(text));
                case NftSet.VerdictMap _ -> elements.add(delete ? address(text) : entry(text));
                case null, default -> {
                    return Optional.empty();
                }
            }
        }
        return Optional.of(new SetElements(family(table), table.name(), name, delete, elements));
    }

    /** NFPROTO_... of a table's family. */
    static int family(TableId table) {
        return switch (table.family()) {
            case INET -> NftMessage.INET;
            case BRIDGE -> NftMessage.BRIDGE;
        };
    }

    /** "10.0.0.1". */
    private static SetElement address(String text) {
        return new SetElement(IpAddress.parse(text).bytes(), Optional.empty());
    }

    /** "10.0.0.1 : goto chain". */
    private static SetElement entry(String text) {
        int colon = text.indexOf(" : ");
        return new SetElement(
                IpAddress.parse(text.substring(0, colon)).bytes(), Optional.of(verdict(text.substring(colon + 3))));
    }

    private static SetVerdict verdict(String text) {
        int space = text.indexOf(' ');
        String chain = space < 0 ? "" : text.substring(space + 1);
        return switch (space < 0 ? text : text.substring(0, space)) {
            case "drop" -> new SetVerdict(SetVerdict.DROP, "");
            case "accept" -> new SetVerdict(SetVerdict.ACCEPT, "");
            case "return" -> new SetVerdict(SetVerdict.RETURN, "");
            case "jump" -> new SetVerdict(SetVerdict.JUMP, chain);
            case "goto" -> new SetVerdict(SetVerdict.GOTO, chain);
            default -> throw new IllegalArgumentException("'" + text + "' is no verdict");
        };
    }

    /** "\"ifname\" . mac . address". */
    private static SetElement source(String text) {
        String[] parts = text.split(" \\. ", 3);
        byte[] ifname = parts[0].substring(1, parts[0].length() - 1).getBytes(StandardCharsets.US_ASCII);
        byte[] address = IpAddress.parse(parts[2]).bytes();
        ByteBuffer key = ByteBuffer.allocate(IFNAME_BYTES + MAC_BYTES + address.length);
        key.put(ifname)
                .position(IFNAME_BYTES)
                .put(MacAddress.parse(parts[1]).bytes())
                .position(IFNAME_BYTES + MAC_BYTES)
                .put(address);
        return new SetElement(key.array(), Optional.empty());
    }
}
