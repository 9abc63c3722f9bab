package io.podwire.common.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import io.grpc.ManagedChannel;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class UnixSocketsTest {
    @TempDir
    Path temp;

    private Path socket() {
        return temp.resolve("run/cni.sock");
    }

    private static RunningService start(Path socket) throws Exception {
        return ServiceRunner.start("test", TestOptions.unix(socket), (_, _) -> {});
    }

    @Test
    void theSocketIsItsOwnersAlone() throws Exception {
        try (RunningService service = start(socket())) {
            assertThat(permissions(socket())).isEqualTo("rw-------");
            assertThat(permissions(socket().getParent())).isEqualTo("rwx------");
            assertThat(service.grpcTarget()).isEqualTo("unix:" + socket());
            assertThat(answers(service)).isTrue();
        }
    }

    @Test
    void aFolderThatIsTooOpenIsClosed() throws Exception {
        Files.createDirectory(socket().getParent());
        Files.setPosixFilePermissions(socket().getParent(), PosixFilePermissions.fromString("rwxr-xr-x"));
        try (RunningService service = start(socket())) {
            assertThat(permissions(socket().getParent())).isEqualTo("rwx------");
            assertThat(answers(service)).isTrue();
        }
    }

    @Test
    void aFolderThatOthersUseIsRefusedAndLeftAsItIs() throws Exception {
        Path shared = Files.createDirectory(socket().getParent());
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatIOException().isThrownBy(() -> start(socket())).withMessageContaining("is used by others too");
        assertThat(permissions(shared)).isEqualTo("rwxrwxrwx");
        String before = permissions(Path.of("/run"));
        assertThatIOException()
                .isThrownBy(() -> start(
                        Path.of("/run/podwire-test-" + ProcessHandle.current().pid())));
        assertThat(permissions(Path.of("/run"))).isEqualTo(before);
    }

    @Test
    void aSocketThatNobodyServesIsReplaced() throws Exception {
        Files.createDirectory(socket().getParent());
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket()));
        }
        assertThat(socket()).as("left by a kill").exists();
        try (RunningService service = start(socket())) {
            assertThat(answers(service)).isTrue();
        }
    }

    @Test
    void aLivingServerKeepsItsSocket() throws Exception {
        try (RunningService first = start(socket())) {
            assertThatIOException()
                    .isThrownBy(() -> start(socket()))
                    .withMessageContaining("is served by another process");
            assertThat(answers(first)).as("the first one goes on").isTrue();
        }
    }

    @Test
    void aFileThatIsNoSocketIsLeftAlone() throws Exception {
        Files.createDirectory(socket().getParent());
        Files.writeString(socket(), "somebody's journal");
        assertThatIOException().isThrownBy(() -> start(socket())).withMessageContaining("is no socket");
        assertThat(socket()).hasContent("somebody's journal");
        Files.delete(socket());
        Files.createSymbolicLink(socket(), temp.resolve("elsewhere"));
        assertThatIOException().isThrownBy(() -> start(socket())).withMessageContaining("is no socket");
    }

    /** The folder alone would stop it: it is opened to all, so that only the look at the peer is left. */
    @Test
    void anotherUidIsRefusedByWhoItIs() throws Exception {
        Assumptions.assumeTrue((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0, "needs root");
        try (RunningService service = start(socket())) {
            for (Path folder = socket().getParent(); folder.startsWith("/tmp") && folder.getNameCount() > 1; ) {
                Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
                folder = folder.getParent();
            }
            Files.setPosixFilePermissions(socket(), PosixFilePermissions.fromString("rw-rw-rw-"));
            assertThat(peer()).as("root: the server speaks first in HTTP/2").isEqualTo("answered\n");
            assertThat(peer("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
                    .isEqualTo("closed\n");
            assertThat(answers(service)).as("others are served on").isTrue();
        }
    }

    /** Connects, sends HTTP/2's opening and tells whether anything came back. */
    private String peer(String... before) throws Exception {
        List<String> command = new java.util.ArrayList<>(List.of(before));
        command.addAll(List.of("/usr/bin/python3", "-c", """
                import socket, sys
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(8)
                try:
                    s.connect(sys.argv[1])
                    s.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes(3) + b'\\x04' + bytes(5))
                    print('answered' if s.recv(9) else 'closed')
                except (ConnectionResetError, BrokenPipeError):
                    print('closed')
                """, socket().toString()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        return output;
    }

    private static boolean answers(RunningService service) {
        ManagedChannel channel = service.channel();
        try {
            return HealthGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(8, TimeUnit.SECONDS)
                    .check(HealthCheckRequest.getDefaultInstance())
                    .isInitialized();
        } finally {
            channel.shutdownNow();
        }
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }
}
