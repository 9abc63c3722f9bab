package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.node.netlink.Answer.End;
import io.podwire.node.netlink.wire.NlFormatException;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What ends an answer, and what it says then. */
class AnswerTest {
    private static final int OURS = 9;
    private static final int LINK = 16;
    private static final int MULTI = 2;

    private final Answer<Integer> dump = new Answer<>(OURS, End.DONE, m -> Optional.of(m.i32(0)));
    private final Answer<Integer> change = new Answer<>(OURS, End.ACK, m -> Optional.of(m.i32(0)));

    @Test
    void dumpEndsWithDone() {
        dump.read(message(LINK, MULTI, OURS, out -> out.put32(1)));
        dump.read(message(LINK, MULTI, OURS, out -> out.put32(2)));
        assertThat(dump.finished()).as("before DONE").isFalse();
        dump.read(message(NlMessage.DONE, MULTI, OURS, out -> out.put32(0)));
        assertThat(dump.finished()).as("after DONE").isTrue();
        assertThat(dump.items()).as("items").containsExactly(1, 2);
        assertThat(dump.interrupted()).as("interrupted").isFalse();
    }

    @Test
    void interruptionIsSeenOnAnyMessageOfADump() {
        Answer<Integer> other = new Answer<>(OURS, End.DONE, m -> Optional.of(m.i32(0)));
        dump.read(message(LINK, MULTI | NlMessage.DUMP_INTERRUPTED, OURS, out -> out.put32(1)));
        other.read(message(NlMessage.DONE, MULTI | NlMessage.DUMP_INTERRUPTED, OURS, out -> out.put32(0)));
        assertThat(dump.interrupted()).as("on a link").isTrue();
        assertThat(other.interrupted()).as("on DONE").isTrue();
    }

    @Test
    void aDumpMayFailInItsDone() {
        dump.read(message(NlMessage.DONE, MULTI | NlMessage.ACK_ATTRIBUTES, OURS, out -> {
            out.put32(-22);
            out.text(1, "no such table");
        }));
        assertThat(dump.errno()).as("errno").isEqualTo(22);
        assertThat(dump.kernelText()).as("text").isEqualTo("no such table");
    }

    @Test
    void changeEndsWithTheAcknowledgementNotWithTheEcho() {
        change.read(message(LINK, 0, OURS, out -> out.put32(42)));
        assertThat(change.finished()).as("after the echo").isFalse();
        change.read(acknowledgement(0, NlMessage.CAPPED, ""));
        assertThat(change.finished()).as("after the acknowledgement").isTrue();
        assertThat(change.errno()).as("errno").isZero();
        assertThat(change.items()).as("items").containsExactly(42);
    }

    @Test
    void refusalCarriesTheKernelsText() {
        change.read(acknowledgement(17, NlMessage.CAPPED | NlMessage.ACK_ATTRIBUTES, "name taken"));
        assertThat(change.errno()).as("errno").isEqualTo(17);
        assertThat(change.kernelText()).as("text").isEqualTo("name taken");
        assertThat(new NetlinkException("make link pw1", 17, "name taken"))
                .as("exception")
                .hasMessage("netlink: make link pw1: EEXIST (17): name taken");
    }

    @Test
    void textIsFoundBehindARepeatedRequest() {
        change.read(message(NlMessage.ERROR, NlMessage.ACK_ATTRIBUTES, OURS, out -> {
            out.put32(-17).put32(20).put32(0).put32(OURS).put32(0).put32(0x1234);
            out.text(1, "name taken");
        }));
        assertThat(change.kernelText()).as("text").isEqualTo("name taken");
    }

    @Test
    void lateAnswersToEarlierRequestsAreDropped() {
        change.read(message(NlMessage.ERROR, NlMessage.CAPPED, OURS - 1, out -> out.put32(-22)));
        assertThat(change.finished()).as("after another's acknowledgement").isFalse();
    }

    @Test
    void anUnreadableItemIsToldAfterTheWholeDumpWasReceived() {
        dump.read(message(LINK, MULTI, OURS, _ -> {}));
        dump.read(message(LINK, MULTI, OURS, out -> out.put32(2)));
        dump.read(message(NlMessage.DONE, MULTI, OURS, out -> out.put32(0)));
        assertThat(dump.finished()).as("read to its end").isTrue();
        assertThatThrownBy(dump::items).as("items").isInstanceOf(NlFormatException.class);
    }

    private static ByteBuffer acknowledgement(int errno, int flags, String text) {
        return message(NlMessage.ERROR, flags, OURS, out -> {
            out.put32(-errno).put32(0).put32(0).put32(OURS).put32(0);
            if (!text.isEmpty()) {
                out.text(1, text);
            }
        });
    }

    private static ByteBuffer message(int type, int flags, int sequence, Consumer<NlWriter> body) {
        NlWriter out = new NlWriter(ByteBuffer.allocate(256));
        out.begin(type, flags, sequence);
        body.accept(out);
        return out.finish();
    }
}
