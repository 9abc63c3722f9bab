package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.rt.Redirect;
import io.podwire.node.netlink.rt.TokenBucket;
import io.podwire.node.netlink.wire.NlFormatException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of a request whose calls fail: done, not done, or nobody knows. */
class NetlinkSocketTest {
    private static final int LINK = 16;

    private final ScriptedCalls kernel = new ScriptedCalls();
    private final NetlinkSocket socket = new NetlinkSocket(kernel);

    private boolean change() {
        return socket.change(() -> "change it", LINK, 0, out -> out.put32(0), Errno.ENODEV);
    }

    private List<Integer> dump() {
        return socket.dump(() -> "list them", LINK, out -> out.put32(0), m -> Optional.of(m.i32(0)));
    }

    private Optional<Integer> get() {
        return socket.get(() -> "get it", LINK, out -> out.put32(0), m -> Optional.of(m.i32(0)), Errno.ENODEV);
    }

    @ParameterizedTest
    @EnumSource(names = {"ENOBUFS", "ENOMEM", "EINTR"})
    void aRequestThatWasNotSentWasNotDone(Errno errno) {
        kernel.failSend(errno);
        for (Runnable request : List.<Runnable>of(this::change, this::dump, this::get)) {
            assertThatThrownBy(request::run)
                    .as("a request")
                    .isInstanceOf(NetlinkException.class)
                    .isNotInstanceOf(AnswerLostException.class)
                    .hasMessageContaining("send, nothing was done: " + errno);
        }
        assertThat(kernel.receives).as("no answer is waited for").isZero();
    }

    @ParameterizedTest
    @EnumSource(names = {"ENOBUFS", "ENOMEM", "EAGAIN", "EINTR"})
    void aChangeWhoseAnswerIsLostIsNotMadeAgain(Errno errno) {
        kernel.failReceive(errno).acknowledge(0, "");
        assertThatThrownBy(this::change)
                .as("a change")
                .isInstanceOf(AnswerLostException.class)
                .hasMessage(
                        "netlink: change it: " + errno + " (" + errno.number() + "): the answer is lost: what was asked"
                                + " for may have been done, look before asking again");
        assertThat(kernel.sent).as("requests").hasSize(1);
    }

    @Test
    void aLateAnswerIsNotTakenForTheNextOne() {
        kernel.failReceive(Errno.EAGAIN);
        assertThatThrownBy(this::change).as("a change").isInstanceOf(AnswerLostException.class);
        kernel.late(Errno.ENODEV).acknowledge(0, "");
        assertThat(change()).as("the next, which its own answer accepts").isTrue();
        assertThat(kernel.usedUp()).as("all was said").isTrue();
    }

    @Test
    void aReadIsMadeAgainWhenTheKernelHadNoRoomForItsAnswer() {
        kernel.message(LINK, 2, out -> out.put32(1))
                .failReceive(Errno.ENOBUFS)
                .message(LINK, 2, out -> out.put32(2)) // the rest of the first dump, thrown away
                .failReceive(Errno.EAGAIN)
                .message(LINK, 2, out -> out.put32(3))
                .done();
        assertThat(dump()).as("the second dump alone").containsExactly(3);
        assertThat(kernel.sent).as("requests").hasSize(2);
        kernel.failReceive(Errno.ENOBUFS).failReceive(Errno.EAGAIN).message(LINK, 0, out -> out.put32(4));
        assertThat(get()).as("one").contains(4);
        assertThat(kernel.usedUp()).as("all was said").isTrue();
    }

    @Test
    void aReadIsNotMadeAgainForEver() {
        for (int i = 0; i < NetlinkSocket.READ_TRIES; i++) {
            kernel.failReceive(Errno.ENOBUFS).failReceive(Errno.EAGAIN);
        }
        kernel.done();
        assertThatThrownBy(this::dump).as("a dump").isInstanceOf(AnswerLostException.class);
        assertThat(kernel.sent).as("requests").hasSize(NetlinkSocket.READ_TRIES);
    }

    @Test
    void otherFailuresOfAReadAreFailures() {
        kernel.failReceive(Errno.ENOMEM).failReceive(Errno.EAGAIN).done();
        assertThatThrownBy(this::dump)
                .as("a dump")
                .asInstanceOf(InstanceOfAssertFactories.type(AnswerLostException.class))
                .extracting(NetlinkException::errno)
                .isEqualTo(Errno.ENOMEM);
        assertThat(kernel.sent).as("requests").hasSize(1);
    }

    @Test
    void anAnswerLargerThanTheBufferIsLost() {
        kernel.garbage(100_000);
        assertThatThrownBy(this::change)
                .as("a change")
                .isInstanceOf(AnswerLostException.class)
                .hasMessageContaining("EMSGSIZE");
    }

    @Test
    void theRestOfAnAnswerThatCannotBeReadIsThrownAway() {
        kernel.garbage(8).message(LINK, 2, out -> out.put32(1)).done();
        assertThatThrownBy(this::dump).as("a dump").isInstanceOf(NlFormatException.class);
        assertThat(kernel.usedUp()).as("all was received").isTrue();
    }

    @Test
    void withoutU32AFilterIsMadeByMatchall() {
        TrafficControl traffic = new TrafficControl(socket);
        kernel.done() // no filter yet
                .acknowledge(22, "Parent Qdisc doesn't exists")
                .acknowledge(0, "")
                .acknowledge(2, "TC classifier not found")
                .acknowledge(0, "");
        traffic.replaceRedirect(new Redirect(3, 4));
        assertThat(kernel.usedUp()).as("all was said").isTrue();
        assertThat(text(3)).as("the first filter").contains("u32").doesNotContain("matchall");
        assertThat(text(4)).as("the second filter").contains("matchall").doesNotContain("u32");
    }

    @Test
    void whatTheKernelLacksOfTrafficControlIsNamed() {
        TrafficControl traffic = new TrafficControl(socket);
        kernel.acknowledge(2, "Specified qdisc kind is unknown");
        assertThatThrownBy(() -> traffic.shape(3, new TokenBucket(1, 1, 1)))
                .as("tbf")
                .isInstanceOf(KernelLacksException.class)
                .hasMessageContaining("modprobe sch_tbf");
        kernel.done().acknowledge(22, "").acknowledge(2, "Specified qdisc kind is unknown");
        assertThatThrownBy(() -> traffic.replaceRedirect(new Redirect(3, 4)))
                .as("ingress")
                .isInstanceOf(KernelLacksException.class)
                .hasMessageContaining("modprobe sch_ingress");
        kernel.done().acknowledge(2, "").acknowledge(0, "");
        kernel.acknowledge(2, "TC classifier not found").acknowledge(2, "TC classifier not found");
        assertThatThrownBy(() -> traffic.replaceRedirect(new Redirect(3, 4)))
                .as("neither classifier")
                .isInstanceOf(KernelLacksException.class)
                .hasMessageContaining("modprobe cls_u32");
        kernel.done().acknowledge(2, "").acknowledge(0, "");
        kernel.acknowledge(2, "Failed to load TC action module").acknowledge(2, "Failed to load TC action module");
        assertThatThrownBy(() -> traffic.replaceRedirect(new Redirect(3, 4)))
                .as("mirred")
                .isInstanceOf(KernelLacksException.class)
                .hasMessageContaining("modprobe act_mirred");
    }

    private String text(int request) {
        return new String(kernel.sent.get(request), StandardCharsets.ISO_8859_1);
    }
}
