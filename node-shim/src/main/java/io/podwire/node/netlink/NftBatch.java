package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.Consumer;

/**
 * Transactions of few messages, by nfnetlink: what an ADD or DEL changes in nf_tables, members of sets. libnftables
 * reads all tables, chains and sets back from the kernel before each of its transactions, some twenty
 * system calls; this is one to send and two to hear the answer. All state is under the caller's lock.
 */
public final class NftBatch implements AutoCloseable {
    /** NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, linux/netfilter/nfnetlink.h. */
    private static final int BEGIN = 0x10;

    private static final int END = 0x11;
    /** The res_id of a batch of nf_tables, NFNL_SUBSYS_NFTABLES, in network order. */
    private static final int NFTABLES = 10;

    private static final int BUFFER_BYTES = 64 * 1024;
    private static final String ASKED = "change nf_tables";
    /** More datagrams than a batch has answers. */
    private static final int ANSWERS = 1000;

    private final NetlinkSocket.Calls calls;
    private final ByteBuffer send = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private final ByteBuffer receive = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private int sequence;

    NftBatch(NetlinkSocket.Calls calls) {
        this.calls = calls;
    }

    /**
     * In the network namespace of the calling thread, whichever thread uses it later.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static NftBatch open() {
        return new NftBatch(NetlinkSocket.connect(NetlinkSocket.NETLINK_NETFILTER));
    }

    /**
     * Does all of it at one instant, or none.
     *
     * @param changes at least one
     * @return false when they do not fit into one datagram; nothing was done then
     * @throws AnswerLostException when nobody knows whether it was done
     * @throws NetlinkException when the kernel refuses any; nothing was done then
     */
    public boolean apply(List<? extends NftMessage> changes) {
        int first = sequence + 1;
        int last;
        try {
            last = write(changes);
        } catch (BufferOverflowException | IllegalArgumentException e) {
            return false;
        }
        int sent = calls.send(send);
        if (sent < 0) {
            throw new NetlinkException(ASKED + ": send, nothing was done", -sent, "");
        }
        // The kernel has done it, and queued its answers, before send returns.
        hear(first, last);
        return true;
    }

    /** Gives the number of the last change's message, which asks for an answer. */
    private int write(List<? extends NftMessage> changes) {
        send.clear();
        message(BEGIN, 0, out -> out.put8(0).put8(0).put8(0).put8(NFTABLES));
        for (NftMessage change : changes.subList(0, changes.size() - 1)) {
            message(change.type(), change.flags(), change::write);
        }
        NftMessage end = changes.getLast();
        message(end.type(), end.flags() | NlMessage.ACK, end::write);
        int last = sequence;
        message(END, 0, out -> out.put8(0).put8(0).put8(0).put8(NFTABLES));
        send.flip();
        return last;
    }

    private void message(int type, int flags, Consumer<NlWriter> body) {
        int start = send.position();
        NlWriter writer = new NlWriter(send.slice(start, send.remaining()).order(ByteOrder.nativeOrder()));
        writer.begin(type, flags | NlMessage.REQUEST, ++sequence);
        body.accept(writer);
        send.position(start + writer.finish().limit());
    }

    /** Receives all there is: what is left would be taken for an answer to the next batch. */
    private void hear(int first, int last) {
        boolean answered = false;
        int refusal = 0;
        int failure = Errno.EAGAIN.number();
        int received = calls.receive(receive.clear());
        for (int i = 0; i < ANSWERS && received != -Errno.EAGAIN.number(); i++) {
            if (received < 0) {
                failure = -received;
            } else if (received > receive.capacity()) {
                failure = Errno.EMSGSIZE.number();
            } else {
                ByteBuffer datagram = receive.limit(received);
                while (datagram.hasRemaining()) {
                    NlMessage message = NlMessage.take(datagram);
                    // Others are late answers to an earlier batch. The difference holds where numbers wrap.
                    if (message.type() == NlMessage.ERROR && message.sequence() - first >= 0) {
                        // One that is refused has a message for each of its changes: the first says it.
                        refusal = refusal == 0 ? -message.i32(0) : refusal;
                        answered |= message.sequence() == last;
                    }
                }
            }
            received = calls.receive(receive.clear());
        }
        if (refusal != 0) {
            throw new NetlinkException(ASKED, refusal, "");
        }
        if (!answered) {
            throw new AnswerLostException(ASKED, failure);
        }
    }

    @Override
    public void close() {
        calls.close();
    }
}
