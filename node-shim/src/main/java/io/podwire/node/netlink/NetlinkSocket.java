package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.ffm.Libc;
import io.podwire.node.netlink.Answer.End;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import io.podwire.node.netns.Netns;
import io.podwire.node.netns.NetnsThread;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A NETLINK_ROUTE or NETLINK_NETFILTER socket with one request at a time: numbers it, sends it, gathers its answer. All
 * state is under one lock. The socket stays in the namespace that it was opened in.
 *
 * <p>The kernel works on a request within send(2) and queues the answer before send returns; it
 * queues the next part of a dump within recv(2). So nothing here ever waits in recv.
 */
final class NetlinkSocket implements AutoCloseable {
    static final int DUMP_TRIES = 3;
    static final int READ_TRIES = 3;

    static final int NETLINK_ROUTE = 0;
    static final int NETLINK_NETFILTER = 12;
    /** SOL_NETLINK, linux/socket.h, and its options, linux/netlink.h. */
    private static final int SOL_NETLINK = 270;

    private static final int NETLINK_CAP_ACK = 10;
    private static final int NETLINK_EXT_ACK = 11;
    /** Since Linux 4.20; an older kernel does without. */
    private static final int NETLINK_GET_STRICT_CHK = 12;

    /** struct sockaddr_nl of the kernel: family, padding, port 0, groups 0. */
    private static final int SOCKADDR_BYTES = 12;

    /**
     * The kernel makes a dump's datagrams no larger than what the socket was read into last, and never larger than this:
     * netlink_recvmsg() in net/netlink/af_netlink.c.
     */
    private static final int RECEIVE_BYTES = 32 * 1024;

    private static final int SEND_BYTES = 4 * 1024;
    private static final int POOLED = 4;
    /** More datagrams than any dump has. */
    private static final int DRAINED = 10_000;

    private static final ConcurrentLinkedQueue<Buffers> POOL = new ConcurrentLinkedQueue<>();

    private record Buffers(ByteBuffer send, ByteBuffer receive) {
        static Buffers take() {
            Buffers pooled = POOL.poll();
            return pooled != null
                    ? pooled
                    : new Buffers(ByteBuffer.allocateDirect(SEND_BYTES), ByteBuffer.allocateDirect(RECEIVE_BYTES));
        }

        void release() {
            // Two threads may both see room: the pool then holds one more, no harm.
            if (POOL.size() < POOLED) {
                POOL.add(this);
            }
        }
    }

    /** What is done with an open socket, in C's terms: a negative errno for a failure. */
    interface Calls {
        /** Sends all bytes from position to limit. */
        int send(ByteBuffer request);

        /** The length of the next datagram, which may be more than there was room for. Does not wait. */
        int receive(ByteBuffer into);

        void close();
    }

    private record KernelCalls(int fd) implements Calls {
        @Override
        public int send(ByteBuffer request) {
            return Libc.send(fd, request, 0);
        }

        @Override
        public int receive(ByteBuffer into) {
            return Libc.recv(fd, into, Libc.MSG_DONTWAIT | Libc.MSG_TRUNC);
        }

        @Override
        public void close() {
            Libc.close(fd);
        }
    }

    private final ReentrantLock lock = new ReentrantLock();
    private final Calls calls;
    private final Buffers buffers;
    private final NlWriter writer;
    private int sequence;
    private boolean closed;
    /** What is asked for now, in {@link #atOnce}; empty outside it. */
    private Optional<List<Change>> collected = Optional.empty();

    NetlinkSocket(Calls calls) {
        this.calls = calls;
        this.buffers = Buffers.take();
        this.writer = new NlWriter(buffers.send());
    }

    /** In the namespace of this process. */
    static NetlinkSocket open() {
        return new NetlinkSocket(connect(NETLINK_ROUTE));
    }

    /** In another namespace. */
    static NetlinkSocket open(Netns ns) {
        return new NetlinkSocket(connect(ns, NETLINK_ROUTE));
    }

    /** Netfilter's, in the namespace of this process. */
    static NetlinkSocket openNetfilter() {
        return new NetlinkSocket(connect(NETLINK_NETFILTER));
    }

    /** Netfilter's, in another namespace. */
    static NetlinkSocket openNetfilter(Netns ns) {
        return new NetlinkSocket(connect(ns, NETLINK_NETFILTER));
    }

    /** A socket of the kernel's in the namespace of the calling thread. */
    static Calls connect(int protocol) {
        return connected(socket(protocol));
    }

