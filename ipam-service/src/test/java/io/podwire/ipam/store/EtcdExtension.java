package io.podwire.ipam.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** One etcd for all tests of a class, and keys of its own for each of them. Register it as a static field. */
public final class EtcdExtension implements BeforeAllCallback, AfterAllCallback {
    private final AtomicInteger prefixes = new AtomicInteger();
    private Path dir;
    private EtcdServer server;

    @Override
    public void beforeAll(ExtensionContext context) throws IOException {
        dir = Files.createTempDirectory("podwire-etcd");
        server = EtcdServer.start(dir);
    }

    @Override
    public void afterAll(ExtensionContext context) throws IOException {
        if (server != null) {
            server.close();
        }
        try (Stream<Path> files = Files.walk(dir)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** The etcd. */
    public EtcdServer server() {
        return server;
    }

    /** A prefix that no test before has used. */
    public String newPrefix() {
        return "/test-" + prefixes.incrementAndGet() + "/";
    }

    /** A store that nothing is in. */
    public EtcdIpamStore newStore(Duration timeout) {
        return server.connect(newPrefix(), timeout);
    }

    /** Options of an ipam-service over a store that nothing is in. */
    public List<String> newStoreOptions() {
        return List.of("--store=etcd", "--etcd-endpoints=" + server.endpoint(), "--etcd-prefix=" + newPrefix());
    }
}
