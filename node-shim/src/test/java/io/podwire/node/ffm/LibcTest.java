package io.podwire.node.ffm;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.PrimitiveIterator;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Calls that need no rights: results, and errno after a failure. */
class LibcTest {
    @Test
    void failuresAreNegativeErrnos() {
        assertThat(Libc.close(-1)).as("close of no file").isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.open("/nonexistent/file", Libc.O_RDONLY)).as("open").isEqualTo(-Errno.ENOENT.number());
        assertThat(Libc.fstatfsType(-1)).as("fstatfs").isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.fstatInode(-1)).as("fstat").isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.namespaceType(-1)).as("ioctl").isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.setns(-1, Libc.CLONE_NEWNET)).as("setns").isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.send(-1, ByteBuffer.allocateDirect(4), 0)).as("send").isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.recv(-1, ByteBuffer.allocateDirect(4), 0)).as("recv").isEqualTo(-Errno.EBADF.number());
        assertThat(Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW, 9999))
                .as("socket")
                .isNegative();
    }

    @Test
    void aCallThatASignalInterruptsIsMadeAgain() {
        PrimitiveIterator.OfLong results = LongStream.of(-4, -4, 7, 8).iterator();
        assertThat(Libc.again(results::nextLong)).as("the third time").isEqualTo(7);
        assertThat(results.nextLong()).as("and no fourth time").isEqualTo(8);
        PrimitiveIterator.OfLong refused = LongStream.of(-11, 7).iterator();
        assertThat(Libc.again(refused::nextLong)).as("another failure").isEqualTo(-Errno.EAGAIN.number());
    }

    @Test
    void aCallThatIsAlwaysInterruptedFailsInTheEnd() {
        AtomicInteger calls = new AtomicInteger();
        assertThat(Libc.again(() -> {
                    calls.incrementAndGet();
                    return -Errno.EINTR.number();
                }))
                .as("result")
                .isEqualTo(-Errno.EINTR.number());
        assertThat(calls).as("calls").hasValueBetween(100, 10_000);
    }

    @Test
    void filesOpenAndTellWhatTheyAre() {
        int fd = Libc.open("/proc/self/ns/net", Libc.O_RDONLY | Libc.O_CLOEXEC);
        try {
            assertThat(fd).as("fd").isNotNegative();
            assertThat(Libc.fstatfsType(fd)).as("NSFS_MAGIC").isEqualTo(0x6e736673L);
            assertThat(Libc.namespaceType(fd)).as("type").isEqualTo(Libc.CLONE_NEWNET);
        } finally {
            assertThat(Libc.close(fd)).as("close").isZero();
        }
    }

    @Test
    void recvWithoutAnAnswerDoesNotWait() {
        int fd = Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, 0);
        try {
            assertThat(Libc.recv(fd, ByteBuffer.allocateDirect(64), Libc.MSG_DONTWAIT))
                    .as("nothing was asked")
                    .isEqualTo(-Errno.EAGAIN.number());
        } finally {
            Libc.close(fd);
        }
    }

    @Test
    void numbersHaveNames() {
        for (Errno errno : Errno.values()) {
            assertThat(Errno.of(errno.number()))
                    .as("constant of %s", errno.number())
                    .isEqualTo(errno);
        }
        assertThat(Errno.of(4711)).as("an unknown number").isEqualTo(Errno.OTHER);
        assertThat(Errno.describe(17)).as("text").isEqualTo("EEXIST (17)");
        assertThat(Errno.describe(4711)).as("text").isEqualTo("errno 4711");
    }
}
