package io.podwire.node.netlink;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/** A socket whose answers are written down beforehand; EAGAIN when they are used up. */
final class ScriptedCalls implements NetlinkSocket.Calls {
    /** The requests that came. */
    final List<byte[]> sent = new ArrayList<>();

    /** What send and receive say next, by the sequence number of the last request; an Integer is an errno. */
    private final Deque<IntFunction<Object>> answers = new ArrayDeque<>();

    private int sendErrno;
    private int sequence;
    int receives;

    ScriptedCalls failSend(Errno errno) {
        sendErrno = errno.number();
        return this;
    }

    ScriptedCalls failReceive(Errno errno) {
        answers.add(_ -> errno.number());
        return this;
    }

    /** A datagram of one message, in answer to the last request. */
    ScriptedCalls message(int type, int flags, Consumer<NlWriter> body) {
        answers.add(last -> datagram(type, flags, last, body));
        return this;
    }

    /** A refusal of the request before the last. */
    ScriptedCalls late(Errno errno) {
        answers.add(last -> datagram(
                NlMessage.ERROR,
                NlMessage.CAPPED,
                last - 1,
                out -> out.put32(-errno.number()).put32(0)));
        return this;
    }

    private static ByteBuffer datagram(int type, int flags, int sequence, Consumer<NlWriter> body) {
        NlWriter out = new NlWriter(ByteBuffer.allocate(512));
        out.begin(type, flags, sequence);
        body.accept(out);
        return out.finish();
    }

    /** An acknowledgement, or a refusal, of the message of a batch that is so many behind its first. */
    ScriptedCalls acknowledgeInBatch(int behind, int errno) {
        answers.add(first -> datagram(
                NlMessage.ERROR,
                NlMessage.CAPPED,
                first + behind,
                out -> out.put32(-errno).put32(0)));
        return this;
    }

    /** A datagram that is no message. */
    ScriptedCalls garbage(int bytes) {
        answers.add(_ -> ByteBuffer.allocate(bytes));
        return this;
    }

    /** The acknowledgement, or a refusal with the kernel's words. */
    ScriptedCalls acknowledge(int errno, String text) {
        return message(NlMessage.ERROR, NlMessage.CAPPED | NlMessage.ACK_ATTRIBUTES, out -> {
            out.put32(-errno).put32(0).put32(0).put32(0).put32(0);
            if (!text.isEmpty()) {
                out.text(1, text);
            }
        });
    }

    /** The end of a dump. */
    ScriptedCalls done() {
        return message(NlMessage.DONE, 0, out -> out.put32(0));
    }

    /** True when all that was written down was said. */
    boolean usedUp() {
        return answers.isEmpty();
    }

    @Override
    public int send(ByteBuffer request) {
        if (sendErrno != 0) {
            return -sendErrno;
        }
        byte[] bytes = new byte[request.remaining()];
        request.get(request.position(), bytes);
        sent.add(bytes);
        sequence = request.order(ByteOrder.nativeOrder()).getInt(request.position() + 8);
        return bytes.length;
    }

    @Override
    public int receive(ByteBuffer into) {
        receives++;
        if (answers.isEmpty()) {
            return -Errno.EAGAIN.number();
        }
        return switch (answers.remove().apply(sequence)) {
            case Integer errno -> -errno;
            case ByteBuffer datagram -> {
                int length = datagram.remaining();
                if (length <= into.remaining()) {
                    into.put(into.position(), datagram, datagram.position(), length);
                }
                yield length;
            }
            case Object other -> throw new AssertionError(other);
        };
    }

    @Override
    public void close() {}
}
