package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** A real etcd of one member on free loopback ports, its data in a folder of the test. */
public final class EtcdServer implements AutoCloseable {
    private static final Path BINARY = Path.of("/usr/bin/etcd");

    private final List<String> command = new ArrayList<>();
    private final Path log;
    private final URI endpoint;
    private final Thread atExit = new Thread(this::kill);
    private Process process;

    /** Starts etcd; skips the test where it is not installed. */
    public static EtcdServer start(Path dir, String... moreArguments) throws IOException {
        Assumptions.assumeTrue(
                Files.isExecutable(BINARY),
                "SKIPPED: no /usr/bin/etcd here; install Debian's etcd-server to run the etcd tests");
        EtcdServer server = new EtcdServer(dir, moreArguments);
        server.start();
        Runtime.getRuntime().addShutdownHook(server.atExit);
        return server;
    }

    private EtcdServer(Path dir, String... moreArguments) throws IOException {
        URI peer;
        try (ServerSocket client = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ServerSocket peers = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            endpoint = URI.create("http://127.0.0.1:" + client.getLocalPort());
            peer = URI.create("http://127.0.0.1:" + peers.getLocalPort());
        }
        log = dir.resolve("etcd.log");
        command.addAll(List.of(BINARY.toString(), "--name", "test"));
        command.addAll(List.of("--data-dir", dir.resolve("etcd").toString()));
        command.addAll(List.of("--listen-client-urls", endpoint.toString()));
        command.addAll(List.of("--advertise-client-urls", endpoint.toString()));
        command.addAll(List.of("--listen-peer-urls", peer.toString()));
        command.addAll(List.of("--initial-advertise-peer-urls", peer.toString()));
        command.addAll(List.of("--initial-cluster", "test=" + peer));
        command.addAll(List.of("--heartbeat-interval", "20", "--election-timeout", "200"));
        command.addAll(List.of(moreArguments));
    }

    /** Starts it, again on the same data after {@link #kill}. */
    public void start() throws IOException {
        process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
        try (EtcdIpamStore store = connect("/probe/", Duration.ofSeconds(5))) {
            await("etcd answers, see " + log).atMost(Duration.ofSeconds(20)).until(() -> {
                assertThat(process.isAlive())
                        .as("etcd runs: %s", Files.readString(log))
                        .isTrue();
                return store.connected();
            });
        }
    }

    /** kill -9 of this very process. */
    public void kill() {
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Sends STOP or CONT to this very process. */
    void signal(String name) throws IOException, InterruptedException {
        int code = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                .inheritIO()
                .start()
                .waitFor();
        assertThat(code).as("kill -%s", name).isZero();
    }

    /** Where clients connect. */
    public URI endpoint() {
        return endpoint;
    }

    /** A store on it. */
    EtcdIpamStore connect(String prefix, Duration timeout) {
        return EtcdIpamStore.connect(List.of(endpoint), prefix, timeout);
    }

    @Override
    public void close() {
        kill();
        Runtime.getRuntime().removeShutdownHook(atExit);
    }
}
