package io.podwire.node.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.node.ffm.Errno;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.ToIntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the handler hears when receiving fails. */
@Timeout(30)
class EventReaderTest {
    private final Script script = new Script();
    private final List<String> heard = new ArrayList<>();

    /** Answers written down beforehand; the reader waits when they are used up. */
    private static final class Script implements EventReader.Calls {
        private final Deque<ToIntFunction<ByteBuffer>> answers = new ArrayDeque<>();
        private final CountDownLatch usedUp = new CountDownLatch(1);
        private final CountDownLatch stopped = new CountDownLatch(1);
        private int awaitErrno;
        private int closes;

        Script message(int type) {
            answers.add(into -> {
                NlWriter out = new NlWriter(into);
                out.begin(type, 0, 0);
                return out.finish().remaining();
            });
            return this;
        }

        Script bytes(int count) {
            answers.add(_ -> count);
            return this;
        }

        Script fail(Errno errno) {
            answers.add(_ -> -errno.number());
            return this;
        }

        @Override
        public int await() {
            if (awaitErrno != 0) {
                return -awaitErrno;
            }
            if (answers.isEmpty()) {
                usedUp.countDown();
                try {
                    stopped.await();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
            return 0;
        }

        @Override
        public int receive(ByteBuffer into) {
            return answers.isEmpty() ? -Errno.EAGAIN.number() : answers.remove().applyAsInt(into);
        }

        @Override
        public void stop() {
            stopped.countDown();
        }

        @Override
        public void close() {
            closes++;
        }
    }

    private final EventReader.Handler handler = new EventReader.Handler() {
        @Override
        public void message(NlMessage message) {
            if (message.type() == 99) {
                throw new IllegalStateException("a listener's bug");
            }
            heard.add("message " + message.type());
        }

        @Override
        public void lost() {
            heard.add("lost");
        }
    };

    /** Reads the script to its end. */
    private void run() throws Exception {
        try (EventReader _ = EventReader.start("test", script, handler)) {
            script.usedUp.await();
        }
    }

    @Test
    void everyMessageIsHeard() throws Exception {
        script.message(1).message(2).fail(Errno.EAGAIN).message(3);
        run();
        assertThat(heard).as("heard").containsExactly("message 1", "message 2", "message 3");
    }

    @Test
    void aLossIsHeardOnceAfterWhatWasLeft() throws Exception {
        script.message(1)
                .fail(Errno.ENOBUFS)
                .message(2)
                .fail(Errno.ENOBUFS)
                .message(3)
                .fail(Errno.EAGAIN);
        script.message(4);
        run();
        assertThat(heard).as("heard").containsExactly("message 1", "lost", "message 4");
    }

    @Test
    void whatIsTooLargeOrGarbledOrFailsIsLost() throws Exception {
        script.bytes(1 << 20).fail(Errno.EAGAIN); // longer than the buffer
        script.bytes(5).fail(Errno.EAGAIN); // shorter than a header
        script.fail(Errno.ENOMEM).fail(Errno.EAGAIN);
        script.message(99).fail(Errno.EAGAIN);
        script.message(1);
        run();
        assertThat(heard).as("heard").containsExactly("lost", "lost", "lost", "lost", "message 1");
    }

    @Test
    void aSocketThatFailsForEverIsGivenUp() throws Exception {
        for (int i = 0; i < EventReader.FAILURES; i++) {
            script.fail(Errno.ENOMEM);
        }
        script.message(1);
        EventReader reader = EventReader.start("test", script, handler);
        reader.close(); // waits for the thread, which has ended or ends
        assertThat(heard).as("heard").isEmpty();
        assertThat(script.closes).as("closed").isEqualTo(1);
    }

    @Test
    void aWaitThatFailsEndsTheReader() {
        script.awaitErrno = Errno.ENOMEM.number();
        EventReader reader = EventReader.start("test", script, handler);
        reader.close();
        reader.close();
        assertThat(script.closes).as("closed once").isEqualTo(1);
    }
}
