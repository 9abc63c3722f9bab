package io.podwire.ipam.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** A real etcd of one member on free loopback ports, its data in a folder of the test. One thread. */
public final class EtcdServer implements AutoCloseable {
    private static final Path BINARY = Path.of("/usr/bin/etcd");

    private final List<String> command = new ArrayList<>();
    private final Path log;
    private final URI endpoint;
    /** How it is found out that it serves. */
    private EtcdAccess access;

    private String readable = "/probe/";
    private final Thread atExit = new Thread(this::kill);
    private Process process;

    /** Starts etcd; skips the test where it is not installed. */
    public static EtcdServer start(Path dir, String... moreArguments) throws IOException {
        assumeInstalled();
        return run(new EtcdServer(dir, "http", moreArguments));
    }

    /** Starts an etcd that speaks TLS alone, and only with clients whose certificate is of this authority. */
    static EtcdServer startTls(Path dir, TestAuthority authority) throws IOException {
        assumeInstalled();
        TestAuthority.Files own = authority.issue("etcd", "subjectAltName=IP:127.0.0.1");
        EtcdServer server = new EtcdServer(
                dir,
                "https",
                "--cert-file",
                own.certificate().toString(),
                "--key-file",
                own.key().toString(),
                "--trusted-ca-file",
                authority.certificate().toString(),
                "--client-cert-auth");
        server.access = authority.access(server.endpoint, "test");
        return run(server);
    }

    private static void assumeInstalled() {
        Assumptions.assumeTrue(
                Files.isExecutable(BINARY),
                "SKIPPED: no /usr/bin/etcd here; install Debian's etcd-server to run the etcd tests");
    }

    private static EtcdServer run(EtcdServer server) throws IOException {
        server.start();
        Runtime.getRuntime().addShutdownHook(server.atExit);
        return server;
    }

    private EtcdServer(Path dir, String scheme, String... moreArguments) throws IOException {
        URI peer;
        try (ServerSocket client = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ServerSocket peers = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            endpoint = URI.create(scheme + "://127.0.0.1:" + client.getLocalPort());
            peer = URI.create("http://127.0.0.1:" + peers.getLocalPort());
        }
        if (scheme.equals("http")) {
            access = EtcdAccess.plain(List.of(endpoint));
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
        try (EtcdIpamStore store = connect(readable, Duration.ofSeconds(5))) {
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

    /** Stops this very process, and returns when none of its threads runs any more, which is not when kill(2) does. */
    void stopRunning() throws IOException, InterruptedException {
        signal("STOP");
        Path threads = Path.of("/proc", Long.toString(process.pid()), "task");
        await("all threads are stopped").pollInterval(Duration.ofMillis(1)).until(() -> {
            try (Stream<Path> all = Files.list(threads)) {
                return all.allMatch(EtcdServer::isStopped);
            }
        });
    }

    /** Its state, behind its name in parentheses: proc_pid_stat(5). */
    private static boolean isStopped(Path thread) {
        try {
            String stat = Files.readString(thread.resolve("stat"));
            return stat.startsWith(" T", stat.lastIndexOf(')') + 1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Has it go on after {@link #stopRunning}. */
    void goOn() throws IOException, InterruptedException {
        signal("CONT");
    }

    private void signal(String name) throws IOException, InterruptedException {
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
    public EtcdIpamStore connect(String prefix, Duration timeout) {
        return EtcdIpamStore.connect(access, prefix, timeout);
    }

    /** From now on stores log in like this, for nothing but keys below this prefix. */
    void use(EtcdAccess loggedIn, String prefix) {
        access = loggedIn;
        readable = prefix;
    }

    @Override
    public void close() {
        kill();
        Runtime.getRuntime().removeShutdownHook(atExit);
    }
}
