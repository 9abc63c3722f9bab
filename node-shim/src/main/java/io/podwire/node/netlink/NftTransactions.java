package io.podwire.node.netlink;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;

/**
 * Gathers the tables that the messages of one nftables transaction name, until the generation that ends it says who
 * made it (linux/netfilter/nf_tables.h). Belongs to one thread. Does no I/O.
 */
final class NftTransactions {
    private static final int SUBSYSTEM = 10; // NFNL_SUBSYS_NFTABLES
    private static final int NFT_MSG_NEWGEN = 15;
    /** struct nfgenmsg. */
    private static final int HEADER = 4;
    /** NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE and so on: of every object it is the first. */
    private static final int TABLE = 1;

    private static final int NFTA_GEN_PROC_PID = 2;
    private static final int NFTA_GEN_PROC_NAME = 3;

    private record Table(int family, String name) {}

    private final Set<Table> changed = new LinkedHashSet<>();
    private final IntPredicate ours;

    /**
     * Nothing gathered yet.
     *
     * @param ours which ports are those of sockets of this process. The kernel tells the process's number as well,
     *     but that of the thread, and in the first PID namespace: a process in a PID namespace of its own does not
     *     find itself there (nf_tables_fill_gen_info() in net/netfilter/nf_tables_api.c).
     */
    NftTransactions(IntPredicate ours) {
        this.ours = ours;
    }

    /** What the message says, with those before it. */
    List<NftEvent> read(NlMessage message) {
        if (message.type() >>> 8 != SUBSYSTEM) {
            return List.of();
        }
        if ((message.type() & 0xFF) == NFT_MSG_NEWGEN) {
            return end(message);
        }
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            if (in.type() == TABLE) {
                changed.add(new Table(message.u8(0), in.text()));
            }
        }
        return List.of();
    }

    private List<NftEvent> end(NlMessage message) {
        String name = "?";
        int number = 0;
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case NFTA_GEN_PROC_NAME -> name = in.text();
                case NFTA_GEN_PROC_PID -> number = in.i32be();
                default -> {}
            }
        }
        boolean own = ours.test(message.port());
        String process = name + " (" + number + ")";
        List<NftEvent> events = changed.stream()
                .<NftEvent>map(table -> new NftEvent.TableChanged(family(table.family()), table.name(), own, process))
                .toList();
        changed.clear();
        return events;
    }

    /** Forgets a transaction whose end may be lost. */
    void forget() {
        changed.clear();
    }

    /** NFPROTO_..., linux/netfilter.h, as nft(8) says it. */
    private static String family(int number) {
        return switch (number) {
            case 1 -> "inet";
            case 2 -> "ip";
            case 3 -> "arp";
            case 5 -> "netdev";
            case 7 -> "bridge";
            case 10 -> "ip6";
            default -> "family " + number;
        };
    }
}