    /** A socket of the kernel's in another namespace. */
    static Calls connect(Netns ns, int protocol) {
        try {
            return connected(NetnsThread.call(ns, () -> socket(protocol)));
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new AssertionError("opening a socket throws nothing checked", e);
        }
    }

    private static int socket(int protocol) {
        return check("socket", Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, protocol));
    }

    private static Calls connected(int fd) {
        try {
            check("NETLINK_EXT_ACK", Libc.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1));
            check("NETLINK_CAP_ACK", Libc.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1));
            int strict = Libc.setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
            if (strict != -Errno.ENOPROTOOPT.number()) {
                check("NETLINK_GET_STRICT_CHK", strict);
            }
            // A connected netlink socket takes messages from the kernel alone: netlink_getsockbyportid().
            ByteBuffer kernel = ByteBuffer.allocate(SOCKADDR_BYTES).order(ByteOrder.nativeOrder());
            check("connect", Libc.connect(fd, kernel.putShort(0, (short) Libc.AF_NETLINK)));
            return new KernelCalls(fd);
        } catch (RuntimeException e) {
            Libc.close(fd);
            throw e;
        }
    }

    private static int check(String asked, int result) {
        if (result < 0) {
            throw new NetlinkException(asked, -result, "");
        }
        return result;
    }

    /**
     * Asks the kernel to change something.
     *
     * @param asked the request in words, for the exception
     * @param accepted refusals that are an outcome, not a failure
     * @return false when the kernel refused with one of {@code accepted}
     * @throws AnswerLostException when nobody knows whether it did so: not tried again, a second answer would
     *     tell of what the first request left (EEXIST, ENOENT)
     */
    boolean change(Supplier<String> asked, int type, int flags, Consumer<NlWriter> body, Errno... accepted) {
        lock.lock();
        try {
            if (collected.isPresent()) {
                collected.get().add(new Change(asked, type, flags, body, List.of(accepted)));
                return true;
            }
            return changeNow(asked, type, flags, body, accepted);
        } finally {
            lock.unlock();
        }
    }

    /** A change that waits for the others that go with it. */
    private record Change(Supplier<String> asked, int type, int flags, Consumer<NlWriter> body, List<Errno> accepted) {}

    /**
     * Collects the changes that {@code body} asks for, and sends them as one: the kernel works on them in their order
     * within one send(2), which saves a thread that has been idle most of what it takes. It asks for nothing else
     * meanwhile, and every change answers true.
     *
     * @throws NetlinkException of the first change that the kernel refused; those behind it were made all the same
     * @throws AnswerLostException when nobody knows what was done
     */
    void atOnce(Runnable body) {
        lock.lock();
        try {
            List<Change> changes = new ArrayList<>();
            collected = Optional.of(changes);
            try {
                body.run();
            } finally {
                collected = Optional.empty();
            }
            if (!changes.isEmpty()) {
                exchange(changes);
            }
        } finally {
            lock.unlock();
        }
    }

    private void exchange(List<Change> changes) {
        Supplier<String> asked =
                () -> changes.stream().map(change -> change.asked().get()).collect(Collectors.joining(", "));
        if (closed) {
            throw new IllegalStateException("netlink socket is closed: " + asked.get());
        }
        List<Answer<Boolean>> answers = new ArrayList<>();
        ByteBuffer all = buffers.send().clear();
        for (Change change : changes) {
            // A refusal is told of any, success of the last alone.
            int ack = answers.size() == changes.size() - 1 ? NlMessage.ACK : 0;
            int start = all.position();
            NlWriter one = new NlWriter(all.slice(start, all.remaining()));
            one.begin(change.type(), change.flags() | NlMessage.REQUEST | ack, ++sequence);
            change.body().accept(one);
            all.position(start + one.finish().limit());
            answers.add(new Answer<>(sequence, End.ACK, _ -> Optional.empty()));
        }
        int sent = calls.send(all.flip());
        if (sent < 0) {
            throw new NetlinkException(asked.get() + ": send, nothing was done", -sent, "");
        }
        while (!answers.getLast().finished()) {
            ByteBuffer datagram = receive(asked);
            answers.forEach(answer -> answer.read(datagram.duplicate().order(datagram.order())));
        }
        for (int i = 0; i < changes.size(); i++) {
            Change change = changes.get(i);
            if (!isAccepted(answers.get(i).errno(), change.accepted())) {
                answered(change.asked(), answers.get(i));
            }
        }
    }

    private static boolean isAccepted(int errno, List<Errno> accepted) {
        return errno != 0 && accepted.contains(Errno.of(errno));
    }

    private boolean changeNow(Supplier<String> asked, int type, int flags, Consumer<NlWriter> body, Errno... accepted) {
        Answer<Boolean> answer = exchange(asked, type, flags | NlMessage.ACK, body, End.ACK, _ -> Optional.empty());
        if (isAccepted(answer.errno(), List.of(accepted))) {
            return false;
        }
        answered(asked, answer);
        return true;
    }

    /** Asks the kernel to make something, and to tell what it made; empty when it does not tell. */
    <T> Optional<T> create(
            Supplier<String> asked,
            int type,
            int flags,
            Consumer<NlWriter> body,
            Function<NlMessage, Optional<T>> decoder) {
        int all = flags | NlMessage.ACK | NlMessage.ECHO;
        return answered(asked, exchange(asked, type, all, body, End.ACK, decoder)).stream()
                .findFirst();
    }

    /** Asks for one thing; empty when the kernel refuses with {@code absent}. */
    <T> Optional<T> get(
            Supplier<String> asked,
            int type,
            Consumer<NlWriter> body,
            Function<NlMessage, Optional<T>> decoder,
            Errno... absent) {
        Answer<T> answer = read(asked, type, 0, body, End.FIRST, decoder);
        if (isAccepted(answer.errno(), List.of(absent))) {
            return Optional.empty();
        }
        return answered(asked, answer).stream().findFirst();
    }

    /**
     * Asks for all there is.
     *
     * @throws DumpInterruptedException when it changed during every try
     */
    <T> List<T> dump(
            Supplier<String> asked, int type, Consumer<NlWriter> body, Function<NlMessage, Optional<T>> decoder) {
        for (int i = 0; i < DUMP_TRIES; i++) {
            Answer<T> answer = read(asked, type, NlMessage.DUMP, body, End.DONE, decoder);
            List<T> items = answered(asked, answer);
            if (!answer.interrupted()) {
                return items;
            }
        }
        throw new DumpInterruptedException(asked.get(), DUMP_TRIES);
    }

    /** Asks for what changes nothing, and asks again when the kernel had no room for its answer. */
    private <T> Answer<T> read(
            Supplier<String> asked,
            int type,
            int flags,
            Consumer<NlWriter> body,
            End end,
            Function<NlMessage, Optional<T>> decoder) {
        for (int i = 1; ; i++) {
            try {
                return exchange(asked, type, flags, body, end, decoder);
            } catch (AnswerLostException e) {
                if (i == READ_TRIES || e.errno() != Errno.ENOBUFS) {
                    throw e;
                }
            }
        }
    }

    private static <T> List<T> answered(Supplier<String> asked, Answer<T> answer) {
        if (answer.errno() != 0) {
            throw new NetlinkException(asked.get(), answer.errno(), answer.kernelText());
        }
        return answer.items();
    }

    private <T> Answer<T> exchange(
            Supplier<String> asked,
            int type,
            int flags,
            Consumer<NlWriter> body,
            End end,
            Function<NlMessage, Optional<T>> decoder) {
        lock.lock();
        try {
            if (closed) {
                throw new IllegalStateException("netlink socket is closed: " + asked.get());
            }
            writer.begin(type, flags | NlMessage.REQUEST, ++sequence);
            body.accept(writer);
            // The kernel's errors for the request itself come in its answer: here it never saw the request.
            int sent = calls.send(writer.finish());
            if (sent < 0) {
                throw new NetlinkException(asked.get() + ": send, nothing was done", -sent, "");
            }
            return receiveAll(asked, new Answer<>(sequence, end, decoder));
        } finally {
            lock.unlock();
        }
    }

    private <T> Answer<T> receiveAll(Supplier<String> asked, Answer<T> answer) {
        try {
            while (!answer.finished()) {
                answer.read(receive(asked));
            }
            return answer;
        } finally {
            if (!answer.finished()) {
                drain();
            }
        }
    }

    /** The rest of an answer that was given up: while a dump goes on, the kernel refuses another (EBUSY). */
    private void drain() {
        for (int i = 0; i < DRAINED && calls.receive(buffers.receive().clear()) != -Errno.EAGAIN.number(); i++) {}
    }

    private ByteBuffer receive(Supplier<String> asked) {
        ByteBuffer buffer = buffers.receive().clear();
        int received = calls.receive(buffer);
        if (received < 0) {
            throw new AnswerLostException(asked.get(), -received);
        }
        if (received > buffer.capacity()) {
            throw new AnswerLostException(asked.get(), Errno.EMSGSIZE.number());
        }
        return buffer.limit(received);
    }

    /** Closes it once no request is under way; a second close does nothing. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                calls.close();
                buffers.release();
            }
        } finally {
            lock.unlock();
        }
    }
}
