package io.podwire.node.cni;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Context;
import java.time.Duration;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** When an ADD counts as one nobody waits for. */
final class CniGrpcServiceTest {
    /** Nothing is ever told that its deadline has passed. */
    private static final ScheduledThreadPoolExecutor TIMER =
            new ScheduledThreadPoolExecutor(0, new ThreadPoolExecutor.DiscardPolicy());

    static {
        TIMER.shutdown();
    }

    @Test
    void aCallWithoutADeadlineIsWaitedFor() {
        assertThat(CniGrpcService.gone(Context.ROOT)).isFalse();
    }

    @Test
    void aCallIsWaitedForUntilItIsCancelled() {
        Context.CancellableContext call = within(Duration.ofHours(1));
        assertThat(CniGrpcService.gone(call)).isFalse();
        call.cancel(null);
        assertThat(CniGrpcService.gone(call)).isTrue();
    }

    /** The end of the call was not read yet: the thread that reads it has not run since the deadline, or is about to. */
    @Test
    void anAnswerThatWouldComeTooLateIsNotWaitedFor() {
        Context.CancellableContext call = within(CniGrpcService.ANSWER_TIME.minusMillis(1));
        assertThat(call.isCancelled()).isFalse();
        assertThat(CniGrpcService.gone(call)).isTrue();
    }

    private Context.CancellableContext within(Duration time) {
        return Context.ROOT.withDeadlineAfter(time.toNanos(), TimeUnit.NANOSECONDS, TIMER);
    }
}
