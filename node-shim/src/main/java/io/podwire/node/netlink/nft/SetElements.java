package io.podwire.node.netlink.nft;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.List;

/**
 * Members to add to a set, or to delete from it: one message.
 *
 * @param family NFPROTO_... of the table
 * @param table the set's table
 * @param set its name
 * @param delete true: they are deleted, and must be there; false: they are added
 * @param elements members
 */
public record SetElements(int family, String table, String set, boolean delete, List<SetElement> elements)
        implements NftMessage {
    /** NFT_MSG_NEWSETELEM and NFT_MSG_DELSETELEM. */
    private static final int NEW = NFTABLES | 12;

    private static final int DELETE = NFTABLES | 14;

    private static final int NFTA_SET_ELEM_LIST_TABLE = 1;
    private static final int NFTA_SET_ELEM_LIST_SET = 2;
    private static final int NFTA_SET_ELEM_LIST_ELEMENTS = 3;
    private static final int NFTA_LIST_ELEM = 1;
    private static final int NFTA_SET_ELEM_KEY = 1;
    private static final int NFTA_SET_ELEM_DATA = 2;
    private static final int NFTA_DATA_VALUE = 1;
    private static final int NFTA_DATA_VERDICT = 2;
    private static final int NFTA_VERDICT_CODE = 1;
    private static final int NFTA_VERDICT_CHAIN = 2;

    /** Copies. */
    public SetElements {
        elements = List.copyOf(elements);
    }

    @Override
    public int type() {
        return delete ? DELETE : NEW;
    }

    @Override
    public int flags() {
        return NlMessage.CREATE;
    }

    @Override
    public void write(NlWriter out) {
        out.put8(family).put8(0).put16(0);
        out.text(NFTA_SET_ELEM_LIST_TABLE, table);
        out.text(NFTA_SET_ELEM_LIST_SET, set);
        out.nested(
                NFTA_SET_ELEM_LIST_ELEMENTS,
                list -> elements.forEach(element -> list.nested(NFTA_LIST_ELEM, e -> write(e, element))));
    }

    private static void write(NlWriter out, SetElement element) {
        out.nested(NFTA_SET_ELEM_KEY, key -> key.bytes(NFTA_DATA_VALUE, element.key()));
        element.verdict()
                .ifPresent(verdict ->
                        out.nested(NFTA_SET_ELEM_DATA, data -> data.nested(NFTA_DATA_VERDICT, v -> write(v, verdict))));
        if (element.data().length > 0) {
            out.nested(NFTA_SET_ELEM_DATA, data -> data.bytes(NFTA_DATA_VALUE, element.data()));
        }
    }

    private static void write(NlWriter out, SetVerdict verdict) {
        out.u32be(NFTA_VERDICT_CODE, verdict.code());
        if (!verdict.chain().isEmpty()) {
            out.text(NFTA_VERDICT_CHAIN, verdict.chain());
        }
    }
}
