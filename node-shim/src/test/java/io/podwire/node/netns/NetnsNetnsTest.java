package io.podwire.node.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.node.netns.NetnsException.Reason;
import io.podwire.node.testing.NetnsSandbox;
import io.podwire.node.testing.NetnsSandbox.Space;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which paths are namespaces, and what runs where. */
@Tag("netns")
@Timeout(30)
class NetnsNetnsTest {
    private final NetnsSandbox sandbox = new NetnsSandbox();

    @TempDir
    private Path folder;

    @AfterEach
    void removeSandbox() {
        sandbox.close();
    }

    @Test
    void namedAndProcessNamespacesOpen() {
        Space space = sandbox.add();
        Path self = Path.of("/proc/" + ProcessHandle.current().pid() + "/ns/net");
        try (Netns named = Netns.open(space.path());
                Netns byPid = Netns.open(self);
                Netns own = Netns.own()) {
            assertThat(named.sameAs(space.netns()))
                    .as("same path, same namespace")
                    .isTrue();
            assertThat(named.inode()).as("inode as stat tells it").isEqualTo(statInode(space));
            assertThat(byPid.sameAs(own)).as("own namespace by pid").isTrue();
            assertThat(named.sameAs(own)).as("a pod's and the own").isFalse();
        }
    }

    @Test
    void whatIsNoNamespaceIsRefusedAtOnce() throws IOException {
        Path fifo = folder.resolve("fifo");
        NetnsSandbox.run(List.of("mkfifo", fifo.toString()));
        Path link =
                Files.createSymbolicLink(folder.resolve("link"), sandbox.add().path());
        Path linkToProc = Files.createSymbolicLink(folder.resolve("proc"), Path.of("/proc/self/ns/net"));
        for (Path path : List.of(
                Path.of("/etc/passwd"),
                fifo,
                link,
                linkToProc,
                folder,
                Path.of("/dev/zero"),
                Path.of("/proc/self/ns/mnt"),
                Path.of("/proc/self/status"))) {
            assertRefused(path, Reason.NOT_A_NAMESPACE);
        }
    }

    @Test
    void namespaceOfAnotherKindIsRefused() throws IOException {
        Path mount = Files.createFile(folder.resolve("uts"));
        NetnsSandbox.run(List.of("mount", "--bind", "/proc/self/ns/uts", mount.toString()));
        try {
            assertRefused(mount, Reason.NOT_A_NAMESPACE);
        } finally {
            NetnsSandbox.run(List.of("umount", mount.toString()));
        }
    }

    @Test
    void whatIsGoneIsGone() {
        Space space = sandbox.add();
        Path path = space.path();
        sandbox.remove(space);
        assertRefused(path, Reason.GONE);
        assertRefused(folder.resolve("never/was"), Reason.GONE);
        assertRefused(Path.of("/proc/999999999/ns/net"), Reason.GONE);
        assertRefused(Path.of("/etc/passwd/net"), Reason.GONE);
    }

    @Test
    void bodyRunsInsideAndNobodyElse() throws Exception {
        Space space = sandbox.add();
        Path thread = Path.of("/proc/thread-self/ns/net");
        boolean inside = NetnsThread.call(space.netns(), () -> {
            try (Netns here = Netns.open(thread)) {
                return here.sameAs(space.netns());
            }
        });
        assertThat(inside).as("the body is in the namespace").isTrue();
        try (Netns here = Netns.open(thread);
                Netns own = Netns.own()) {
            assertThat(here.sameAs(own)).as("the caller stayed").isTrue();
        }
    }

    @Test
    void sysctlsAreTheNamespaces() throws Exception {
        Space space = sandbox.add();
        Path forward = Path.of("/proc/sys/net/ipv4/ip_forward");
        String before = Files.readString(forward);
        NetnsThread.call(space.netns(), () -> Files.writeString(forward, "1"));
        assertThat(space.run("cat", forward.toString()).strip()).as("inside").isEqualTo("1");
        assertThat(Files.readString(forward)).as("outside").isEqualTo(before);
    }

    @Test
    void failureOfTheBodyReachesTheCaller() {
        Space space = sandbox.add();
        IOException thrown = new IOException("from inside");
        assertThatThrownBy(() -> NetnsThread.call(space.netns(), () -> {
                    throw thrown;
                }))
                .as("the body's exception")
                .isSameAs(thrown);
        space.netns().close();
        assertThatThrownBy(() -> NetnsThread.call(space.netns(), () -> 1))
                .as("a closed handle")
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(space.path().toString());
    }

    @Test
    void anInterruptedCallerWaitsAndStaysInterrupted() throws Exception {
        Space space = sandbox.add();
        Thread.currentThread().interrupt();
        int result = NetnsThread.call(space.netns(), () -> 7);
        assertThat(Thread.interrupted()).as("interrupt kept").isTrue();
        assertThat(result).as("result").isEqualTo(7);
    }

    private static void assertRefused(Path path, Reason reason) {
        assertThatThrownBy(() -> Netns.open(path).close())
                .as("opening %s", path)
                .hasMessageContaining(path.toString())
                .asInstanceOf(InstanceOfAssertFactories.type(NetnsException.class))
                .extracting(NetnsException::reason)
                .isEqualTo(reason);
    }

    private static long statInode(Space space) {
        return Long.parseLong(
                NetnsSandbox.run(List.of("stat", "-L", "-c", "%i", space.path().toString()))
                        .strip());
    }
}
