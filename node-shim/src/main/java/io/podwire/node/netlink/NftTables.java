package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Which tables nf_tables has in one network namespace, by nfnetlink. Asking libnftables is not safe: it writes flags of
 * a table, which any program may set, from memory that it has freed (nft 1.0.6, table_flags_json(), src/json.c). Safe
 * for all threads, one request at a time.
 */
public final class NftTables implements AutoCloseable {
    /** NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, linux/netfilter/nf_tables.h. */
    private static final int GET = 10 << 8 | 1;

    private static final int NFTA_TABLE_NAME = 1;
    private static final int NFTA_TABLE_FLAGS = 2;
    /** Bytes of a struct nfgenmsg. */
    private static final int HEADER = 4;

    private final NetlinkSocket socket;

    private NftTables(NetlinkSocket socket) {
        this.socket = socket;
    }

    /** In the network namespace of the calling thread, whichever thread uses it later. */
    public static NftTables open() {
        return new NftTables(NetlinkSocket.openNetfilter());
    }

    /**
     * The flags of a table, NFT_TABLE_F_... in linux/netfilter/nf_tables.h.
     *
     * @param family NFPROTO_...
     * @return empty when there is no such table
     * @throws NetlinkException when the kernel does not tell
     */
    public OptionalInt flags(int family, String table) {
        return socket.get(
                        () -> "ask for nf_tables table " + table,
                        GET,
                        out -> {
                            out.put8(family).put8(0).put16(0);
                            out.text(NFTA_TABLE_NAME, table);
                        },
                        message -> Optional.of(flags(message)),
                        Errno.ENOENT)
                .map(OptionalInt::of)
                .orElse(OptionalInt.empty());
    }

    private static int flags(NlMessage message) {
        NlReader in = message.attributes(HEADER);
        int flags = 0;
        while (in.next()) {
            if (in.type() == NFTA_TABLE_FLAGS) {
                flags = in.i32be();
            }
        }
        return flags;
    }

    @Override
    public void close() {
        socket.close();
    }
}
