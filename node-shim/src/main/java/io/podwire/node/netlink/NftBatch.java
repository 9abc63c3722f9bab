package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.ffm.Libc;
import io.podwire.node.netlink.nft.SetElements;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.Consumer;

/**
 * Transactions of set members alone, by nfnetlink: what an ADD or DEL changes in nf_tables. libnftables
 * reads all tables, chains and sets back from the kernel before each of its transactions, some twenty
 * system calls; this is one to send and two to hear the answer. All state is under the caller's lock.
 */
public final class NftBatch implements AutoCloseable {
    private static final int NETLINK_NETFILTER = 12;
    /** NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, linux/netfilter/nfnetlink.h. */
    private static final int BEGIN = 0x10;

    private static final int END = 0x11;
    /** The res_id of a batch of nf_tables, NFNL_SUBSYS_NFTABLES, in network order. */
    private static final int NFTABLES = 10;

    private static final int BUFFER_BYTES = 64 * 1024;
    private static final int SOL_NETLINK = 270;
    private static final int NETLINK_EXT_ACK = 11;
    private static final int NETLINK_CAP_ACK = 10;

    private final int fd;
    private final ByteBuffer send = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private final ByteBuffer receive = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private int sequence;

    private NftBatch(int fd) {
        this.fd = fd;
    }

    /**
     * In the network namespace of the calling thread, whichever thread uses it later.
     *
     * @throws NetlinkException when the kernel gives no socket
     */
    public static NftBatch open() {
        int fd = check("socket", Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, NETLINK_NETFILTER));
        check("NETLINK_EXT_ACK", Libc.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1));
        check("NETLINK_CAP_ACK", Libc.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1));
        return new NftBatch(fd);
    }

    private static int check(String asked, int result) {
        if (result < 0) {
            throw new NetlinkException(asked, -result, "");
        }
        return result;
    }

    /**
     * Does all of it at one instant, or none.
     *
     * @param changes at least one
     * @return false when they do not fit into one datagram; nothing was done then
     * @throws NetlinkException when the kernel refuses any; nothing was done then
     */
    public boolean apply(List<SetElements> changes) {
        int last;
        try {
            last = write(changes);
        } catch (BufferOverflowException | IllegalArgumentException e) {
            return false;
        }
        check("change nf_tables sets: send", Libc.send(fd, send, 0));
        // The kernel has done it, and queued its answers, before send returns.
        hear(last);
        return true;
    }

    /** Gives the number of the last change's message, which asks for an answer. */
    private int write(List<SetElements> changes) {
        send.clear();
        message(BEGIN, 0, out -> out.put8(0).put8(0).put8(0).put8(NFTABLES));
        for (SetElements change : changes.subList(0, changes.size() - 1)) {
            message(change.type(), NlMessage.CREATE, change::write);
        }
        SetElements end = changes.getLast();
        message(end.type(), NlMessage.CREATE | NlMessage.ACK, end::write);
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

    private void hear(int last) {
        boolean answered = false;
        while (true) {
            int received = Libc.recv(fd, receive.clear(), Libc.MSG_DONTWAIT);
            if (received == -Errno.EAGAIN.number()) {
                break;
            }
            check("change nf_tables sets: recv", received);
            ByteBuffer datagram = receive.limit(received);
            while (datagram.hasRemaining()) {
                NlMessage message = NlMessage.take(datagram);
                if (message.type() == NlMessage.ERROR) {
                    refused(message);
                    answered |= message.sequence() == last;
                }
            }
        }
        if (!answered) {
            throw new NetlinkException("change nf_tables sets", Errno.ENOBUFS.number(), "the kernel did not answer");
        }
    }

    private void refused(NlMessage message) {
        int errno = -message.i32(0);
        if (errno != 0) {
            while (Libc.recv(fd, receive.clear(), Libc.MSG_DONTWAIT) >= 0) {
                // The answers to the rest of the batch say the same.
            }
            throw new NetlinkException("change nf_tables sets", errno, "");
        }
    }

    @Override
    public void close() {
        Libc.close(fd);
    }
}
