package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.nft.NftMessage;
import io.podwire.node.netlink.nft.SetElement;
import io.podwire.node.netlink.nft.SetElements;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of a batch whose calls fail: done, not done, or nobody knows. */
class NftBatchTest {
    private static final SetElements CHANGE = new SetElements(
            NftMessage.INET, "pw", "s", false, List.of(new SetElement(new byte[] {10, 0, 0, 1}, Optional.empty())));

    private final ScriptedCalls kernel = new ScriptedCalls();
    private final NftBatch batch = new NftBatch(kernel);

    /** The first message begins the batch, the second and third are the changes. */
    private boolean apply() {
        return batch.apply(List.of(CHANGE, CHANGE));
    }

    @Test
    void theLastChangesAnswerEndsIt() {
        kernel.acknowledgeInBatch(2, 0);
        assertThat(apply()).as("done").isTrue();
        assertThat(kernel.sent).as("requests").hasSize(1);
    }

    @Test
    void anyRefusalIsTheWhole() {
        kernel.acknowledgeInBatch(1, 2).acknowledgeInBatch(2, 0);
        assertThatThrownBy(this::apply)
                .as("ENOENT for the first change")
                .isNotInstanceOf(AnswerLostException.class)
                .asInstanceOf(InstanceOfAssertFactories.type(NetlinkException.class))
                .extracting(NetlinkException::errno)
                .isEqualTo(Errno.ENOENT);
        assertThat(kernel.usedUp()).as("all was received").isTrue();
    }

    @Test
    void aBatchThatWasNotSentWasNotDone() {
        kernel.failSend(Errno.ENOBUFS);
        assertThatThrownBy(this::apply)
                .as("not sent")
                .isNotInstanceOf(AnswerLostException.class)
                .hasMessageContaining("send, nothing was done: ENOBUFS");
        assertThat(kernel.receives).as("no answer is waited for").isZero();
    }

    @ParameterizedTest
    @EnumSource(names = {"ENOBUFS", "ENOMEM", "EAGAIN"})
    void aBatchWhoseAnswerIsLostMayHaveBeenDone(Errno errno) {
        kernel.failReceive(errno);
        assertThatThrownBy(this::apply)
                .as("the answer is lost")
                .isInstanceOf(AnswerLostException.class)
                .hasMessageContaining(errno.name());
    }

    @Test
    void whatIsHeardAfterAFailureStillCounts() {
        kernel.failReceive(Errno.ENOBUFS).acknowledgeInBatch(2, 0);
        assertThat(apply()).as("done").isTrue();
    }

    @Test
    void aLateRefusalOfAnEarlierBatchIsNotTakenForThisOne() {
        kernel.failReceive(Errno.EAGAIN);
        assertThatThrownBy(this::apply).as("the answer is lost").isInstanceOf(AnswerLostException.class);
        kernel.acknowledgeInBatch(-3, 2).acknowledgeInBatch(2, 0);
        assertThat(apply()).as("the next").isTrue();
    }
}
