package io.podwire.node.netlink;

import io.podwire.node.netlink.wire.NlFormatException;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * What the kernel has answered to one request so far (netlink(7)): fed datagram by datagram until it
 * is finished. Does no I/O.
 */
final class Answer<T> {
    /** What ends an answer; a refusal always does. */
    enum End {
        /** The acknowledgement. */
        ACK,
        /** The first message. */
        FIRST,
        /** NLMSG_DONE. */
        DONE
    }

    /** NLMSGERR_ATTR_MSG, linux/netlink.h. */
    private static final int MESSAGE_ATTRIBUTE = 1;
    /** The errno of an NLMSG_ERROR or NLMSG_DONE. */
    private static final int ERRNO_BYTES = 4;

    private final int sequence;
    private final End end;
    private final Function<NlMessage, Optional<T>> decoder;
    private final List<T> items = new ArrayList<>();
    private Optional<NlFormatException> broken = Optional.empty();
    private boolean finished;
    private boolean interrupted;
    private int errno;
    private String kernelText = "";

    Answer(int sequence, End end, Function<NlMessage, Optional<T>> decoder) {
        this.sequence = sequence;
        this.end = end;
        this.decoder = decoder;
    }

    /** Takes the messages of one datagram. */
    void read(ByteBuffer datagram) {
        while (datagram.hasRemaining()) {
            NlMessage message = NlMessage.take(datagram);
            // Others are late answers to an earlier request that was given up.
            if (message.sequence() == sequence) {
                read(message);
            }
        }
    }

    private void read(NlMessage message) {
        switch (message.type()) {
            case NlMessage.ERROR -> {
                int request = message.has(NlMessage.CAPPED) ? 16 : message.i32(ERRNO_BYTES);
                end(message, ERRNO_BYTES + request);
            }
            case NlMessage.DONE -> {
                interrupted |= message.has(NlMessage.DUMP_INTERRUPTED);
                end(message, ERRNO_BYTES);
            }
            default -> {
                interrupted |= message.has(NlMessage.DUMP_INTERRUPTED);
                decode(message);
                finished |= end == End.FIRST;
            }
        }
    }

    private void end(NlMessage message, int header) {
        finished = true;
        errno = message.length() < ERRNO_BYTES ? 0 : Math.max(0, -message.i32(0));
        if (message.has(NlMessage.ACK_ATTRIBUTES)) {
            NlReader in = message.attributes(header);
            while (in.next()) {
                if (in.type() == MESSAGE_ATTRIBUTE) {
                    kernelText = in.text();
                }
            }
        }
    }

    /** A message that cannot be read is told at the end: the rest of a dump must be received anyway. */
    private void decode(NlMessage message) {
        try {
            decoder.apply(message).ifPresent(items::add);
        } catch (NlFormatException e) {
            broken = broken.isPresent() ? broken : Optional.of(e);
        }
    }

    /** True when the kernel has no more to say. */
    boolean finished() {
        return finished;
    }

    /** True when the kernel's tables changed during the dump: it may lack things or have them twice. */
    boolean interrupted() {
        return interrupted;
    }

    /** The kernel's refusal, positive; 0 when it did as asked. */
    int errno() {
        return errno;
    }

    /** The kernel's words, empty when there are none. */
    String kernelText() {
        return kernelText;
    }

    /**
     * What it holds.
     *
     * @throws NlFormatException when a message could not be read
     */
    List<T> items() {
        if (broken.isPresent()) {
            throw broken.get();
        }
        return List.copyOf(items);
    }
}
