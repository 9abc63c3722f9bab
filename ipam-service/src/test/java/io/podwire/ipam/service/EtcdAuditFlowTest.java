package io.podwire.ipam.service;

import io.podwire.ipam.store.EtcdServer;
import io.podwire.ipam.store.IpamStore;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

class EtcdAuditFlowTest extends AuditFlowContract {
    private static final AtomicInteger TESTS = new AtomicInteger();

    @TempDir
    private static Path dir;

    private static EtcdServer etcd;

    private final IpamStore store = etcd.connect("/audit-" + TESTS.incrementAndGet() + "/", Duration.ofSeconds(5));

    @BeforeAll
    static void startEtcd() throws IOException {
        etcd = EtcdServer.start(dir);
    }

    @AfterAll
    static void stopEtcd() {
        if (etcd != null) {
            etcd.close();
        }
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Override
    IpamStore store() {
        return store;
    }
}
