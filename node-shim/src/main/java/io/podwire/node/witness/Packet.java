package io.podwire.node.witness;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.nft.Octets;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A packet that nobody sends, as the kernel's rules see one: what nft_meta_get_eval() and nft_ct_get_eval() would put into
 * a register for it.
 *
 * @param reply true: the side that was called sends it
 * @param iifname interface that it came in by; empty in the output hook
 * @param oifname interface that it goes out by; empty in the input hook
 * @param source of the connection, whichever side sends this packet
 * @param destination of the connection, of the same family
 * @param protocol IANA number
 * @param port of the destination
 */
record Packet(
        boolean reply,
        String iifname,
        String oifname,
        IpAddress source,
        IpAddress destination,
        int protocol,
        int port) {
    /** NFPROTO_IPV4 and NFPROTO_IPV6, linux/netfilter.h. */
    static final int IPV4 = 2;

    static final int IPV6 = 10;

    private static final int IFNAMSIZ = 16;
    /** enum nft_meta_keys, linux/netfilter/nf_tables.h. */
    private static final int META_IIFNAME = 6;

    private static final int META_OIFNAME = 7;
    private static final int META_NFPROTO = 15;
    private static final int META_L4PROTO = 16;
    /** enum nft_ct_keys. */
    private static final int CT_STATE = 0;

    private static final int CT_DIRECTION = 1;
    private static final int CT_L3PROTOCOL = 7;
    private static final int CT_SRC = 8;
    private static final int CT_DST = 9;
    private static final int CT_PROTOCOL = 10;
    private static final int CT_PROTO_SRC = 11;
    private static final int CT_PROTO_DST = 12;
    private static final int CT_SRC_IP = 19;
    private static final int CT_DST_IP = 20;
    private static final int CT_SRC_IP6 = 21;
    private static final int CT_DST_IP6 = 22;
    /** NF_CT_STATE_BIT() of IP_CT_NEW and IP_CT_ESTABLISHED, linux/netfilter/nf_conntrack_common.h. */
    private static final int STATE_NEW = 8;

    private static final int STATE_ESTABLISHED = 2;

    /** What a register gets, or why the rule ends there, or that nobody knows. */
    sealed interface Fact {
        /** This. */
        record Known(Octets value) implements Fact {}

        /** The packet has no such thing: the rule does not match. */
        record Missing() implements Fact {}

        /** It is not told here what a real packet would have. */
        record Untold() implements Fact {}
    }

    /** NFPROTO_... of its family. */
    int nfproto() {
        return source.family() == IpFamily.V4 ? IPV4 : IPV6;
    }

    /** What nft_meta loads. */
    Fact meta(int key) {
        return switch (key) {
            case META_IIFNAME -> name(iifname);
            case META_OIFNAME -> name(oifname);
            case META_NFPROTO -> one(nfproto());
            case META_L4PROTO -> one(protocol);
            default -> new Fact.Untold();
        };
    }

    /** What nft_ct loads: an original packet opens its connection, a reply belongs to one that is open. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as in Expression
    Fact flow(int key, OptionalInt direction) {
        Optional<Boolean> ofReply =
                direction.isPresent() ? Optional.of(direction.getAsInt() == 1) : Optional.<Boolean>empty();
        return switch (key) {
            case CT_STATE -> known(hostOrder(reply ? STATE_ESTABLISHED : STATE_NEW));
            case CT_DIRECTION -> one(reply ? 1 : 0);
            case CT_L3PROTOCOL -> one(nfproto());
            case CT_PROTOCOL -> one(protocol);
            case CT_SRC ->
                ofReply.<Fact>map(r -> address(r ? destination : source)).orElseGet(Fact.Untold::new);
            case CT_DST ->
                ofReply.<Fact>map(r -> address(r ? source : destination)).orElseGet(Fact.Untold::new);
            case CT_SRC_IP, CT_SRC_IP6 -> family(key == CT_SRC_IP, ofReply.map(r -> r ? destination : source));
            case CT_DST_IP, CT_DST_IP6 -> family(key == CT_DST_IP, ofReply.map(r -> r ? source : destination));
            // The caller's own port is anything.
            case CT_PROTO_SRC ->
                ofReply.filter(r -> r).<Fact>map(_ -> destinationPort()).orElseGet(Fact.Untold::new);
            case CT_PROTO_DST ->
                ofReply.filter(r -> !r).<Fact>map(_ -> destinationPort()).orElseGet(Fact.Untold::new);
            default -> new Fact.Untold();
        };
    }

    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // as above
    private Fact family(boolean four, Optional<IpAddress> address) {
        if (address.isEmpty()) {
            return new Fact.Untold();
        }
        return four == (source.family() == IpFamily.V4) ? address(address.get()) : new Fact.Missing();
    }

    private static Fact address(IpAddress address) {
        return known(address.bytes());
    }

    private Fact destinationPort() {
        return known(new byte[] {(byte) (port >>> 8), (byte) port});
    }

    private static Fact name(String name) {
        byte[] padded = new byte[IFNAMSIZ];
        byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(bytes, 0, padded, 0, bytes.length);
        return known(padded);
    }

    private static Fact one(int value) {
        return known(new byte[] {(byte) value});
    }

    private static byte[] hostOrder(int value) {
        return ByteBuffer.allocate(4)
                .order(ByteOrder.nativeOrder())
                .putInt(value)
                .array();
    }

    private static Fact known(byte[] bytes) {
        return new Fact.Known(Octets.of(bytes));
    }
}
